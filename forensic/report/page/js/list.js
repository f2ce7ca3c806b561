// A pane that holds only the lines in view, so that a hundred thousand cost what thirty do.
const TALLEST = 15_000_000;  // browsers lay out no element taller than about 16,000,000 px; beyond it, places are scaled
const SPARE = 400;  // px of lines kept above and below what is in view

const windowed = (pane, body, headHeight, build, live = () => true) => {
  const drawn = new Map();
  let lines = 0, height = 1;

  const measure = () => {
    const view = Math.max(pane.clientHeight - headHeight(), height), full = lines * height, tall = Math.min(full, TALLEST);
    const scale = full > tall ? (full - view) / (tall - view) : 1;
    return { view, tall, scale, top: pane.scrollTop * scale };
  };
  const paint = () => {
    if (pane.clientHeight === 0 || !live()) return;
    const { view, top } = measure();
    const first = Math.max(Math.floor((top - SPARE) / height), 0), last = Math.min(Math.ceil((top + view + SPARE) / height), lines);
    for (const [line, node] of drawn) {
      if (line < first || line >= last) {
        node.remove();
        drawn.delete(line);
      }
    }
    const shift = pane.scrollTop - top;  // read once: after a change it makes the browser lay out anew
    let before = null;
    for (let line = last - 1; line >= first; line--) {
      let node = drawn.get(line);
      if (!node) {
        node = build(line);
        drawn.set(line, node);
        body.insertBefore(node, before);
      }
      node.style.transform = `translateY(${shift + line * height}px)`;
      before = node;
    }
  };
  pane.addEventListener("scroll", paint, { passive: true });
  return {
    drawn,
    paint,
    reset(count, lineHeight, top) {
      for (const node of drawn.values()) node.remove();
      drawn.clear();
      lines = count;
      height = lineHeight;
      body.style.height = `${measure().tall}px`;
      if (top) pane.scrollTop = 0;
      paint();
    },
    redraw(line) {
      drawn.get(line)?.remove();
      drawn.delete(line);
      paint();
    },
    reveal(line) {
      const { view, scale, top } = measure();
      if (line * height < top) pane.scrollTop = (line * height) / scale;
      else if ((line + 1) * height > top + view) pane.scrollTop = ((line + 1) * height - view) / scale;
      paint();
    },
    step: () => Math.max(Math.floor(measure().view / height) - 1, 1),
  };
};

const lineHeightOf = (node) => parseFloat(getComputedStyle(node).getPropertyValue("--line"));

// The table of the page, with the rows that are chosen; the row that the keys act on is named, not focused.
const listView = (desk, table) => {
  const pane = table.parentElement, body = table.tBodies[0], head = table.tHead;
  const build = (at) => {
    const row = desk.choice.found[at], line = buildRow(desk.data, row);
    attributes(line, { "aria-rowindex": at + 2, "aria-selected": at === desk.at });
    for (const part of line.children) part.setAttribute("role", "gridcell");
    line.firstChild.append(marksNode(desk, row));
    return line;
  };
  // while the rows stand as on paper, a pane that scrolls to another place must add none
  const lines = windowed(pane, body, () => head.offsetHeight, build, () => table.classList.contains("virtual"));
  attributes(table, { role: "grid", tabindex: "0" });
  table.classList.add("virtual");
  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (!line || getSelection().toString()) return;
    desk.select(Number(line.getAttribute("aria-rowindex")) - 2);
    desk.openDrawer();
  });
  return {
    ...lines,
    node: pane,
    focus: () => table.focus({ preventScroll: true }),
    columns: () => 1,
    refresh(top) {
      table.setAttribute("aria-rowcount", desk.choice.found.length + 1);
      lines.reset(desk.choice.found.length, lineHeightOf(pane), top);
      this.mark();
    },
    mark() {
      for (const [at, line] of lines.drawn) line.setAttribute("aria-selected", at === desk.at);
      if (lines.drawn.has(desk.at)) table.setAttribute("aria-activedescendant", lines.drawn.get(desk.at).id);
      else table.removeAttribute("aria-activedescendant");
    },
  };
};
