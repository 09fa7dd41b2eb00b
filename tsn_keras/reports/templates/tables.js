// Small helpers, and tables that their headings sort.

const data = JSON.parse(document.getElementById("data").textContent);

// An element with attributes and children. Texts are texts: nothing in them is markup.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "class") element.className = value;
    else if (key === "click") element.addEventListener("click", value);
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// The names of a test's classes, and of videos, as a table may show them.
function shown(text) {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => {
    return "\\u{" + c.codePointAt(0).toString(16) + "}";
  });
}

function percent(value) {
  return value === null ? "" : (100 * value).toFixed(1);
}

// A probability in percent; a score that is none as it is.
function told(test, value) {
  if (value === null) return "";
  return test.chances ? percent(value) : value.toFixed(2);
}

function sortValue(row, column) {
  const text = row.cells[column].textContent.trim();
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

// One for all: made anew for each comparison it takes most of the time.
const collator = new Intl.Collator("en", { numeric: true });

// Numbers by size, words by the alphabet, empty cells last whatever the direction.
function compare(one, other, direction) {
  if (one === "" || other === "") return (one === "") - (other === "");
  if (typeof one === "number" && typeof other === "number") {
    return direction * (one - other);
  }
  return direction * collator.compare(String(one), String(other));
}

function sortBy(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const before = heading.getAttribute("aria-sort");
  const words = heading.classList.contains("text");
  const first = words ? "ascending" : "descending";
  const order = before === "none" ? first
    : before === "ascending" ? "descending" : "ascending";
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", order);
  const direction = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [sortValue(row, column), row]);
  rows.sort((a, b) => compare(a[0], b[0], direction));
  body.append(...rows.map(([, row]) => row));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("table.sortable thead button");
  if (button && !button.closest("#videos")) sortBy(button.closest("th"));
});

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => {
    for (const part of document.querySelectorAll(".test")) {
      part.hidden = part.dataset.test !== button.dataset.show;
    }
    for (const other of document.querySelectorAll("[data-show]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    draw(Number(button.dataset.show));
  });
}
