// A row of the table, element by element as html.py writes it; a test compares the two.
const cell = (name, ...children) => {
  const node = el("td", name);
  node.setAttribute("role", "cell");
  node.append(...children);
  return node;
};

const pictureNode = ({ address, sheet, columns, column, line }) => {
  if (address) return attributes(el("img"), { alt: "", src: address });
  const node = el("i");
  if (sheet) {
    node.className = "cell";
    node.style.backgroundImage = `url("${sheet}")`;
    node.style.backgroundSize = `${100 * columns}%`;
    node.style.backgroundPosition = `${(100 * column) / (columns - 1)}% ${(100 * line) / (columns - 1)}%`;
  }
  return node;
};

const fileParts = (data, row) => {
  const path = data.path[row], raw = data.head.base64[row], about = aboutOf(data, row), sha = hashOf(data, row);
  const parts = [el("p", "name", path.slice(path.lastIndexOf("/") + 1)), el("p", "path", path)];
  if (raw) parts.push(el("p", "raw", "exact bytes, base64: " + raw));
  if (about) parts.push(el("p", "about", about));
  if (sha) parts.push(el("p", "sha", sha));
  const flags = flagsOf(data, row);
  if (flags.length) {
    const list = el("ul", "flagged");
    list.append(...flags.map((flag) => el("li", "", flag)));
    parts.push(list);
  }
  return [...parts, ...claimsPart(data, row)];
};

const scoreParts = (data, row) => {
  const score = scoreOf(data, row);
  if (!score) return [el("span", "none", "no score")];
  const numbers = el("p", "numbers");
  numbers.append(el("b", "", score.score), " ", el("span", "", "threshold " + score.threshold));
  return [numbers, draw("svg", { class: "scale", viewBox: "0 0 200 28", "aria-hidden": "true" }, [
    draw("path", { class: "line", d: "M4 14H196" }),
    draw("path", { class: "above", d: `M${score.at} 14H196` }),
    draw("path", { class: "limit", d: `M${score.at} 3V25` }),
    draw("path", { class: "mark " + stateOf(data, row), d: score.mark }),
  ])];
};

const spectrumParts = (data, row) => {
  const spectrum = spectrumOf(data, row);
  if (!spectrum) return [el("span", "none", "none kept")];
  const shapes = [draw("use", { href: "#axes" })];
  if (spectrum.band !== null) shapes.push(draw("use", { href: "#band-" + spectrum.band }));
  shapes.push(draw("path", { class: "own", d: spectrum.curve }));
  const plot = { class: "plot", viewBox: "0 0 640 244", role: "img", "aria-label": spectrum.told };
  return [draw("svg", plot, shapes), el("p", "against", spectrum.against)];
};

const verdictParts = (data, row) => {
  const parts = [sign(stateOf(data, row)), el("p", "said", saidOf(data, row))], weighed = weighedOf(data, row);
  if (weighed) parts.push(el("p", "weighed", weighed));
  return [...parts, ...salvagedPart(data, row)];
};

const buildRow = (data, row) => {
  const line = el("tr", stateOf(data, row));
  attributes(line, { role: "row", id: "row-" + (row + 1) });
  line.append(
    cell("no", String(row + 1)),
    cell("pic", pictureNode(pictureOf(data, row))),
    cell("file", ...fileParts(data, row)),
    cell("verdict", ...verdictParts(data, row)),
    cell("score", ...scoreParts(data, row)),
    cell("spectrum", ...spectrumParts(data, row)),
  );
  return line;
};
