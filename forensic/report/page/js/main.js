// The desk: what all parts share. Without this script, or where it can not unpack, the page keeps its plain rows.
const table = document.querySelector(".list"), places = document.querySelector(".desk"), plainRows = [...table.tBodies[0].rows];
let data = null;
try {
  data = await unpack();
} catch (error) {
  const told = `This browser could not unpack the rows: ${error.message}. The first ${plainRows.length} stand below.`;
  document.querySelector(".tools").before(el("p", "banner", told));
}
if (data) {
  data.plainPictures = plainRows.map((line) => line.querySelector("img")?.src ?? "");
  data.folder = location.pathname.split("/").pop().replace(/\.[^.]*$/, "") + ".assets";
  if (data.head.sheets) {
    const probe = new Image();
    probe.addEventListener("error", () => document.querySelector(".beside")?.append(" It is not there now."));
    probe.src = `${data.folder}/${data.head.sheets.prefix}0.webp`;
  }
  const desk = {
    data, facets: facetsOf(data), view: "list", at: -1, wanted: -1,
    get row() { return this.at < 0 ? -1 : this.choice.found[this.at]; },
  };
  desk.choice = choice(data, desk.facets);
  desk.triage = triage(desk);
  const dialog = helpDialog();
  Object.assign(desk, {
    help: () => dialog.showModal(),
    refresh(top) {
      this.pane.refresh(top);
      this.tools.renew();
    },
    // After search, filters or order changed. A row that is open stays at hand if it is still there.
    choose() {
      const kept = this.wanted >= 0 ? this.wanted : this.drawer.row;
      this.choice.apply();
      this.at = kept < 0 ? -1 : this.choice.found.indexOf(kept);
      if (this.at < 0) this.at = this.choice.found.length ? 0 : -1;
      this.refresh(true);
      if (this.at > 0) this.pane.reveal(this.at);
      this.pane.mark();
      if (this.drawer.open && this.at >= 0) this.drawer.show(this.row);
      else if (this.drawer.open) this.closeDrawer();
      this.place.write();
    },
    clear() {
      this.choice.query = "";
      for (const one of this.facets) one.chosen.clear();
      this.tools.search.value = "";
      this.choose();
    },
    select(at) {
      if (at < 0 || at >= this.choice.found.length) return;
      this.at = at;
      this.pane.reveal(at);
      this.pane.mark();
      if (this.drawer.open) this.drawer.show(this.row);
      this.place.write();
    },
    go(at) { this.select(Math.min(Math.max(at, 0), this.choice.found.length - 1)); },
    move(by) { this.go(this.at + by); },
    openDrawer(into) {
      if (this.row < 0) return;
      const opening = !this.drawer.open;
      places.classList.add("detailed");
      this.drawer.show(this.row);
      if (opening) this.refresh();
      this.pane.reveal(this.at);
      this.pane.mark();
      this.place.write();
      if (into) this.drawer.node.focus();
    },
    closeDrawer() {
      this.drawer.hide();
      places.classList.remove("detailed");
      this.refresh();
      this.pane.focus();
      this.place.write();
    },
    show(view) {
      this.view = view;
      for (const [name, one] of Object.entries(this.panes)) one.node.hidden = name !== view;
      this.pane = this.panes[view];
      this.refresh();
      if (this.at >= 0) this.pane.reveal(this.at);
      this.pane.mark();
      this.pane.focus();
      this.place.write();
    },
    marked(written) {
      if (this.at >= 0) this.pane.redraw(this.at);
      this.pane.mark();
      if (!written) this.drawer.renew();
      this.tools.renew();
      if (this.triage.kept.loses) this.tools.tell("This browser keeps no marks: save them to a file before you close the page.");
    },
  });
  const gallery = galleryView(desk);
  desk.drawer = drawer(desk);
  places.append(gallery.node, desk.drawer.node);
  table.tBodies[0].replaceChildren();
  desk.panes = { list: listView(desk, table), gallery };
  desk.pane = desk.panes.list;
  desk.tools = toolbar(desk, document.querySelector(".tools"));
  desk.place = address(desk);
  document.body.classList.add("at-desk");
  const arrive = () => {
    desk.wanted = -1;
    if (!desk.place.read()) return false;
    for (const [name, one] of Object.entries(desk.panes)) one.node.hidden = name !== desk.view;
    desk.pane = desk.panes[desk.view];
    const wanted = desk.wanted;
    desk.choose();
    desk.wanted = -1;
    if (wanted >= 0 && desk.row === wanted) {
      desk.openDrawer();
      byId("rows").scrollIntoView();
    } else if (desk.drawer.open) desk.closeDrawer();
    return true;
  };
  if (!arrive()) desk.choose();
  addEventListener("hashchange", arrive);
  addEventListener("resize", () => desk.refresh());
  keyboard(desk);
  paper(desk, table);
  desk.choice.prepare();
}
