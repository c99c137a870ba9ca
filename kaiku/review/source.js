"use strict";
/* Where the review page's data come from: the server that made the page, or, in an export, the page itself. `source`
   is the same for both. */

const $ = (id) => document.getElementById(id);
const DATA = JSON.parse($("data").textContent);
const PAGE = 100; // lines asked for at once

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

function serverSource(token) {
  const ask = async (path, asked = {}, body) => {
    const query = new URLSearchParams(asked).toString();
    const options = { headers: { "X-Kaiku-Token": token }, cache: "no-store" };
    if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    let answer;
    try {
      answer = await fetch(path + (query ? `?${query}` : ""), options);
    } catch {
      throw new Error("The server does not answer. Start it again with `make review`, and open the address it prints.");
    }
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    return told;
  };
  return {
    overview: () => ask("/api/overview"),
    clips: (asked) => ask("/api/clips", asked),
    clip: (corpus, clip) => ask("/api/clip", { corpus, clip }),
    lapsed: () => ask("/api/lapsed"),
    decide: (decision) => ask("/api/decide", {}, decision),
    audio: (clip) => `/audio?${new URLSearchParams({ corpus: clip.corpus, clip: clip.clip, token })}`,
    saved: "Every decision is in its file under data/review at once; the next run takes it in.",
  };
}

const ESCAPES = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function exportSource(data) {
  const store = `kaiku-review-${data.overview.system}-${data.overview.dataset}-${data.made}`;
  const decided = {};
  let stored = true;
  /* The file may be open in another tab, which adds to the same store. */
  const unite = () => {
    try {
      for (const [clip, own] of Object.entries(JSON.parse(localStorage.getItem(store) || "{}"))) {
        const each = new Map([...(decided[clip] || []), ...own].map((one) => [JSON.stringify(one), one]));
        decided[clip] = [...each.values()].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
      }
    } catch { stored = false; }
  };
  unite();
  const key = (clip) => `${clip.corpus}\n${clip.clip}`;
  const by = new Map(data.clips.map((clip) => [key(clip), clip]));
  const present = (clip) => {
    const mine = decided[key(clip)] || [];
    const history = clip.history.concat(mine);
    const last = history.length && history[history.length - 1].verdict !== "none" ? history[history.length - 1] : null;
    const corrects = last && last.text && last.verdict !== "reject";
    return { ...clip, history, decision: last, verdict: last ? last.verdict : "", text: corrects ? last.text : clip.own_text };
  };
  const folded = (text) => text.normalize("NFC").toLowerCase();
  const fits = (clip, asked) => {
    const shows = { all: true, open: !clip.verdict, decided: clip.verdict, kept: clip.kept === true, dropped: clip.kept === false };
    const shown = asked.show in shows ? shows[asked.show] : clip.verdict === asked.show;
    const found = !asked.find || folded(`${clip.clip}\n${clip.text}`).includes(folded(asked.find));
    return shown && found && (!asked.reason || clip.reason === asked.reason);
  };
  let list = [];
  return {
    overview: async () => {
      const verdicts = {};
      for (const clip of data.clips.map(present)) if (clip.verdict) verdicts[clip.verdict] = (verdicts[clip.verdict] || 0) + 1;
      return { ...data.overview, decided: verdicts, orders: { given: "as exported" }, measures: [], lapsed: 0 };
    },
    clips: async (asked) => {
      if (asked.anew) list = data.clips.filter((clip) => fits(present(clip), asked));
      return { total: list.length, offset: +asked.offset, clips: list.slice(+asked.offset, +asked.offset + PAGE).map(present) };
    },
    clip: async (corpus, clip) => present(by.get(`${corpus}\n${clip}`)),
    lapsed: async () => ({ decisions: [] }),
    decide: async (made) => {
      unite();
      const clip = by.get(`${made.corpus}\n${made.clip}`);
      const { history: before, decision: last } = present(clip);
      const newest = before.length ? Date.parse(before[before.length - 1].time) || 0 : 0;
      const text = made.text ?? (last && made.verdict !== "none" ? last.text : "");
      const time = new Date(Math.max(Date.now(), newest + 1)).toISOString();
      const own = { verdict: made.verdict, text, note: made.note || "", reviewer: data.overview.reviewer, time };
      (decided[key(clip)] ||= []).push(own);
      try { localStorage.setItem(store, JSON.stringify(decided)); stored = true; } catch { stored = false; }
      return present(clip);
    },
    audio: (clip) => clip.audio,
    download: () => {
      unite();
      const escape = (field) => String(field).replace(/[\\\t\n\r]/g, (found) => ESCAPES[found]);
      const lines = [data.columns];
      for (const clip of data.clips) {
        for (const own of decided[key(clip)] || []) {
          lines.push(data.columns.map((name) => ({ ...clip.place, ...own })[name] ?? ""));
        }
      }
      const text = lines.map((line) => line.map(escape).join("\t")).join("\n") + "\n";
      const link = element("a", { download: `decisions-${data.overview.dataset}.tsv` });
      link.href = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
      link.click();
      return { lines: lines.length - 1, text };
    },
    get warning() { return stored ? "" : "This browser stores nothing for this file: download the decisions before you close it."; },
    get saved() { return this.warning || "Decisions stay in this browser, for this file. Download them before you leave, and merge them with --import."; },
  };
}

const source = DATA.clips ? exportSource(DATA) : serverSource(DATA.token);
