// What stands beside a finding: claims that the file carries, and what was salvaged of a truncated picture. beside.py says
// the same in the same words.
const CLAIMS_TITLE = "Claims carried by the file, no part of the verdict";
const CLAIMS_NOTE = "What the file says of itself. Anybody can write, change or remove it, and its absence means nothing. " +
  "`forensic provenance` tells it whole and checks signatures.";
const MOST_CLAIMS = 4, MOST_CHARACTERS = 120;
const CLAIM_STATES = new Map([["unsigned", "unsigned claim"], ["present-not-checked", "signature not checked"],
  ["unreadable", "unreadable"], ["not-kept", "not kept"]]);

// Texts come as they are in the file: what the eye would not see is written out, as escaping.py does.
const HIDDEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu;
const visible = (text) => text.replace(HIDDEN, (one) => {
  const point = one.codePointAt(0), hex = (number, digits) => number.toString(16).padStart(digits, "0");
  if (point >= 0xdc80 && point <= 0xdcff) return "\\x" + hex(point - 0xdc00, 2);
  if (point <= 0xff) return "\\x" + hex(point, 2);
  return point <= 0xffff ? "\\u" + hex(point, 4) : "\\U" + hex(point, 8);
});

const besideText = (data, name, row) => data.beside[name].texts[data.beside[name].index[row]] || null;
const besideOf = (data, name, row) => JSON.parse(besideText(data, name, row));
const claimState = (claim) => CLAIM_STATES.get(claim.state) ?? claim.state;

const claimItem = (kind, text, about) => {
  const node = el("li");
  if (kind) node.append(el("b", "", kind), " ");
  node.append(el("span", "", text));
  if (about) node.append(" ", el("i", "", about));
  return node;
};

const claimsPart = (data, row) => {
  const claims = besideOf(data, "claims", row);
  if (!claims) return [];
  const part = el("div", "claims"), list = el("ul");
  for (const claim of claims.slice(0, MOST_CLAIMS)) {
    const letters = [...visible(claim.value ?? claim.says)];
    const text = letters.length <= MOST_CHARACTERS ? letters.join("") : letters.slice(0, MOST_CHARACTERS).join("") + "…";
    list.append(claimItem(visible(claim.kind), text, `${claimState(claim)}, ${visible(claim.place)}`));
  }
  if (claims.length > MOST_CLAIMS) list.append(claimItem("", `and ${claims.length - MOST_CLAIMS} more`, ""));
  part.append(el("p", "", CLAIMS_TITLE), list);
  return [part];
};

const salvagedWords = (part) => {
  if (part.score === null || part.threshold === null) {
    const reason = visible(part.reason ?? "no reason was recorded");
    return reason.slice(0, 1).toUpperCase() + reason.slice(1);
  }
  const said = part.verdict === "known" ? `attributed to class ${visible(part.label ?? "")}` :
    `attributed to no known class, nearest is ${visible(part.nearest ?? "none")}`;
  const [score, threshold] = toldApart(part.score, part.threshold);
  return `Salvaged part, in no count: ${counted(part.rows)} of ${counted(part.of_rows ?? 0)} rows, ${said}; score ${score}, threshold ${threshold}`;
};

const salvagedPart = (data, row) => {
  const part = besideOf(data, "salvaged", row);
  return part ? [el("p", "salvaged", salvagedWords(part))] : [];
};

// In the details: every claim with its words, its value and its place.
const claimsInFull = (data, row) => {
  const claims = besideOf(data, "claims", row);
  if (!claims) return [];
  const part = el("section", "claimed"), list = el("dl", "carried");
  for (const claim of claims) {
    const facts = el("dd"), value = claim.value === null ? null : visible(claim.value);
    list.append(el("dt", "", visible(claim.kind)), facts);
    facts.append(el("p", "state", `${claimState(claim)}: ${visible(claim.says)}`));
    if (value !== null) facts.append(el("p", "value", value));
    if (claim.value_sha256) facts.append(el("p", "sha", `cut; all ${counted(claim.value_bytes)} bytes have the SHA-256 ${claim.value_sha256}`));
    facts.append(el("p", "place", `${visible(claim.place)}, read by ${visible(claim.reader)}`));
  }
  part.append(el("h4", "", CLAIMS_TITLE), el("p", "aside", CLAIMS_NOTE), list);
  return [part];
};

const SALVAGED_FACTS = [
  ["rows", "Rows that are there"], ["of_rows", "Rows by the header"], ["width", "Width, px"], ["height", "Height, px"],
  ["verdict", "Verdict"], ["label", "Class attributed"], ["nearest", "Nearest class"], ["score", "Score, in full"],
  ["threshold", "Threshold, in full"], ["decoder", "Decoder"], ["engine", "Engine"],
];

const salvagedInFull = (data, row) => {
  const found = besideOf(data, "salvaged", row);
  if (!found) return [];
  const part = el("section", "claimed"), list = el("dl", "facts");
  const fact = (title, value) => {
    const node = el("div");
    node.append(el("dt", "", title), el("dd", "", value));
    list.append(node);
  };
  for (const [name, title] of SALVAGED_FACTS) {
    const value = found[name];
    if (value === null) continue;
    if (name === "score" || name === "threshold") fact(title, minus(pythonFloat(value)));
    else fact(title, typeof value === "number" ? counted(value) : visible(value));
  }
  if (found.flags.length) fact("Flags", visible(found.flags.join(", ")));
  for (const [name, score] of Object.entries(found.scores ?? {})) fact(`Score of ${visible(name)}`, minus(score.toFixed(3)));
  part.append(el("h4", "", "What is left of it"), el("p", "aside", salvagedWords(found)), list);
  return [part];
};
