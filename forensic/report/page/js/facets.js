// What rows can be chosen by. A facet gives each row a group, and each group the values that it holds: one for a class,
// several for flags and for a folder below others. Choosing and counting then work on groups.
const facet = (key, title, labels, ids, groups) =>
  ({ key, title, labels, ids: ids instanceof Uint32Array ? ids : Uint32Array.from(ids), groups, chosen: new Set(), counts: [] });

const single = (data, key, title, labels, valueAt) => {
  const ids = new Uint32Array(data.rows);
  for (let row = 0; row < data.rows; row++) ids[row] = valueAt(row);
  return facet(key, title, labels, ids, labels.map((_, n) => [n]));
};

// Groups from a table of lists of names.
const several = (key, title, ids, lists, order) => {
  const labels = [...new Set(lists.flat())].sort(order), at = new Map(labels.map((label, n) => [label, n]));
  return facet(key, title, labels, ids, lists.map((list) => list.map((label) => at.get(label))));
};

const byName = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

const classFacet = (data) => {
  const names = new Map(), ids = new Uint32Array(data.rows), lists = [];
  for (let row = 0; row < data.rows; row++) {
    const name = classOf(data, row) ?? "";
    if (!names.has(name)) {
      names.set(name, lists.length);
      lists.push([name || "no class"]);
    }
    ids[row] = names.get(name);
  }
  const made = several("class", "Class", ids, lists, byName);
  data.classRank = Uint32Array.from(ids, (group) => made.groups[group][0]);
  return made;
};

// A step of 1, 2 or 5 times a power of ten that cuts the scores of a case, less their threshold, into about ten bands.
const BANDS = 10;
const bandFacet = (data) => {
  const margins = new Float64Array(data.rows).fill(NaN), sorted = [];
  for (let row = 0; data.score && row < data.rows; row++) {
    margins[row] = data.score[row] - data.threshold[row];
    if (!Number.isNaN(margins[row])) sorted.push(margins[row]);
  }
  const inner = Float64Array.from(sorted).sort(), cut = Math.floor(inner.length / 100);
  const low = Math.min(inner[cut] ?? 0, 0), high = Math.max(inner[inner.length - 1 - cut] ?? 1, 0);
  const rough = (high - low) / BANDS || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((times) => times * power >= rough * 0.999);
  const first = Math.floor(low / step), last = Math.max(Math.ceil(high / step), first + 1), labels = [];
  const told = (n) => minus(String(Number((n * step).toPrecision(6))));
  for (let n = last - 1; n >= first; n--) {
    const side = n >= 0 ? "above" : "below", [near, far] = n >= 0 ? [n, n + 1] : [-n - 1, -n];
    const open = n === last - 1 || n === first;
    labels.push(open ? `${told(near)} or more ${side} the threshold` : `${told(near)} to ${told(far)} ${side} the threshold`);
  }
  labels.push("no score");
  data.margin = margins;
  return single(data, "band", "Score", labels, (row) => {
    if (Number.isNaN(margins[row])) return labels.length - 1;
    return last - 1 - Math.min(Math.max(Math.floor(margins[row] / step), first), last - 1);
  });
};

// A folder holds what is below it too.
const folderFacet = (data) => {
  const folders = new Map(), ids = new Uint32Array(data.rows), lists = [];
  for (let row = 0; row < data.rows; row++) {
    const folder = data.path[row].slice(0, data.path[row].lastIndexOf("/") + 1);
    if (!folders.has(folder)) {
      folders.set(folder, lists.length);
      const above = [];
      for (let end = folder.indexOf("/", 1); end >= 0; end = folder.indexOf("/", end + 1)) above.push(folder.slice(0, end + 1));
      lists.push(above.length ? above : ["(no folder)"]);
    }
    ids[row] = folders.get(folder);
  }
  return several("folder", "Folder", ids, lists, byName);
};

const flagFacet = (data) => {
  const lists = data.tables.flags.shown.map((flags) => [...new Set(flags.map((flag) => flag.split("=")[0]))]);
  return several("flag", "Flag", data.index.flags, lists.map((list) => (list.length ? list : ["no flag"])), byName);
};

const formatFacet = (data) =>
  several("format", "Format", data.index.format, data.tables.format.shown.map((name) => [name ?? "not told"]), byName);

const claimsFacet = (data) =>
  several("claims", "Claims", data.index.kinds, data.tables.kinds.shown.map((kinds) => (kinds.length ? kinds : ["no claims"])), byName);

const facetsOf = (data) => [
  single(data, "verdict", "Verdict", STATES, (row) => STATES.indexOf(stateOf(data, row))),
  classFacet(data), bandFacet(data), formatFacet(data), folderFacet(data), flagFacet(data), claimsFacet(data),
];
