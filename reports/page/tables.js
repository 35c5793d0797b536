// HTML elements, and tables that a click on a header sorts.

/** Return an element with attributes and children; text is never parsed as HTML. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const collator = new Intl.Collator("en", { numeric: true });
// A number, perhaps followed by a blank, a unit or ±. The method "3x3" is not a number.
const LEADING_NUMBER = /^[+\-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?(?![\w.-])/i;

/** Return the number that a cell is sorted by: its `data-sort` or leading number, else NaN. */
function numberOf(cell) {
  const { sort } = cell.dataset;
  if (sort !== undefined) return sort === "" ? NaN : Number(sort);
  const found = cell.textContent.trim().match(LEADING_NUMBER);
  return found ? Number(found[0].replaceAll(",", "").replace("−", "-")) : NaN;
}

/** Sort rows by one column. Equal rows keep their order; cells without a number are always last. */
function sortRows(table, column, direction) {
  const rows = [...table.tBodies[0].rows].map((row) => {
    const cell = row.cells[column];
    const number = cell.tagName === "TH" ? NaN : numberOf(cell);
    return { row, number, text: cell.dataset.sort ?? cell.textContent.trim() };
  });
  const sign = direction === "descending" ? -1 : 1;
  const numeric = rows.some(({ number }) => !Number.isNaN(number));
  const compare = numeric
    ? (a, b) => compareNumbers(a.number, b.number, sign)
    : (a, b) => sign * collator.compare(a.text, b.text);
  rows.sort(compare);
  table.tBodies[0].append(...rows.map(({ row }) => row));
  for (const header of headersOf(table)) header.removeAttribute("aria-sort");
  headersOf(table)[column].setAttribute("aria-sort", direction);
}

function compareNumbers(a, b, sign) {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return a === b ? 0 : sign * (a < b ? -1 : 1); // the difference of two infinities is NaN
}

function headersOf(table) {
  return [...(table.tHead?.rows[table.tHead.rows.length - 1]?.cells ?? [])];
}

/** Give every header a button, which works with the pointer, Enter and Space alike. */
function makeSortable(table) {
  headersOf(table).forEach((header, column) => {
    const button = element("button", { type: "button" }, ...header.childNodes);
    button.addEventListener("click", () => {
      const ascending = header.getAttribute("aria-sort") === "ascending";
      sortRows(table, column, ascending ? "descending" : "ascending");
    });
    header.replaceChildren(button);
  });
}

/** Make a table sortable, and put it into a box that scrolls sideways, with its caption above. */
function presentTable(table, number) {
  if (table.tBodies.length === 1) makeSortable(table);
  const title = element("p", { class: "title", id: `table-${number}` }, ...(table.caption?.childNodes ?? []));
  const box = element("div", { class: "scroll", role: "group", "aria-labelledby": title.id, tabindex: 0 });
  table.before(title, box);
  table.deleteCaption();
  table.setAttribute("aria-labelledby", title.id);
  box.append(table);
}

/** Replace a table's content and keep the order that the reader gave it.

`columns` are {key, label}; `rows` are lists of {text, sort}, the first of each being its header. */
function fillTable(table, columns, rows) {
  const sorted = headersOf(table).find((header) => header.hasAttribute("aria-sort"));
  const focused = headersOf(table).find((header) => header.contains(document.activeElement));
  const headers = columns.map(({ key, label }) => element("th", { scope: "col", "data-key": key }, label));
  const body = rows.map((cells) => element("tr", {}, ...cells.map(tableCell)));
  table.replaceChildren(element("thead", {}, element("tr", {}, ...headers)), element("tbody", {}, ...body));
  makeSortable(table);
  const again = (old) => headersOf(table).findIndex((header) => header.dataset.key === old?.dataset.key);
  if (again(sorted) >= 0) sortRows(table, again(sorted), sorted.getAttribute("aria-sort"));
  if (again(focused) >= 0) headersOf(table)[again(focused)].firstChild.focus();
}

function tableCell({ text, sort }, column) {
  if (column === 0) return element("th", { scope: "row" }, text);
  return element("td", sort === undefined ? {} : { "data-sort": sort }, text);
}
