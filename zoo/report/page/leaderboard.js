"use strict";
// Filters and sorting. Rows of different music are not comparable, so one music is shown at a time.
const form = document.getElementById("filters"), table = document.getElementById("rows");
const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells];

function filter() {
  const wanted = [...new FormData(form)].filter(([, value]) => value);
  let shown = 0;
  for (const row of body.rows) {
    row.hidden = !wanted.every(([name, value]) => row.dataset[name] === value);
    shown += !row.hidden;
  }
  document.getElementById("count").textContent = `${shown} of ${body.rows.length} rows`;
}

const key = (row, column) => {
  const cell = row.cells[column], value = cell.dataset.value;
  return value === undefined ? cell.textContent : Number(value);
};

function sort(column, direction) {
  const compare = (one, two) => {
    const [a, b] = [key(one, column), key(two, column)];
    return direction * (typeof a === "number" ? a - b : a.localeCompare(b));
  };
  headings.forEach((heading, at) => {
    if (at === column) heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    else heading.removeAttribute("aria-sort");
  });
  body.append(...[...body.rows].sort(compare));
}

headings.forEach((heading, column) => {
  const button = heading.querySelector("button");
  if (button) button.onclick = () => sort(column, heading.getAttribute("aria-sort") === "ascending" ? -1 : 1);
});
form.onchange = filter;
filter();
