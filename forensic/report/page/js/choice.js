// Which rows are chosen, in which order, and how many of each value there would be.
const ORDERS = {
  path: ["In path order", null],
  low: ["Lowest score first", (data, row) => data.score?.[row]],
  high: ["Highest score first", (data, row) => -data.score?.[row]],
  near: ["Nearest to the threshold first", (data, row) => Math.abs(data.margin[row])],
  class: ["By class", (data, row) => data.classRank[row]],
  large: ["Largest file first", (data, row) => -data.bytes?.[row]],
};

// Lower-case text of every row, a line each: one search through it instead of one a row.
const searchable = (lines) => {
  const text = lines.join("\n").toLowerCase(), starts = new Uint32Array(lines.length + 1);
  for (let row = 1, at = 0; row < lines.length; row++) starts[row] = at = text.indexOf("\n", at) + 1;
  starts[lines.length] = text.length + 1;
  return { text, starts };
};

const searchLines = ({ text, starts }, word, hit) => {
  let row = 0;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, starts[row])) {
    while (starts[row + 1] <= at) row++;
    hit(row++);
    if (row >= starts.length - 1) return;
  }
};

const choice = (data, facets) => {
  const paths = searchable(data.path), orders = new Map();
  const tables = ["reason", "format", "flags", "label", "nearest", "decoder"];
  const state = { query: "", order: "path", found: new Uint32Array(0), ids: paths };
  // Rows in which every word of the query stands: in the path, the hash, the verdict, or a value of a table.
  const worded = (query) => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return null;
    let left = null;
    for (const word of words) {
      const hits = new Uint8Array(data.rows);
      searchLines(paths, word, (row) => { hits[row] = 1; });
      for (const name of tables) {
        const holds = data.tables[name].shown.map((value) => value !== null && String(value).toLowerCase().includes(word));
        if (holds.some(Boolean)) for (let row = 0; row < data.rows; row++) if (holds[data.index[name][row]]) hits[row] = 1;
      }
      if (/^[0-9a-f]{4,64}$/.test(word)) {
        for (let at = data.hashes.indexOf(word); at >= 0; at = data.hashes.indexOf(word, at + 1)) {
          if ((at % 64) + word.length <= 64) hits[Math.floor(at / 64)] = 1;
        }
      }
      if (left) for (let row = 0; row < data.rows; row++) hits[row] &= left[row];
      left = hits;
    }
    return left;
  };

  const ordered = (name) => {
    if (!orders.has(name)) {
      const rows = Uint32Array.from({ length: data.rows }, (_, row) => row), key = ORDERS[name][1];
      if (key) {
        const keys = Float64Array.from(rows, (row) => key(data, row) ?? NaN).map((value) => (Number.isNaN(value) ? Infinity : value));
        rows.sort((one, other) => (keys[one] === keys[other] ? one - other : keys[one] < keys[other] ? -1 : 1));
      }
      orders.set(name, rows);
    }
    return orders.get(name);
  };

  // The orders are sorted while nothing else happens, so that choosing one does not wait for it.
  state.prepare = () => {
    const left = Object.keys(ORDERS).find((name) => !orders.has(name));
    if (!left || !globalThis.requestIdleCallback) return;
    requestIdleCallback(() => {
      ordered(left);
      state.prepare();
    });
  };

  // Column by column: one plain loop over all rows each, which is what makes a filter quick.
  const failures = new Uint8Array(data.rows), failed = new Uint8Array(data.rows);
  // `countOnly` leaves the rows as they are: a mark changes counts, but takes no row from under the reader's eyes.
  state.apply = (countOnly = false) => {
    const texts = worded(state.query), rest = facets.length;
    if (texts) for (let row = 0; row < data.rows; row++) failures[row] = texts[row] ? 0 : 2;
    else failures.fill(0);
    failed.fill(rest);
    facets.forEach(({ ids, groups, chosen }, n) => {
      if (!chosen.size) return;
      const passes = Uint8Array.from(groups, (values) => (values.some((value) => chosen.has(value)) ? 1 : 0));
      for (let row = 0; row < data.rows; row++) {
        if (passes[ids[row]]) continue;
        failures[row]++;
        failed[row] = n;
      }
    });
    let count = 0;
    for (let row = 0; row < data.rows; row++) if (failures[row] === 0) count++;
    const sums = facets.map(({ ids, groups }, n) => {
      const sum = new Uint32Array(groups.length);
      for (let row = 0; row < data.rows; row++) {
        if (failures[row] === 0 || (failures[row] === 1 && failed[row] === n)) sum[ids[row]]++;
      }
      return sum;
    });
    // A value's count is what choosing it would show, with every other facet as it is.
    facets.forEach((one, n) => {
      one.counts = new Uint32Array(one.labels.length);
      one.groups.forEach((values, group) => { for (const value of values) one.counts[value] += sums[n][group]; });
    });
    if (countOnly) return;
    const rows = ordered(state.order);
    state.found = new Uint32Array(count);
    for (let n = 0, at = 0; n < rows.length; n++) if (failures[rows[n]] === 0) state.found[at++] = rows[n];
  };
  return state;
};
