// What is chosen and opened stands behind the # of the address, so that it can be kept and passed on.
const address = (desk) => {
  const said = () => {
    const words = new URLSearchParams();
    if (desk.choice.query) words.set("q", desk.choice.query);
    for (const { key, labels, chosen } of desk.facets) for (const value of [...chosen].sort((one, other) => one - other)) words.append(key, labels[value]);
    if (desk.choice.order !== "path") words.set("order", desk.choice.order);
    if (desk.view !== "list") words.set("view", desk.view);
    if (desk.drawer.open) words.set("row", desk.drawer.row + 1);
    return words.toString();
  };
  let last = null;
  const write = () => {
    const now = said();
    if (now === last) return;
    last = now;
    history.replaceState(null, "", now ? "#" + now : location.href.split("#")[0]);
  };
  // Unknown names and values are left aside: an address may come from another report.
  const read = () => {
    const text = location.hash.slice(1);
    if (text === last || (text && !/^row-\d+$/.test(text) && !text.includes("="))) return false;
    const words = new URLSearchParams(text.replace(/^row-/, "row="));
    desk.choice.query = words.get("q") ?? "";
    for (const one of desk.facets) {
      one.chosen = new Set(words.getAll(one.key).map((label) => one.labels.indexOf(label)).filter((value) => value >= 0));
    }
    const order = words.get("order");
    desk.choice.order = Object.hasOwn(ORDERS, order ?? "") ? order : "path";
    desk.view = words.get("view") === "gallery" ? "gallery" : "list";
    desk.wanted = /^\d{1,9}$/.test(words.get("row") ?? "") ? Number(words.get("row")) - 1 : -1;
    return true;
  };
  return { read, write };
};
