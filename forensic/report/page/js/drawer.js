// All that is known of one image: beside the list where there is room, over it where there is none.
const DRAWN_WIDTH = 640;

// The class whose mean lies nearest to the curve, in spreads a bin, and how near.
const nearestOther = (data, row, heights, own) => {
  let best = null;
  const scores = scoresOf(data, row), bands = data.head.spectra;
  const distance = (band) => heights.reduce((sum, y, n) => sum + Math.abs(y - band.mean[n]) / band.spread[n], 0) / heights.length;
  if (scores) {
    const rest = scores.filter(([name]) => name !== bands[own]?.name && bands.some((band) => band.name === name));
    if (!rest.length) return null;
    const [name] = rest.reduce((one, other) => (other[1] > one[1] ? other : one));
    const band = bands.findIndex((one) => one.name === name);
    return { band, distance: distance(bands[band]), how: "next by score" };
  }
  bands.forEach((band, n) => {
    if (n === own || band.mean.length !== heights.length) return;
    const found = { band: n, distance: distance(band), how: "nearest of the others by this curve" };
    if (!best || found.distance < best.distance) best = found;
  });
  return best;
};

const spectrumPart = (data, row) => {
  const part = el("section", "spectrum"), spectrum = spectrumOf(data, row);
  part.append(el("h4", "", "Radial spectrum"));
  if (!spectrum) {
    part.append(el("p", "none", "None is kept."));
    return part;
  }
  const other = spectrum.band === null ? null : nearestOther(data, row, spectrum.heights, spectrum.band);
  const shapes = [draw("use", { href: "#axes" })], key = el("ul", "key-list");
  if (other) shapes.push(draw("use", { href: "#band-" + other.band, class: "other" }));
  if (spectrum.band !== null) shapes.push(draw("use", { href: "#band-" + spectrum.band }));
  shapes.push(draw("path", { class: "own", d: spectrum.curve }), draw("use", { href: "#ticks" }));
  let told = spectrum.told;
  key.append(el("li", "own", "this image"));
  if (spectrum.band !== null) key.append(el("li", "class", data.head.spectra[spectrum.band].name));
  if (other) {
    const name = data.head.spectra[other.band].name;
    key.append(el("li", "other", `${name}, ${other.how}`));
    told += ` From the mean of ${name} it lies ${other.distance.toFixed(1)} spreads away on average.`;
  }
  part.append(draw("svg", { class: "plot", viewBox: `0 0 ${DRAWN_WIDTH} 274`, role: "img", "aria-label": told }, shapes), key, el("p", "told", told));
  return part;
};

const scoresPart = (data, row) => {
  const scores = scoresOf(data, row);
  if (!scores) return [];
  const table = el("table", "scores"), body = el("tbody"), head = el("tr");
  for (const name of ["Class", "Score"]) head.append(attributes(el("th", name === "Score" ? "n" : "", name), { scope: "col" }));
  for (const [name, score] of [...scores].sort((one, other) => other[1] - one[1])) {
    const line = el("tr");
    line.append(attributes(el("th", "", name), { scope: "row" }), el("td", "n", minus(score.toFixed(3))));
    body.append(line);
  }
  const top = el("thead");
  top.append(head);
  table.append(el("caption", "", "Scores of every class"), top, body);
  return [table];
};

const FACTS = [
  ["sha256", "SHA-256"], ["bytes", "Bytes"], ["format", "Format"], ["width", "Width, px"], ["height", "Height, px"],
  ["status", "Status"], ["reason", "Reason"], ["verdict", "Verdict"], ["label", "Class attributed"], ["nearest", "Nearest class"],
  ["score", "Score, in full"], ["threshold", "Threshold, in full"], ["llr", "log10 of the likelihood ratio"], ["p", "p"],
  ["preprocessing", "Preprocessing"], ["weights", "Weights"], ["decoder", "Decoder"], ["engine", "Engine"],
];

const factsPart = (data, row) => {
  const list = el("dl", "facts");
  for (const [name, title] of FACTS) {
    let value = name === "sha256" ? hashOf(data, row) : name in data.tables ? shownOf(data, name, row) : numberOf(data, name, row);
    if (value === null || value === "") continue;
    if (typeof value === "number") value = data.head.integers.includes(name) ? counted(value) : minus(pythonFloat(value));
    const part = el("div");
    part.append(el("dt", "", title), el("dd", name === "sha256" ? "sha" : "", value));
    list.append(part);
  }
  return list;
};

const flagsPart = (data, row) => {
  const list = el("dl", "flags");
  for (const flag of flagsOf(data, row)) list.append(el("dt", "", flag), el("dd", "", data.head.flagNotes[flag.split("=")[0]] ?? ""));
  return list.firstChild ? [el("h4", "", "Flags"), list] : [];
};

const triagePart = (desk, row) => {
  const part = el("section", "marking"), mark = desk.triage.of(row);
  const flag = attributes(button("Flag", "Flag", () => desk.triage.set(row, { flagged: !desk.triage.of(row).flagged })), { "aria-pressed": mark.flagged });
  const grades = attributes(el("span", "grades"), { role: "group", "aria-label": "Grade" });
  for (let grade = 1; grade <= 5; grade++) {
    const act = () => desk.triage.set(row, { grade: desk.triage.of(row).grade === grade ? null : grade });
    grades.append(attributes(button(String(grade), `Grade ${grade}`, act), { "aria-pressed": mark.grade === grade }));
  }
  const field = (tag, title, value, key, take) => {
    const label = el("label", "", title), node = el(tag);
    node.value = value;
    node.dataset.field = key;
    node.addEventListener("input", () => desk.triage.set(row, take(node.value), true));
    label.append(node);
    return label;
  };
  const line = el("p", "buttons");
  line.append(flag, grades);
  part.append(el("h4", "", "Triage"), line,
    field("input", "Tags, with commas between", mark.tags.join(", "), "tags", (text) => ({ tags: tagsFrom(text) })),
    field("textarea", "Note", mark.note, "note", (text) => ({ note: text.trim() })));
  return part;
};

const drawer = (desk) => {
  const node = attributes(el("aside", "drawer"), { "aria-label": "The image in detail", tabindex: "-1" });
  node.hidden = true;
  let row = -1;
  const fill = () => {
    const { data } = desk, path = data.path[row], score = scoreOf(data, row), raw = data.head.base64[row];
    const weighed = weighedOf(data, row);
    const bar = el("div", "bar"), picture = pictureNode(pictureOf(data, row)), title = el("h3", "", path.slice(path.lastIndexOf("/") + 1));
    const link = el("a", "", `No. ${counted(row + 1)}`);
    link.href = "#row=" + (row + 1);
    bar.append(link, button("‹", "Previous image", () => desk.move(-1)), button("›", "Next image", () => desk.move(1)),
      button("Close", "Close the details", () => desk.closeDrawer()));
    picture.classList.add("large");
    const parts = [bar, picture, title, el("p", "path", path)];
    if (raw) parts.push(el("p", "raw", "exact bytes, base64: " + raw));
    const verdict = el("p", "verdict " + stateOf(data, row));
    verdict.append(sign(stateOf(data, row)), " ", saidOf(data, row));
    parts.push(verdict);
    if (weighed) parts.push(el("p", "weighed", weighed));
    if (score) parts.push(...scoreParts(data, row));
    parts.push(triagePart(desk, row), spectrumPart(data, row), ...scoresPart(data, row), ...flagsPart(data, row),
      ...salvagedInFull(data, row), ...claimsInFull(data, row), el("h4", "", "The finding"), factsPart(data, row));
    node.replaceChildren(...parts);
  };
  return {
    node,
    get open() { return !node.hidden; },
    get row() { return node.hidden ? -1 : row; },
    show(wanted) {
      if (row !== wanted || node.hidden) node.scrollTop = 0;
      row = wanted;
      node.hidden = false;
      fill();
    },
    hide() { node.hidden = true; },
    // After a mark changed by button or key: its part anew, with the focus where it was.
    renew() {
      if (node.hidden) return;
      const old = node.querySelector(".marking"), fields = "button, input, textarea";
      const at = [...old.querySelectorAll(fields)].indexOf(document.activeElement), fresh = triagePart(desk, row);
      old.replaceWith(fresh);
      if (at >= 0) fresh.querySelectorAll(fields)[at].focus({ preventScroll: true });
    },
    field: (key) => node.querySelector(`[data-field="${key}"]`),
    spectrum: () => node.querySelector(".spectrum"),
  };
};
