// The chosen rows for other programs: the very lines of JSON that `scan` prints, and CSV as `forensic report` writes it.
const KEYS = ["path", "path_b64", "sha256", "bytes", "format", "width", "height", "status", "reason", "verdict", "label", "nearest",
  "score", "threshold", "scores", "llr", "p", "flags", "preprocessing", "weights", "decoder", "engine", "salvaged", "claims"];
const MAY_LACK = new Set(["path_b64", "scores", "llr", "p", "engine", "salvaged", "claims"]);
const CSV = ["path", "path_b64", "sha256", "bytes", "format", "width", "height", "status", "reason", "verdict", "label", "nearest",
  "score", "threshold", "llr", "p", "flags", "preprocessing", "weights", "decoder", "scores", "claims"];
const csvColumns = (data) => (data.head.salvage ? [...CSV, "salvaged"] : CSV);
const MARKS = ["flagged", "grade", "tags", "note"];
const PIECE = 2_000;  // lines joined at a time

// JSON in ASCII, as Python writes it.
const asciiText = (text) => JSON.stringify(text).replace(/[\u007f-\uffff]/g, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));

const numberText = (data, name, value) => (data.head.integers.includes(name) ? String(value) : pythonFloat(value));

const scoresText = (scores, comma, colon) => "{" + scores.map(([name, score]) => asciiText(name) + colon + pythonFloat(score)).join(comma) + "}";

const rawOf = (data, name, row) => {
  if (name === "path") return exactPath(data, row);
  if (name === "path_b64") return data.head.base64[row] ?? null;
  if (name === "sha256") return hashOf(data, row) || null;
  if (name === "scores") return scoresOf(data, row);
  if (name in data.beside) return besideText(data, name, row);
  return name in data.tables ? valueOf(data, name, row) : numberOf(data, name, row);
};

const jsonLine = (data, row) => {
  const parts = [];
  for (const name of KEYS) {
    const value = rawOf(data, name, row);
    if (value === null && MAY_LACK.has(name)) continue;
    let text = "null";
    if (name === "scores") text = scoresText(value, ", ", ": ");
    else if (name in data.beside) text = value;
    else if (name === "flags") text = `[${value.map(asciiText).join(", ")}]`;
    else if (typeof value === "number") text = numberText(data, name, value);
    else if (value !== null) text = asciiText(value);
    parts.push(`"${name}": ${text}`);
  }
  return `{${parts.join(", ")}}\n`;
};

// A text that a spreadsheet would take for a formula gets an apostrophe before it.
const guarded = (text) => (/^[=+\-@\t\r\n]/.test(text) ? "'" + text : text);
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const base64Of = (text) => {
  const bytes = new TextEncoder().encode(text);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
};

// Without the blanks between its parts, as Python writes it when asked for none.
const compact = (json) => json.replace(/("(?:[^"\\]|\\.)*")|([,:]) /g, (_, text, mark) => text ?? mark);

const csvCell = (data, name, row) => {
  const value = rawOf(data, name, row);
  if (name === "path_b64") return value ?? base64Of(exactPath(data, row));
  if (name === "flags") return guarded(value.join(";"));
  if (name === "claims") return guarded(valueOf(data, "kinds", row).join(";"));
  if (value === null) return "";
  if (name === "scores") return guarded(scoresText(value, ",", ":"));
  if (name === "salvaged") return guarded(compact(value));
  return typeof value === "number" ? numberText(data, name, value) : guarded(value);
};

const csvLine = (desk, row, marked) => {
  const cells = csvColumns(desk.data).map((name) => csvCell(desk.data, name, row));
  if (marked) {
    const mark = desk.triage.of(row);
    cells.push(mark.flagged ? "yes" : "", mark.grade === null ? "" : String(mark.grade), guarded(mark.tags.join(";")), guarded(mark.note));
  }
  return cells.map(quoted).join(",") + "\r\n";
};

const pieces = (rows, line) => {
  const parts = [];
  for (let start = 0; start < rows.length; start += PIECE) parts.push(Array.from(rows.subarray(start, start + PIECE), line).join(""));
  return parts;
};

const exportJson = (desk) =>
  download(`findings-${desk.data.head.report}.jsonl`, "application/jsonl", pieces(desk.choice.found, (row) => jsonLine(desk.data, row)));

const exportCsv = (desk) => {
  const marked = desk.triage.marks.size > 0, head = [...csvColumns(desk.data), ...(marked ? MARKS : [])].join(",") + "\r\n";
  const lines = pieces(desk.choice.found, (row) => csvLine(desk, row, marked));
  download(`findings-${desk.data.head.report}.csv`, "text/csv", [head, ...lines]);
};
