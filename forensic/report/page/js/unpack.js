// The columns of columns.py, back as numbers and text. What is read is taken out of the document.
const take = (id) => {
  const node = byId(id);
  if (!node) return null;
  const text = node.textContent;
  node.remove();
  return text;
};

const bytesOf = (text) => {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const SLICE = 1 << 16, bytes = new Uint8Array(Math.ceil(text.length / 4) * 3);
  let length = 0;
  for (let start = 0; start < text.length; start += SLICE) {
    const part = atob(text.slice(start, start + SLICE));
    for (let n = 0; n < part.length; n++) bytes[length++] = part.charCodeAt(n);
  }
  return bytes.subarray(0, length);
};

const unpacked = async (name) => {
  const text = take("block-" + name);
  if (text === null) return null;
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
};

const linesOf = (buffer) => new TextDecoder().decode(buffer).split("\n");

// Hashes as one text of hex digits, 64 a row, in which a search finds them.
const hexOf = (bytes) => {
  const digits = new TextEncoder().encode("0123456789abcdef"), text = new Uint8Array(2 * bytes.length);
  for (let n = 0; n < bytes.length; n++) {
    text[2 * n] = digits[bytes[n] >> 4];
    text[2 * n + 1] = digits[bytes[n] & 15];
  }
  return new TextDecoder().decode(text);
};

// Everything there is to know of the case: `rows` findings, each column under its name, null where the case has none.
const unpack = async () => {
  const head = JSON.parse(new TextDecoder().decode(await unpacked("head")));
  const data = { head, rows: head.rows, tables: {}, index: {}, beside: {} };
  const numbers = ["bytes", "width", "height", "score", "threshold", "llr", "p"].map(async (name) => {
    const buffer = await unpacked(name);
    data[name] = buffer && new Float64Array(buffer);
  });
  const kinds = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };
  const tables = Object.entries(head.types).map(async ([name, type]) => {
    const index = new kinds[type](await unpacked(name));
    if (!head.tables[name]) {
      data.beside[name] = { index, texts: linesOf(await unpacked(`${name}-texts`)) };
      return;
    }
    const { values, shown } = head.tables[name];
    data.tables[name] = { values, shown: values.map((value, number) => shown[number] ?? value) };
    data.index[name] = index;
  });
  await Promise.all([...numbers, ...tables]);
  data.path = linesOf(await unpacked("path"));
  data.hashes = hexOf(new Uint8Array(await unpacked("sha256")));
  const [spectrum, gap, scores] = await Promise.all(["spectrum", "gap", "scores"].map(unpacked));
  data.spectrum = spectrum && new Uint8Array(spectrum);
  data.gap = gap && linesOf(gap);
  data.scores = scores && new Float64Array(scores);
  data.picture = new Uint32Array(await unpacked("picture"));
  data.pictures = take("pictures");
  placePictures(data);
  return data;
};

// Where each picture begins in the text of all of them, or which cell of the sheets it has.
const IN_SHEET = 0xffffffff;
const placePictures = (data) => {
  data.pictureAt = new Uint32Array(data.rows);
  let start = 0, cell = 0;
  for (let row = 0; row < data.rows; row++) {
    if (data.picture[row] === IN_SHEET) data.pictureAt[row] = cell++;
    else {
      data.pictureAt[row] = start;
      start += data.picture[row];
    }
  }
};
