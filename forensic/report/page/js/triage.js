// What the reader marks: a flag, a grade from 1 to 5, tags, a note. docs/triage.md is the format of the saved file.
const TRIAGE = { format: "forensic-triage", version: 1 };
const UNMARKED = Object.freeze({ flagged: false, grade: null, tags: Object.freeze([]), note: "" });

const isMarked = (mark) => mark.flagged || mark.grade !== null || mark.tags.length > 0 || mark.note !== "";

const tagsFrom = (text) => [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))].sort(byName);

const exactPath = (data, row) => data.head.exact[row] ?? data.path[row];

const triage = (desk) => {
  const { data } = desk, marks = new Map(), place = "forensic triage " + data.head.digest;
  const kept = { by: "", loses: false };

  const facetOf = () => {
    const names = ["unmarked"], at = new Map([["unmarked", 0]]), groups = [[0]], ids = new Uint32Array(data.rows);
    const add = (name) => {
      if (!at.has(name)) at.set(name, names.push(name) - 1);
      return at.get(name);
    };
    for (const name of ["flagged", "grade 5", "grade 4", "grade 3", "grade 2", "grade 1", "with a note"]) add(name);
    for (const [row, mark] of marks) {
      const values = mark.tags.map((tag) => "tag " + visible(tag));
      if (mark.flagged) values.push("flagged");
      if (mark.grade !== null) values.push("grade " + mark.grade);
      if (mark.note) values.push("with a note");
      ids[row] = groups.push(values.map(add)) - 1;
    }
    const made = facet("triage", "Triage", names, ids, groups);
    return made;
  };

  // The facet's values change with the marks; what was chosen stays chosen by its name.
  const renew = () => {
    const old = desk.facets[desk.facets.length - 1], fresh = facetOf();
    if (old.key === "triage") {
      for (const value of old.chosen) {
        const number = fresh.labels.indexOf(old.labels[value]);
        if (number >= 0) fresh.chosen.add(number);
      }
      Object.assign(old, fresh);
    } else desk.facets.push(fresh);
  };

  const entries = () => [...marks].sort(([one], [other]) => one - other).map(([row, mark]) => ({
    seq: row,
    path: exactPath(data, row),
    ...(data.head.base64[row] ? { path_b64: data.head.base64[row] } : {}),
    sha256: hashOf(data, row) || null,
    ...mark,
  }));
  const whole = () => ({
    ...TRIAGE,
    case: { digest: data.head.digest, complete: data.head.complete, findings: data.rows },
    report: data.head.report,
    by: kept.by,
    entries: entries(),
  });

  let waiting = 0;
  const keep = () => {
    clearTimeout(waiting);
    waiting = 0;
    try {
      localStorage.setItem(place, JSON.stringify(whole()));
      kept.loses = false;
    } catch {
      kept.loses = true;
    }
  };

  // Takes a saved file; what it says of a row that differs from this case is counted and left aside.
  const read = (text) => {
    const saved = JSON.parse(text);
    if (saved?.format !== TRIAGE.format || saved.version !== TRIAGE.version) throw new Error("this is no triage file of version 1");
    if (saved.case?.digest !== data.head.digest) throw new Error("it belongs to another case: its digest differs");
    let taken = 0, left = 0;
    for (const entry of Array.isArray(saved.entries) ? saved.entries : []) {
      const row = entry?.seq, grade = entry?.grade ?? null;
      const fits = Number.isInteger(row) && row >= 0 && row < data.rows && entry.path === exactPath(data, row) &&
        (entry.sha256 ?? "") === hashOf(data, row) && (grade === null || [1, 2, 3, 4, 5].includes(grade));
      if (!fits) {
        left++;
        continue;
      }
      marks.set(row, {
        flagged: entry.flagged === true, grade, tags: tagsFrom((Array.isArray(entry.tags) ? entry.tags : []).join(",")),
        note: String(entry.note ?? ""), changed: String(entry.changed ?? ""),
      });
      taken++;
    }
    kept.by = String(saved.by ?? "") || kept.by;
    renew();
    return { taken, left };
  };

  try {
    const stored = localStorage.getItem(place);
    if (stored) read(stored);
  } catch {
    kept.loses = true;
  }
  renew();
  addEventListener("pagehide", () => waiting && keep());
  return {
    marks,
    kept,
    whole,
    of: (row) => marks.get(row) ?? UNMARKED,
    // `written`: by typing in a field of the drawer, which then stays as it is, and the browser's copy waits a moment.
    set(row, change, written = false) {
      const mark = { ...(marks.get(row) ?? UNMARKED), ...change };
      delete mark.changed;
      if (isMarked(mark)) marks.set(row, { ...mark, changed: new Date().toISOString().slice(0, 19) + "Z" });
      else marks.delete(row);
      renew();
      if (written) waiting ||= setTimeout(keep, 400);
      else keep();
      desk.marked(written);
    },
    sign(name) {
      kept.by = name;
      keep();
    },
    load(text) {
      const result = read(text);
      keep();
      return result;
    },
    save: () => download(`triage-${data.head.report}.json`, "application/json", [JSON.stringify(whole(), null, 1) + "\n"]),
  };
};

const marksNode = (desk, row) => {
  const mark = desk.triage.of(row), node = el("span", "marks");
  if (mark.flagged) node.append(el("b", "flag", "flagged"));
  if (mark.grade !== null) node.append(el("b", "", "grade " + mark.grade));
  for (const tag of mark.tags) node.append(el("b", "", visible(tag)));
  if (mark.note) node.append(el("b", "", "note"));
  return node;
};
