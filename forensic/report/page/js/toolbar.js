// The line above the list: search, facets, order, view, what can be saved. Everything works by keyboard.
const LISTED = 200;  // values of a facet that are listed at a time

// One facet as a button that opens a list of its values, each with what choosing it would show.
const facetMenu = (desk, one) => {
  const node = el("details", "facet"), title = el("summary", "", one.title), panel = el("div", "values"), list = el("ul");
  const narrow = attributes(el("input"), { type: "search", placeholder: "Narrow the list", "aria-label": `Narrow the list of values of ${one.title}` });
  const note = el("p", "aside");
  panel.append(narrow, list, note);
  node.append(title, panel);
  node.dataset.facet = one.key;

  const fill = () => {
    const word = narrow.value.toLowerCase(), fitting = [];
    one.labels.forEach((label, value) => {
      const empty = one.key === "triage" && !one.counts[value] && !one.chosen.has(value);
      if (!empty && label.toLowerCase().includes(word)) fitting.push(value);
    });
    narrow.hidden = one.labels.length <= 15;
    list.replaceChildren(...fitting.slice(0, LISTED).map((value) => {
      const item = el("li"), label = el("label"), box = attributes(el("input"), { type: "checkbox" });
      box.checked = one.chosen.has(value);
      box.addEventListener("change", () => {
        if (box.checked) one.chosen.add(value);
        else one.chosen.delete(value);
        desk.choose();
      });
      label.append(box, el("span", "", one.labels[value]), el("b", "", counted(one.counts[value] ?? 0)));
      item.append(label);
      return item;
    }));
    note.textContent = fitting.length > LISTED ? `and ${counted(fitting.length - LISTED)} more: type to narrow` : "";
  };
  narrow.addEventListener("input", fill);
  node.addEventListener("toggle", () => {
    if (!node.open) return;
    for (const other of document.querySelectorAll(".tools details[open]")) if (other !== node) other.open = false;
    desk.choice.apply(true);
    fill();
    const box = node.getBoundingClientRect();
    panel.classList.toggle("left", box.left > innerWidth / 2);
  });
  return {
    node,
    renew() {
      title.textContent = one.chosen.size ? `${one.title}: ${one.chosen.size}` : one.title;
      title.classList.toggle("chosen", one.chosen.size > 0);
      if (!node.open) return;
      const boxes = [...list.querySelectorAll("input")], at = boxes.indexOf(document.activeElement);
      fill();
      if (at >= 0) list.querySelectorAll("input")[at]?.focus();
    },
  };
};

const menu = (title, parts) => {
  const node = el("details", "facet menu"), panel = el("div", "values");
  panel.append(...parts);
  node.append(el("summary", "", title), panel);
  node.addEventListener("toggle", () => {
    if (!node.open) return;
    for (const other of document.querySelectorAll(".tools details[open]")) if (other !== node) other.open = false;
    panel.classList.toggle("left", node.getBoundingClientRect().left > innerWidth / 2);
  });
  return node;
};

const triageMenu = (desk, told) => {
  const by = attributes(el("input"), { type: "text", "aria-label": "Marked by", placeholder: "Your name" });
  by.value = desk.triage.kept.by;
  by.addEventListener("change", () => desk.triage.sign(by.value.trim()));
  const file = attributes(el("input"), { type: "file", accept: ".json,application/json", "aria-label": "Triage file to load" });
  file.addEventListener("change", async () => {
    try {
      const { taken, left } = desk.triage.load(await file.files[0].text());
      by.value = desk.triage.kept.by;
      told.textContent = `${counted(taken)} marks were taken` + (left ? `, ${counted(left)} do not fit this case and were left aside` : "");
    } catch (error) {
      told.textContent = `Nothing was taken: ${error.message}`;
    }
    file.value = "";
    desk.choose();
  });
  const load = el("label", "", "Load marks from a file");
  load.append(file);
  const keptWhere = el("p", "aside", "Marks stay in this browser and in no other place until you save them.");
  return menu("Notes", [by, button("Save marks to a file", "Save marks to a file", () => desk.triage.save()), load, keptWhere]);
};

const toolbar = (desk, node) => {
  const search = attributes(el("input"), { type: "search", placeholder: "Search path, hash, class, flag, reason  ( / )", "aria-label": "Search all rows by path, hash, class, flag or reason" });
  const order = attributes(el("select"), { "aria-label": "Order" });
  for (const [key, [title]] of Object.entries(ORDERS)) order.append(new Option(title, key));
  const shown = attributes(el("span", "shown"), { role: "status" });
  const told = attributes(el("p", "told"), { role: "status" });
  const menus = desk.facets.map((one) => facetMenu(desk, one));
  const clear = button("Clear", "Clear search and filters", () => {
    desk.clear();
    search.focus();
  });
  const view = button("Gallery", "Gallery", () => desk.show(desk.view === "list" ? "gallery" : "list"));
  const blur = attributes(button("Blur", "Blur pictures", () => {
    const on = document.body.classList.toggle("blurred");
    blur.setAttribute("aria-pressed", on);
  }), { "aria-pressed": false });
  let wait = 0;
  search.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => {
      desk.choice.query = search.value;
      desk.choose();
    }, desk.data.rows > 20_000 ? 60 : 0);
  });
  order.addEventListener("change", () => {
    desk.choice.order = order.value;
    desk.choose();
  });
  const save = menu("Export", [
    button("Chosen rows as CSV", "Chosen rows as CSV", () => exportCsv(desk)),
    button("Chosen rows as JSON Lines", "Chosen rows as JSON Lines", () => exportJson(desk)),
    button("Print the chosen rows", "Print the chosen rows", () => print()),
  ]);
  const first = el("div", "first"), second = el("div", "second");
  first.append(search, order, view, blur, save, triageMenu(desk, told), button("?", "Keys", () => desk.help()));
  second.append(...menus.map((one) => one.node), clear, shown);
  node.append(first, second, told);
  node.hidden = false;
  addEventListener("click", (event) => {
    for (const open of node.querySelectorAll("details[open]")) if (!open.contains(event.target)) open.open = false;
  });
  return {
    search,
    firstFacet: menus[0].node,
    tell: (text) => { told.textContent = text; },
    renew() {
      const { found } = desk.choice, all = desk.data.rows;
      const every = all === 1 ? "1 row" : `${counted(all)} rows`;
      shown.textContent = found.length === all ? every : found.length === 0 ? "No row fits" : `${counted(found.length)} of ${every}`;
      if (document.activeElement !== search) search.value = desk.choice.query;
      order.value = desk.choice.order;
      view.textContent = desk.view === "list" ? "Gallery" : "List";
      clear.disabled = !desk.choice.query && desk.facets.every((one) => one.chosen.size === 0);
      for (const one of menus) one.renew();
    },
  };
};
