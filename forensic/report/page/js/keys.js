// Keys, as cullers of photographs have them. None acts while text is written.
const HELP = [
  ["j, ↓", "next image"], ["k, ↑", "previous image"], ["g g, Home", "first"], ["G, End", "last"], ["Page Up, Page Down", "a page"],
  ["Enter, o", "details, and into them"], ["Space", "details on and off"], ["Esc", "close, and back to the list"],
  ["x", "flag"], ["u", "unflag"], ["1 to 5", "grade"], ["0", "no grade"], ["t", "tags"], ["n", "note"], ["s", "spectrum"],
  ["/", "search all rows; the browser's own search sees only those in view"], ["f", "filters"], ["v", "gallery or list"], ["?", "these keys"],
];

const helpDialog = () => {
  const node = attributes(el("dialog"), { "aria-label": "Keys" }), list = el("dl", "help");
  for (const [keys, told] of HELP) list.append(el("dt", "", keys), el("dd", "", told));
  const close = button("Close", "Close the keys", () => node.close());
  close.classList.add("close");
  node.append(close, el("h3", "", "Keys"), list);
  node.addEventListener("click", (event) => { if (event.target === node) node.close(); });
  document.body.append(node);
  return node;
};

const keyboard = (desk) => {
  let before = "";
  const mark = (change) => desk.row >= 0 && desk.triage.set(desk.row, change);
  const into = (key) => {
    if (desk.row < 0) return;
    desk.openDrawer();
    desk.drawer.field(key).focus();
  };
  const acts = {
    j: () => desk.move(1), k: () => desk.move(-1), G: () => desk.go(Infinity),
    Home: () => desk.go(0), End: () => desk.go(Infinity), PageDown: () => desk.move(desk.pane.step()), PageUp: () => desk.move(-desk.pane.step()),
    ArrowDown: () => desk.move(desk.pane.columns()), ArrowUp: () => desk.move(-desk.pane.columns()),
    o: () => desk.openDrawer(true), Enter: () => desk.openDrawer(true), " ": () => (desk.drawer.open ? desk.closeDrawer() : desk.openDrawer()),
    x: () => mark({ flagged: true }), u: () => mark({ flagged: false }), 0: () => mark({ grade: null }),
    t: () => into("tags"), n: () => into("note"),
    s: () => {
      if (desk.row < 0) return;
      desk.openDrawer();
      desk.drawer.spectrum().scrollIntoView({ block: "nearest" });
    },
    "/": () => {
      desk.tools.search.focus();
      desk.tools.search.select();
    },
    f: () => {
      desk.tools.firstFacet.open = true;
      desk.tools.firstFacet.querySelector("summary").focus();
    },
    v: () => desk.show(desk.view === "list" ? "gallery" : "list"),
    "?": () => desk.help(),
  };
  for (let grade = 1; grade <= 5; grade++) acts[grade] = () => mark({ grade });
  // These belong to the page unless the list has the focus.
  const OF_THE_LIST = new Set(["Home", "End", "PageDown", "PageUp", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Enter", " "]);

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("dialog")) return;
    const menu = event.target.closest("details[open]"), typing = event.target.closest("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape") {
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      } else if (desk.drawer.open && !event.target.closest(".tools")) desk.closeDrawer();
      else if (typing) desk.pane.focus();
      else return;
      event.preventDefault();
      return;
    }
    if (typing) {
      if (event.key === "Enter" && event.target === desk.tools.search) desk.pane.focus();
      return;
    }
    const inList = event.target.closest("[role=grid]") !== null;
    let act = acts[event.key];
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      act = desk.view === "gallery" ? () => desk.move(event.key === "ArrowLeft" ? -1 : 1) : undefined;
    }
    if (OF_THE_LIST.has(event.key) && !inList) return;
    if (event.key === "g") {
      if (before === "g") desk.go(0);
      before = before === "g" ? "" : "g";
      return;
    }
    before = "";
    if (!act || menu) return;
    event.preventDefault();
    act();
  });
};
