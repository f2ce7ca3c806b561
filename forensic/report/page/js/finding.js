// One finding in words and drawings, as view.py tells it.
const STATES = ["known", "unknown", "unreadable", "skipped"];
const WIDE = 200, FIRST_BIN = 2, OVERSHOOT = 5;

const valueOf = (data, name, row) => data.tables[name].values[data.index[name][row]];
const shownOf = (data, name, row) => data.tables[name].shown[data.index[name][row]];
const numberOf = (data, name, row) => (data[name] === null || Number.isNaN(data[name][row]) ? null : data[name][row]);

const stateOf = (data, row) => {
  const status = valueOf(data, "status", row);
  return status === "ok" ? valueOf(data, "verdict", row) ?? status : status;
};

const classOf = (data, row) => shownOf(data, "label", row) ?? shownOf(data, "nearest", row);
const flagsOf = (data, row) => shownOf(data, "flags", row);

const NO_HASH = "0".repeat(64);
const hashOf = (data, row) => {
  const text = data.hashes.slice(64 * row, 64 * row + 64);
  return text === NO_HASH ? "" : text;
};

const saidOf = (data, row) => {
  const state = stateOf(data, row);
  if (state === "known") return "attributed to class " + (shownOf(data, "label", row) ?? "");
  if (state === "unknown") return "attributed to no known class; nearest is " + (shownOf(data, "nearest", row) ?? "none");
  return shownOf(data, "reason", row) ?? "no reason was recorded";
};

// What a calibration says beside the verdict; empty without one.
const weighedOf = (data, row) => (data.tables.weighed ? shownOf(data, "weighed", row) : "");

const aboutOf = (data, row) => {
  const parts = [], width = numberOf(data, "width", row), height = numberOf(data, "height", row);
  const format = shownOf(data, "format", row), bytes = numberOf(data, "bytes", row);
  if (format) parts.push(format);
  if (width !== null && height !== null) parts.push(`${width} × ${height} px`);
  if (bytes !== null) parts.push(`${counted(bytes)} bytes`);
  return parts.join(" · ");
};

// A float as Python writes it: the shortest digits that read back as the same number.
const pythonFloat = (number) => {
  if (number === 0) return Object.is(number, -0) ? "-0.0" : "0.0";
  const [digits, power] = number.toExponential().split("e"), exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  return Number.isInteger(number) ? `${number}.0` : String(number);
};

const minus = (text) => text.replaceAll("-", "−");

// Both numbers with three decimals, or with as many more as it takes to tell them apart.
const toldApart = (score, threshold) => {
  for (let decimals = 3; decimals < 17; decimals++) {
    const told = [score.toFixed(decimals), threshold.toFixed(decimals)];
    if (told[0] !== told[1] || score === threshold) return told.map(minus);
  }
  return [pythonFloat(score), pythonFloat(threshold)].map(minus);
};

const scoreOf = (data, row) => {
  const score = numberOf(data, "score", row), threshold = numberOf(data, "threshold", row);
  if (score === null || threshold === null) return null;
  const [low, high] = data.head.scale;
  const place = (value) => Math.floor(8.5 + Math.min(Math.max((value - low) / (high - low), 0), 1) * (WIDE - 16));
  const x = place(score), told = toldApart(score, threshold);
  let mark = `M${x} 7L${x + 7} 14L${x} 21L${x - 7} 14Z`;
  if (score < low || score > high) {
    mark = x > WIDE / 2 ? `M${x - 6} 8L${x - 6} 20L${x + 6} 14Z` : `M${x + 6} 8L${x + 6} 20L${x - 6} 14Z`;
  } else if (stateOf(data, row) === "known") mark = `M${x - 6} 14a6 6 0 1 0 12 0a6 6 0 1 0-12 0Z`;
  return { score: told[0], threshold: told[1], at: place(threshold), mark };
};

// Heights of the curve, one a bin from the first that is drawn; null where no spectrum is kept.
const heightsOf = (data, row) => {
  const bins = data.head.bins - FIRST_BIN;
  if (!data.spectrum || bins <= 0 || !data.spectrum[bins * row]) return null;
  const heights = new Array(bins);
  for (let n = 0, at = 0; n < bins; n++) {
    at = (at + data.spectrum[bins * row + n]) & 255;
    heights[n] = at - OVERSHOOT - 1;
  }
  return heights;
};

const curveOf = (heights) => {
  const step = 640 / (heights.length + FIRST_BIN), x = (n) => Math.floor(step * (FIRST_BIN + n) + 0.5);
  let path = `M${x(0)} ${heights[0]}l`;
  for (let n = 1; n < heights.length; n++) {
    const dx = x(n) - x(n - 1), dy = heights[n] - heights[n - 1];
    path += `${n > 1 ? " " : ""}${dx}${dy < 0 ? "" : " "}${dy}`;
  }
  return path;
};

const spectrumOf = (data, row) => {
  const heights = heightsOf(data, row);
  if (!heights) return null;
  const name = valueOf(data, "label", row) ?? valueOf(data, "nearest", row);
  const band = data.head.spectra.findIndex((one) => one.name === name), curve = curveOf(heights);
  if (!data.gap[row] || band < 0) {
    const told = "Radial spectrum, without a class to compare with.";
    return { heights, curve, band: null, against: "no class spectrum to compare with", told };
  }
  const [within, largest, spreads, , frequency] = data.gap[row].split(",").map(Number), far = Math.abs(largest);
  const against = `against ${stateOf(data, row) === "known" ? "class" : "nearest class"} ${classOf(data, row)}`;
  const told = `Radial spectrum ${against}: within one spread of its mean at ${within} of ${heights.length} frequencies; ` +
    `farthest ${Math.floor(far / 100)}.${String(far % 100).padStart(2, "0")} decades ` +
    `(${Math.floor(spreads / 10)}.${spreads % 10} spreads) ${largest >= 0 ? "above" : "below"} it, ` +
    `at 0.${String(frequency).padStart(3, "0")} cycles a pixel.`;
  return { heights, curve, band, against, told };
};

// The thumbnail: an address in this page, a cell of a sheet beside it, or none.
const pictureOf = (data, row) => {
  if (row < data.plainPictures.length) return { address: data.plainPictures[row] };
  if (data.picture[row] === IN_SHEET) {
    const { prefix, columns } = data.head.sheets, inOne = columns * columns, at = data.pictureAt[row] % inOne;
    const sheet = `${data.folder}/${prefix}${Math.floor(data.pictureAt[row] / inOne)}.webp`;
    return { sheet, columns, column: at % columns, line: Math.floor(at / columns) };
  }
  if (!data.picture[row]) return {};
  const start = data.pictureAt[row];
  return { address: "data:image/webp;base64," + data.pictures.slice(start, start + data.picture[row]) };
};

const scoresOf = (data, row) => {
  if (data.head.oddScores[row]) return Object.entries(data.head.oddScores[row]);
  const names = data.head.scoreNames, start = names.length * row;
  if (!data.scores || Number.isNaN(data.scores[start])) return null;
  return names.map((name, n) => [name, data.scores[start + n]]);
};
