/* The review page: a list on the left, one clip on the right, everything by keys. All text enters as text. */

const ROW = 64; // px, the height of a line in the list

/* ---- state */

const state = { asked: { order: "", show: "all", reason: "", find: "" }, total: 0, lines: new Map(), at: -1, clip: null, undo: [], seed: 0 };
const audio = $("audio");
let question = 0; // answers to earlier questions come too late

function toast(text, failed = false) {
  const box = $("toast");
  box.textContent = text;
  box.className = `shown${failed ? " failed" : ""}`;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.className = ""; }, failed ? 8000 : 2200);
}

const attempt = async (work) => {
  try { return await work(); } catch (error) { toast(error.message, true); return undefined; }
};

/* One thing after another: a key that is pressed while the next clip is on its way is meant for that one. */
let turn = Promise.resolve();
let inHand = 0;
function inTurn(work) {
  inHand += 1;
  turn = turn.then(work).catch((error) => toast(error.message, true)).finally(() => { inHand -= 1; });
  return turn;
}

/* ---- the list: only the lines in sight are there */

async function ask() {
  const own = ++question;
  const asked = { ...state.asked, seed: state.seed, offset: 0, limit: PAGE, anew: "1" };
  if (DATA.clips) delete asked.seed;
  const found = await attempt(() => source.clips(asked));
  if (!found || own !== question) return;
  state.lines.clear();
  state.total = found.total;
  found.clips.forEach((line, i) => state.lines.set(i, line));
  $("rail").replaceChildren();
  $("rail").style.height = `${state.total * ROW}px`;
  $("list").scrollTop = 0;
  state.at = -1;
  draw();
  if (state.total) await open(0, false);
  else showNone("No clip is like that.");
}

const waiting = new Map(); // by question and first line
function fetchPage(first) {
  const key = `${question} ${first}`;
  if (!waiting.has(key)) waiting.set(key, readPage(first).finally(() => waiting.delete(key)));
  return waiting.get(key);
}

async function readPage(first) {
  const own = question;
  const found = await attempt(() => source.clips({ ...state.asked, ...(DATA.clips ? {} : { seed: state.seed }), offset: first, limit: PAGE }));
  if (!found || own !== question) return;
  found.clips.forEach((line, i) => state.lines.set(first + i, line));
  draw();
}

function draw() {
  const box = $("list");
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 4);
  const last = Math.min(state.total, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 4);
  const items = [];
  for (let i = first; i < last; i += 1) {
    const line = state.lines.get(i);
    if (!line) fetchPage(Math.floor(i / PAGE) * PAGE);
    items.push(item(i, line));
  }
  $("rail").replaceChildren(...items);
}

function item(i, line) {
  const made = element("div", { className: "item", id: `line-${i}` });
  made.style.top = `${i * ROW}px`;
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", i === state.at);
  made.setAttribute("aria-posinset", i + 1);
  made.setAttribute("aria-setsize", state.total);
  if (!line) return made;
  const mark = element("span", { className: `chip mark ${line.verdict || fateOf(line)}`, textContent: line.verdict ? `you: ${line.verdict}` : fateOf(line) });
  const said = element("div", { className: "said", dir: "auto", lang: line.language, textContent: line.text || "(no text)" });
  const sub = [`${line.seconds.toFixed(1)} s`, line.why, line.clip].filter(Boolean).join(" · ");
  made.append(mark, said, element("div", { className: "sub", textContent: sub, title: sub }));
  made.onclick = () => inTurn(() => open(i));
  return made;
}

const fateOf = (line) => (line.kept === null ? "" : line.kept ? "kept" : "dropped");

/* ---- one clip */

async function open(i, play = $("auto").checked) {
  if (i < 0 || i >= state.total) { toast(i < 0 ? "This is the first." : "This is the last."); return; }
  state.at = i;
  stopEditing();
  audio.pause();
  const box = $("list");
  if (i * ROW < box.scrollTop) box.scrollTop = i * ROW;
  if ((i + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (i + 1) * ROW - box.clientHeight;
  draw();
  $("rail").setAttribute("aria-activedescendant", `line-${i}`);
  if (!state.lines.has(i)) await fetchPage(Math.floor(i / PAGE) * PAGE);
  const line = state.lines.get(i);
  const clip = line && await attempt(() => source.clip(line.corpus, line.clip));
  if (!clip) { showNone("This clip could not be opened."); return; }
  show(clip);
  $("note").value = "";
  if (clip.sound) { silence(); return; }
  audio.src = source.audio(clip);
  audio.playbackRate = +$("speed").value;
  if (play) audio.play().catch(() => {}); // a browser may refuse before the first key
}

/* No clip: keys that judge or correct do nothing until another one is opened. */
function showNone(why) {
  state.clip = null;
  silence();
  $("clip").hidden = true;
  Object.assign($("empty"), { hidden: false, textContent: why });
}

function silence() {
  audio.removeAttribute("src");
  audio.load(); // else the clip before stays to be played
}

function show(clip) {
  state.clip = clip;
  state.lines.set(state.at, { ...state.lines.get(state.at), verdict: clip.verdict, text: clip.text, kept: clip.kept });
  draw();
  $("empty").hidden = true;
  $("clip").hidden = false;
  $("name").textContent = clip.clip;
  const rate = clip.sample_rate ? `${clip.sample_rate / 1000} kHz` : "";
  const times = `${clip.start_s.toFixed(2)}–${clip.end_s.toFixed(2)} s of ${clip.recording}`;
  $("facts").textContent = [clip.corpus, clip.speaker, clip.language, `${clip.seconds.toFixed(2)} s`, times, rate].filter(Boolean).join(" · ");
  const fate = fateOf(clip);
  Object.assign($("fate"), { className: `chip ${fate}`, textContent: fate === "kept" ? `kept: ${clip.split}` : fate });
  const verdicts = { keep: "you: keep", reject: "you: reject", text: "you: text corrected" };
  Object.assign($("verdict"), { className: `chip ${clip.verdict}`, textContent: verdicts[clip.verdict] || "" });
  $("words").textContent = clip.words === "kept" ? "" : clip.words;
  Object.assign($("upcoming"), { textContent: clip.next ? `Decided, and ${clip.next}.` : "", hidden: !clip.next });
  Object.assign($("spoken"), { textContent: clip.text || "no text", className: clip.text ? "" : "none", lang: clip.language });
  $("others").replaceChildren(...others(clip));
  const doubt = clip.suspicion;
  $("doubt").textContent = doubt.why ? `Why this text may be wrong (${Math.round(doubt.score * 100)} %): ${doubt.why}` : "";
  $("measures").tBodies[0].replaceChildren(...clip.measures.map(measureRow));
  $("past").hidden = !clip.history.length;
  $("history").replaceChildren(...clip.history.map(pastLine));
  $("sound").textContent = clip.sound;
  wave();
}

/* ---- sound */

function wave() {
  const canvas = $("wave"), clip = state.clip;
  if (!clip) return;
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale)) { canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale); }
  const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const length = clip.seconds || 1, at = audio.currentTime / length;
  const loudest = Math.max(1, ...clip.peaks.map(([low, high]) => Math.max(-low, high)));
  clip.peaks.forEach(([low, high], i) => {
    const x = (i / clip.peaks.length) * width;
    pen.fillStyle = colour(i / clip.peaks.length < at ? "--played" : "--wave");
    const top = (1 - high / loudest) * height / 2, bottom = (1 - low / loudest) * height / 2;
    pen.fillRect(x, top, Math.max(1, width / clip.peaks.length - 0.4), Math.max(1, bottom - top));
  });
  pen.fillStyle = colour("--ink");
  pen.fillRect(Math.min(width - 1.5, at * width), 0, 1.5, height);
  $("time").textContent = `${audio.currentTime.toFixed(1)} / ${length.toFixed(1)} s`;
  $("play").textContent = audio.paused ? "Play" : "Pause";
  canvas.setAttribute("aria-valuemax", length.toFixed(1));
  canvas.setAttribute("aria-valuenow", audio.currentTime.toFixed(1));
  canvas.setAttribute("aria-valuetext", $("time").textContent);
  if (!audio.paused) requestAnimationFrame(wave);
}

const toggle = () => { if (audio.paused) attempt(() => audio.play()); else audio.pause(); };
for (const name of ["play", "pause", "seeked", "ended", "loadedmetadata"]) audio.addEventListener(name, wave);
audio.addEventListener("error", () => { if (audio.hasAttribute("src")) $("sound").textContent = "This clip could not be played."; });
window.addEventListener("resize", wave);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", wave);

/* ---- decisions */

async function decide(verdict, { text, forward = true, forget = false } = {}) {
  const before = state.clip;
  if (!before) return;
  const made = { corpus: before.corpus, clip: before.clip, verdict, note: $("note").value };
  if (text !== undefined) made.text = text; // else the newest correction stays, whoever made it meanwhile
  const clip = await attempt(() => source.decide(made));
  if (!clip) return;
  if (!forget) state.undo.push({ corpus: before.corpus, clip: before.clip, was: clip.history.at(-2) });
  refreshCounts();
  if (state.clip === before) { show(clip); $("note").value = ""; }
  if (source.warning) toast(source.warning, true);
  else toast({ keep: "Kept", reject: "Rejected", text: "Text corrected", none: "Withdrawn" }[verdict]);
  if (forward && state.at + 1 < state.total) await open(state.at + 1);
}

async function undo() {
  const last = state.undo.pop();
  if (!last) { toast("Nothing was decided here yet."); return; }
  const { verdict, text, note } = last.was || { verdict: "none", text: "", note: "" };
  const clip = await attempt(() => source.decide({ corpus: last.corpus, clip: last.clip, verdict, text, note }));
  if (!clip) { state.undo.push(last); return; }
  refreshCounts();
  const place = [...state.lines].find(([, line]) => line.corpus === last.corpus && line.clip === last.clip);
  if (place) await open(place[0], false); // in a list made anew it may not be
  toast(place ? "Undone" : `Undone: ${last.clip}`);
}

function startEditing() {
  if (!state.clip) return;
  audio.pause();
  $("editor").hidden = false;
  $("spoken").hidden = true;
  $("draft").value = state.clip.text;
  $("draft").lang = state.clip.language;
  $("draft").focus();
  $("draft").setSelectionRange($("draft").value.length, $("draft").value.length);
}

function stopEditing() {
  $("editor").hidden = true;
  $("spoken").hidden = false;
  if (document.activeElement === $("draft")) $("draft").blur();
}

async function saveText() {
  const text = $("draft").value.split(/\s+/).filter(Boolean).join(" ");
  if (!text) { toast("A correction needs a text; reject the clip if nothing is said in it.", true); return; }
  stopEditing();
  if (text === state.clip.text) { toast("The text is as it was."); return; }
  await decide(state.clip.verdict === "keep" ? "keep" : "text", { text, forward: false });
}

/* ---- what stands at the top */

const lasting = (seconds) => (seconds < 120 ? `${seconds} s` : seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

async function refreshCounts() {
  const found = await attempt(() => source.overview());
  if (!found) return;
  $("saved").textContent = source.saved;
  document.title = `Review of ${found.dataset}`;
  $("title").textContent = `Review of ${found.dataset}`;
  const decided = Object.values(found.decided).reduce((sum, n) => sum + n, 0);
  const n = (count) => count.toLocaleString("en");
  const counts = [`${n(found.clips)} clips, ${lasting(found.seconds)}`, `${n(found.kept)} kept, ${n(found.dropped)} left out`, `${n(decided)} decided`];
  $("counts").replaceChildren(counts.join(" · "));
  if (found.lapsed) {
    const button = element("button", { type: "button", id: "lapsing", textContent: `${found.lapsed} no longer apply`, onclick: showLapsed });
    $("counts").append(" · ", button);
  }
  return found;
}

async function showLapsed() {
  const found = await attempt(() => source.lapsed());
  if (!found) return;
  $("lapsed").replaceChildren(...found.decisions.map((own) => element("li", {}, `${own.corpus}: ${own.recording}, ${(own.start_ms / 1000).toFixed(2)}–${(own.end_ms / 1000).toFixed(2)} s: ${own.verdict} ${own.text && `“${own.text}”`} `, element("span", { className: "muted", textContent: own.why }))));
  $("gone").showModal();
}

async function begin() {
  const found = await refreshCounts();
  if (!found) return;
  for (const [value, textContent] of Object.entries(found.orders)) $("order").append(element("option", { value, textContent }));
  const byMeasure = element("optgroup", { label: "by measure" });
  for (const name of found.measures) {
    byMeasure.append(element("option", { value: `${name}:up`, textContent: `${name}, low first` }), element("option", { value: `${name}:down`, textContent: `${name}, high first` }));
  }
  if (found.measures.length) $("order").append(byMeasure);
  for (const [value, count] of Object.entries(found.reasons)) $("reason").append(element("option", { value, textContent: `${value} (${count})` }));
  state.asked.order = $("order").value;
  $("download").hidden = !source.download;
  await ask();
}

/* ---- hands */

for (const name of ["show", "reason", "order"]) {
  $(name).addEventListener("change", () => { state.asked[name] = $(name).value; state.seed = (state.seed + 1) % 1e6; inTurn(ask); $(name).blur(); });
}
let typing;
$("find").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => { state.asked.find = $("find").value; inTurn(ask); }, 250); });
$("list").addEventListener("scroll", draw, { passive: true });
$("again").onclick = () => { state.seed += 1; inTurn(refreshCounts); inTurn(ask); };
$("helper").onclick = () => $("help").showModal();
$("download").onclick = () => { const { lines } = source.download(); toast(`${lines} decisions in the file`); };
$("play").onclick = toggle;
const go = (by) => inTurn(() => open(state.at + by));
const judge = (verdict) => inTurn(() => decide(verdict));
$("keep").onclick = () => judge("keep");
$("reject").onclick = () => judge("reject");
$("edit").onclick = () => inTurn(startEditing);
$("undo").onclick = () => inTurn(undo);
$("previous").onclick = () => go(-1);
$("following").onclick = () => go(1);
$("cancel").onclick = stopEditing;
$("editor").addEventListener("submit", (event) => { event.preventDefault(); inTurn(saveText); });
$("draft").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); inTurn(saveText); }
});
$("speed").onchange = () => { audio.playbackRate = +$("speed").value; $("speed").blur(); };
$("wave").addEventListener("pointerdown", (event) => {
  const box = $("wave").getBoundingClientRect();
  audio.currentTime = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * state.clip.seconds;
});

const KEYS = {
  " ": toggle,
  s: () => { audio.currentTime = 0; attempt(() => audio.play()); },
  k: () => judge("keep"),
  r: () => judge("reject"),
  e: () => inTurn(startEditing),
  n: () => inTurn(() => $("note").focus()),
  u: () => inTurn(undo),
  l: () => go(1), ArrowRight: () => go(1), ArrowDown: () => go(1),
  j: () => go(-1), ArrowLeft: () => go(-1), ArrowUp: () => go(-1),
  "/": () => $("find").focus(),
  "?": () => $("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (event.key === "Escape" && target.matches("input, textarea")) { stopEditing(); target.blur(); return; }
  if (event.key === "Enter" && target.matches("#note, #find")) { target.blur(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (target.matches("input:not([type=checkbox]), textarea, select")) return;
  if ((event.key === " " || event.key === "Enter") && target.matches("button, summary, input")) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  if (event.repeat && (inHand || "kreu".includes(event.key.toLowerCase()))) return;
  act();
});

inTurn(begin);
