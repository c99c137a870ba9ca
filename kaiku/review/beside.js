/* What stands beside a clip: what others heard in it, its measures, what was decided of it. */

function others(clip) {
  const found = [];
  const add = (label, text, note = "", lacking = true) => {
    const line = element("div", { className: "other", lang: clip.language }, element("b", { textContent: label }));
    const words = text === clip.text ? ["the same"] : difference(clip.text, text, lacking);
    line.append(...words, note && element("span", { className: "muted", textContent: `  ${note}` }));
    found.push(line);
  };
  if (clip.text !== clip.own_text) add("before the correction", clip.own_text, "", false);
  clip.texts.forEach((own, i) => {
    const sure = own.confidence === null ? "" : `confidence ${own.confidence.toFixed(2)}`;
    if (i > 0 || own.error) add(own.asr, own.text, own.error || sure);
    if (own.raw !== own.text) add(`${own.asr}, as written`, own.raw, i > 0 ? "" : sure);
  });
  return found;
}

/* Words of `text` that `reference` has not are marked; where `lacking`, words it lacks are struck out: by the longest
   common run. */
function difference(reference, text, lacking) {
  const a = reference.split(" "), b = text.split(" ");
  if (!text) return ["nothing"];
  if (a.length * b.length > 40000) return [text];
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i][j] = a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
    }
  }
  const parts = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { parts.push(b[j], " "); i += 1; j += 1; }
    else if (j < b.length && (i === a.length || length[i][j + 1] >= length[i + 1][j])) { parts.push(element("mark", { textContent: b[j] }), " "); j += 1; }
    else { if (lacking) parts.push(element("del", { textContent: a[i], title: "not in this text" }), " "); i += 1; }
  }
  return parts;
}

const figure = (value) => (value === null ? "" : String(+value.toPrecision(4)));

function measureRow(own) {
  const bounds = own.min === null && own.max === null ? "" : own.max === null ? `at least ${figure(own.min)}` : own.min === null ? `at most ${figure(own.max)}` : `${figure(own.min)} to ${figure(own.max)}`;
  const row = element("tr", { className: own.ok === false ? "out" : "" });
  for (const text of [own.name, own.value === null ? "not measurable" : figure(own.value), bounds]) row.append(element("td", { textContent: text }));
  row.append(element("td", { className: "muted", textContent: own.meaning }));
  return row;
}

function pastLine(own) {
  const when = new Date(own.time);
  const parts = [own.verdict === "none" ? "withdrawn" : own.verdict, own.text && `“${own.text}”`, own.note && `(${own.note})`];
  parts.push(own.reviewer && `by ${own.reviewer}`, Number.isNaN(+when) ? own.time : when.toLocaleString());
  return element("li", { dir: "auto", textContent: parts.filter(Boolean).join(" ") });
}
