// Elements. Text enters by textContent alone, here and nowhere else, so that nothing from evidence is ever markup.
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

const el = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

const draw = (tag, attributes, children = []) => {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const attributes = (node, values) => {
  for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
  return node;
};

const button = (text, label, act) => {
  const node = el("button", "", text);
  node.type = "button";
  if (label !== text) node.setAttribute("aria-label", label);
  node.addEventListener("click", act);
  return node;
};

const THOUSANDS = new Intl.NumberFormat("en");
const counted = (number) => THOUSANDS.format(number);

const sign = (state) => {
  const node = el("span", "sign");
  node.append(draw("svg", { "aria-hidden": "true" }, [draw("use", { href: "#sign-" + state })]), state);
  return node;
};

// A file for the reader to keep; it never leaves the machine.
const download = (name, type, parts) => {
  const link = el("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};
