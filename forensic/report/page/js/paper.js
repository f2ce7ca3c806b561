// On paper: what the filters leave, the first PRINTED of it, as plain rows.
const PRINTED = 200;

const paper = (desk, table) => {
  const rest = document.querySelector(".rest"), body = table.tBodies[0];
  rest.textContent = "";
  addEventListener("beforeprint", () => {
    const { found } = desk.choice, all = desk.data.rows;
    table.classList.remove("virtual");
    body.style.height = "";
    body.replaceChildren(...Array.from(found.subarray(0, PRINTED), (row) => {
      const line = buildRow(desk.data, row), mark = desk.triage.of(row);
      line.firstChild.append(marksNode(desk, row));
      if (mark.note) line.children[2].append(el("p", "note", "Note: " + mark.note.split("\n").map(visible).join("\n")));
      return line;
    }));
    rest.textContent = found.length > PRINTED || found.length < all ?
      `Printed: rows 1 to ${Math.min(PRINTED, found.length)} of ${found.length} chosen, of ${all} in all.` : "";
  });
  addEventListener("afterprint", () => {
    rest.textContent = "";
    body.replaceChildren();
    table.classList.add("virtual");
    desk.refresh();
  });
};
