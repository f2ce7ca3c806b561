// The same rows as pictures, a line of as many as fit.
const TILE = 116;

const galleryView = (desk) => {
  const pane = el("div", "pane gallery"), body = el("div", "tiles");
  attributes(body, { role: "grid", tabindex: "0", "aria-label": "Gallery of the chosen images" });
  pane.append(body);
  pane.hidden = true;
  let columns = 1;

  const tile = (at) => {
    const row = desk.choice.found[at], node = el("div", "tile " + stateOf(desk.data, row)), path = desk.data.path[row];
    attributes(node, { role: "gridcell", id: "tile-" + (row + 1), "aria-selected": at === desk.at, "data-at": at });
    const name = path.slice(path.lastIndexOf("/") + 1);
    node.append(pictureNode(pictureOf(desk.data, row)), el("p", "name", name), sign(stateOf(desk.data, row)), marksNode(desk, row));
    attributes(node, { title: path });
    return node;
  };
  const build = (line) => {
    const node = el("div", "line");
    attributes(node, { role: "row", "aria-rowindex": line + 1 });
    const end = Math.min((line + 1) * columns, desk.choice.found.length);
    for (let at = line * columns; at < end; at++) node.append(tile(at));
    return node;
  };
  const lines = windowed(pane, body, () => 0, build);
  body.addEventListener("click", (event) => {
    const node = event.target.closest(".tile");
    if (!node) return;
    desk.select(Number(node.dataset.at));
    desk.openDrawer();
  });
  return {
    ...lines,
    node: pane,
    focus: () => body.focus({ preventScroll: true }),
    columns: () => columns,
    reveal: (at) => lines.reveal(Math.floor(at / columns)),
    redraw: (at) => lines.redraw(Math.floor(at / columns)),
    step: () => lines.step() * columns,
    refresh(top) {
      columns = Math.max(Math.floor(pane.clientWidth / TILE), 1);
      body.style.setProperty("--columns", columns);
      const count = Math.ceil(desk.choice.found.length / columns);
      body.setAttribute("aria-rowcount", count);
      lines.reset(count, lineHeightOf(pane), top);
      this.mark();
    },
    mark() {
      for (const node of body.querySelectorAll("[aria-selected=true]")) node.setAttribute("aria-selected", false);
      const node = desk.at < 0 ? null : body.querySelector(`[data-at="${desk.at}"]`);
      if (node) {
        node.setAttribute("aria-selected", true);
        body.setAttribute("aria-activedescendant", node.id);
      } else body.removeAttribute("aria-activedescendant");
    },
  };
};
