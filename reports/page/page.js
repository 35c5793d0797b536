// The filters, the choice of metric, and the update of all that depends on them.

const metricSelect = document.getElementById("metric");
const regionSelect = document.getElementById("region");
const seedSelect = document.getElementById("seeds");
const chartBox = document.getElementById("chart");
const summaryTable = document.getElementById("summary");

function chosenMetric() {
  return metricIndex(metricSelect.value, regionSelect.value);
}

/** Offer the regions that the metric has, and keep the chosen one if it is among them. */
function offerRegions() {
  const before = regionSelect.value;
  const offered = data.metrics.filter(({ metric }) => metric === metricSelect.value);
  const regions = offered.map(({ region }) => region);
  regionSelect.replaceChildren(...regions.map((region) => element("option", { value: region }, region)));
  regionSelect.value = regions.includes(before) ? before : regions[0];
}

function updateResults() {
  const metric = chosenMetric();
  const methods = shown("methods");
  const buckets = shown("buckets");
  const rows = methods.map((method) => buckets.map((bucket) => summarise(method, metric, bucket)));
  const measured = rows.flat().some(({ n, perfect }) => n || perfect);
  document.getElementById("results").hidden = !measured;
  document.getElementById("unmeasured").textContent = measured ? "" : whyNothing(methods, metric);
  if (!measured) return;
  document.getElementById("chart-title").textContent = chartTitle(metric);
  drawChart(chartBox, rows, metric);
  drawLegend(document.getElementById("legend"), methods);
  fillSummary(rows, metric);
}

function whyNothing(methods, metric) {
  if (!Object.values(chosen).every((set) => set.size)) {
    return "Choose at least one method and one hole ratio.";
  }
  const reasons = new Set(methods.map((method) => whyMissing(method, metric)));
  return `Not measured: ${[...reasons].join("; ")}`;
}

function fillSummary(rows, metric) {
  const buckets = shown("buckets").map((bucket, i) => {
    const name = data.buckets[bucket];
    return { key: name, label: `${name} n=${pairCounts(rows.map((cells) => cells[i]))}` };
  });
  const columns = [{ key: "method", label: "method" }, ...buckets, { key: "seeds", label: "seeds" }];
  fillTable(summaryTable, columns, rows.map((cells) => [
    { text: data.methods[cells[0].method].name },
    ...cells.map((cell) => ({ text: cell.text, sort: cell.mean ?? NaN })),
    { text: seedsOf(cells[0].method, metric) },
  ]));
}

function seedsOf(method, metric) {
  const seeds = chosenSeries(method, metric).map(({ seed }) => seed);
  return seeds.sort((a, b) => a - b).join(", ") || "none";
}

function pairCounts(cells) {
  return [...new Set(cells.map(({ n, perfect }) => n + perfect))].sort((a, b) => a - b).join("/");
}

/** Return a group of checkboxes with buttons for all and none; nothing if there is no choice. */
function filterGroup(kind, legend, values, names) {
  if (values.length < 2) return "";
  const boxes = values.map((value, i) => {
    const box = element("input", { type: "checkbox", checked: "", "data-kind": kind, "data-name": names[i] });
    box.addEventListener("change", () => {
      chosen[kind][box.checked ? "add" : "delete"](value);
      update();
    });
    return box;
  });
  const setAll = (on) => {
    boxes.forEach((box) => (box.checked = on));
    chosen[kind] = new Set(on ? values : []);
    update();
  };
  const buttons = [["all", true], ["none", false]].map(([name, on]) => {
    const button = element("button", { type: "button", "aria-label": `${legend}: ${name}` }, name);
    button.addEventListener("click", () => setAll(on));
    return button;
  });
  const labels = boxes.map((box, i) => element("label", {}, box, names[i]));
  return element("fieldset", {}, element("legend", {}, legend), ...labels, ...buttons);
}

function update() {
  updateResults();
  if (picturedPairs.length) updatePictures();
}

function start() {
  document.querySelectorAll(".fragment table").forEach(presentTable);
  document.getElementById("filters").append(
    filterGroup("methods", "Methods", [...data.methods.keys()], data.methods.map(({ name }) => name)),
    filterGroup("buckets", "Hole ratio", [...data.buckets.keys()], data.buckets),
  );
  const several = data.choices.length > 1;
  document.getElementById("seeds-hint").hidden = !several;
  seedSelect.parentElement.hidden = !several;
  seedSelect.append(...data.choices.map(({ name }) => element("option", { value: name }, name)));
  seedSelect.addEventListener("change", () => {
    choice = data.choices[seedSelect.selectedIndex];
    chosen.seeds = new Set(choice.seeds);
    update();
  });
  const titled = data.metrics.map(({ metric, name, direction }) => [metric, `${name} (${direction})`]);
  const metrics = new Map(titled); // each metric once, although it has several regions
  metricSelect.append(...[...metrics].map(([metric, label]) => element("option", { value: metric }, label)));
  offerRegions();
  metricSelect.addEventListener("change", () => {
    offerRegions();
    updateResults();
  });
  regionSelect.addEventListener("change", updateResults);
  startPictures();
  updateResults();
  // Drawing changes the box's height, which must not make it draw again; only its width counts.
  let drawn = chartBox.clientWidth;
  new ResizeObserver(() => {
    if (chartBox.clientWidth === drawn) return;
    drawn = chartBox.clientWidth;
    updateResults();
  }).observe(chartBox);
}

start();
