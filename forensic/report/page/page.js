"use strict";
// Paging, filters, search and the large spectrum. Without this script the page shows its plain rows, in order.
// Text enters by textContent only; rows from the packed block are built element by element, as html.py builds them.
(async () => {
  const SVG = "http://www.w3.org/2000/svg", PAGE = 100;
  const byId = (id) => document.getElementById(id);
  const list = byId("list");

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

  const cell = (name, ...children) => {
    const node = el("td", name);
    node.setAttribute("role", "cell");
    node.append(...children);
    return node;
  };
  const fileParts = (row) => {
    const parts = [el("p", "name", row.name), el("p", "path", row.path)];
    if (row.raw) parts.push(el("p", "raw", "exact bytes, base64: " + row.raw));
    if (row.about) parts.push(el("p", "about", row.about));
    if (row.sha) parts.push(el("p", "sha", row.sha));
    if (row.flags.length) {
      const flags = el("ul", "flagged");
      flags.append(...row.flags.map((flag) => el("li", "", flag)));
      parts.push(flags);
    }
    return parts;
  };
  const scoreParts = (row) => {
    if (!row.score) return [el("span", "none", "no score")];
    const numbers = el("p", "numbers");
    numbers.append(el("b", "", row.score), " ", el("span", "", "threshold " + row.threshold));
    return [numbers, draw("svg", { class: "scale", viewBox: "0 0 200 28", "aria-hidden": "true" }, [
      draw("path", { class: "line", d: "M4 14H196" }),
      draw("path", { class: "above", d: `M${row.at} 14H196` }),
      draw("path", { class: "limit", d: `M${row.at} 3V25` }),
      draw("path", { class: "mark " + row.state, d: row.mark }),
    ])];
  };
  const spectrumParts = (row) => {
    if (!row.curve) return [el("span", "none", "none kept")];
    const shapes = [draw("use", { href: "#axes" })];
    if (row.band !== null) shapes.push(draw("use", { href: "#band-" + row.band }));
    shapes.push(draw("path", { class: "own", d: row.curve }));
    const plot = { class: "plot", viewBox: "0 0 640 260", role: "img", "aria-label": row.told };
    return [draw("svg", plot, shapes), el("p", "against", row.against)];
  };
  const build = (row) => {
    const line = el("tr", row.state);
    line.setAttribute("role", "row");
    line.id = "row-" + row.number;
    line.dataset.class = row.of;
    line.dataset.score = row.value;
    const picture = row.picture ? el("img") : el("i");
    if (row.picture) {
      picture.alt = "";
      picture.src = "data:image/webp;base64," + row.picture;
    }
    const sign = el("span", "sign");
    sign.append(draw("svg", { "aria-hidden": "true" }, [draw("use", { href: "#sign-" + row.state })]), row.state);
    line.append(
      cell("no", String(row.number)), cell("pic", picture), cell("file", ...fileParts(row)),
      cell("verdict", sign, el("p", "said", row.said)), cell("score", ...scoreParts(row)),
      cell("spectrum", ...spectrumParts(row)));
    return line;
  };

  // One entry a row: what filters and sorts it, and a way to its element.
  const entries = [...list.rows].map((node) => ({
    number: Number(node.id.slice(4)), state: node.className, of: node.dataset.class,
    value: node.dataset.score,
    text: [".path", ".sha", ".said", ".flagged", ".about"].map((part) => node.querySelector(part)?.textContent ?? "").join(" ").toLowerCase(),
    node: () => node,
  }));
  const tools = document.querySelector(".tools");
  const packed = byId("packed");
  if (packed) {
    try {
      const pictures = byId("pictures").textContent;
      const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
      const plain = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
      let before = 0;
      for (const data of await plain.json()) {
        const [number, state, name, path, raw, about, sha, flags, said, of, value, score, threshold, at, mark, curve, band,
          against, told, length] = data;
        const start = before;
        before += length;
        entries.push({
          number, state, of, value,
          text: [path, sha, said, flags.join(" "), about].join(" ").toLowerCase(),
          node: () => build({
            number, state, name, path, raw, about, sha, flags, said, of, value, score, threshold, at, mark, curve, band,
            against, told, picture: pictures.slice(start, start + length) }),
        });
      }
    } catch (error) {
      const note = el("p", "banner", "This browser could not unpack the rows after the first " + entries.length + ": " + error.message);
      tools.before(note);
    }
  }

  const select = (label, options) => {
    const node = el("select");
    node.setAttribute("aria-label", label);
    for (const [value, text] of options) node.append(new Option(text, value));
    return node;
  };
  const button = (text, label, act) => {
    const node = el("button", "", text);
    node.type = "button";
    node.setAttribute("aria-label", label);
    node.addEventListener("click", act);
    return node;
  };
  const search = el("input");
  search.type = "search";
  search.placeholder = "Search path, hash, flag, reason  ( / )";
  search.setAttribute("aria-label", "Search all rows by path, hash, flag or reason");
  const count = (test) => entries.filter(test).length.toLocaleString("en");
  const states = ["known", "unknown", "unreadable", "skipped"].filter((s) => entries.some((e) => e.state === s));
  const byState = select("Verdict or outcome", [["", "All outcomes"], ...states.map((s) => [s, `${s} (${count((e) => e.state === s)})`])]);
  const classes = [...new Set(entries.map((e) => e.of).filter(Boolean))].sort();
  const byClass = select("Class attributed or nearest", [["", "All classes"], ...classes.map((c) => [c, `${c} (${count((e) => e.of === c)})`])]);
  const order = select("Order", [["path", "In path order"], ["low", "Lowest score first"], ["high", "Highest score first"]]);
  const shown = el("span", "shown");
  shown.setAttribute("role", "status");
  let found = entries, page = 0;
  const previous = button("‹ Previous", "Previous rows", () => show(page - 1, true));
  const next = button("Next ›", "Next rows", () => show(page + 1, true));

  const show = (wanted, jump) => {
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    page = Math.min(Math.max(wanted, 0), last);
    const part = found.slice(page * PAGE, (page + 1) * PAGE);
    list.replaceChildren(...part.map((entry) => entry.node()));
    for (const small of list.querySelectorAll(".plot")) small.setAttribute("tabindex", "0");
    shown.textContent = found.length === 0 ? "No row fits" :
      `${(page * PAGE + 1).toLocaleString("en")}–${(page * PAGE + part.length).toLocaleString("en")} of ${found.length.toLocaleString("en")}` +
      (found.length === entries.length ? "" : `, ${entries.length.toLocaleString("en")} in all`);
    previous.disabled = page === 0;
    next.disabled = page === last;
    if (jump) byId("rows").scrollIntoView();
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = entries.filter((e) => (!byState.value || e.state === byState.value) && (!byClass.value || e.of === byClass.value) &&
      words.every((word) => e.text.includes(word)));
    const sign = order.value === "low" ? 1 : -1;
    if (order.value !== "path") {
      const scored = found.filter((e) => e.value !== "").sort((a, b) => sign * (a.value - b.value) || a.number - b.number);
      found = [...scored, ...found.filter((e) => e.value === "")];
    }
    show(0, false);
  };
  search.addEventListener("input", filter);
  for (const node of [byState, byClass, order]) node.addEventListener("change", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, textarea, dialog")) {
      event.preventDefault();
      search.focus();
    }
  });
  tools.append(search, byState, byClass, order, shown, previous, next);
  tools.hidden = false;

  // The large spectrum: the same drawing, wider, with its frequencies.
  const dialog = el("dialog");
  const title = el("h3"), plot = el("div"), told = el("p");
  const close = button("Close", "Close the large spectrum", () => dialog.close());
  close.className = "close";
  dialog.append(close, title, plot, told);
  document.body.append(dialog);
  const enlarge = (event) => {
    const small = event.target.closest(".plot");
    if (!small || (event.key !== undefined && event.key !== "Enter")) return;
    event.preventDefault();  // else the same Enter would press the button that the dialog focuses
    const large = small.cloneNode(true);
    large.setAttribute("viewBox", "0 0 640 290");
    large.append(draw("use", { href: "#ticks" }));
    title.textContent = small.closest("tr").querySelector(".path").textContent;
    plot.replaceChildren(large);
    told.textContent = small.getAttribute("aria-label");
    large.removeAttribute("tabindex");
    dialog.showModal();
  };
  list.addEventListener("click", enlarge);
  list.addEventListener("keydown", enlarge);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // On paper: what the filters leave, the first PRINTED of it.
  const PRINTED = 200, rest = document.querySelector(".rest"), note = rest.textContent;
  addEventListener("beforeprint", () => {
    list.replaceChildren(...found.slice(0, PRINTED).map((entry) => entry.node()));
    rest.textContent = found.length > PRINTED || found.length < entries.length ?
      `Printed: rows 1 to ${Math.min(PRINTED, found.length)} of ${found.length} chosen, of ${entries.length} in all.` : "";
  });
  addEventListener("afterprint", () => { rest.textContent = note; show(page, false); });
  filter();
})();
