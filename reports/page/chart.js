// The chart: a line per method over the buckets, with bars for the 95 % intervals.

const MARKERS = [
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z", // circle
  "M-3.6-3.6h7.2v7.2h-7.2Z", // square
  "M0-5.2L5.2 0L0 5.2L-5.2 0Z", // diamond
  "M0-5L4.8 3.6H-4.8Z", // triangle up
  "M0 5L4.8-3.6H-4.8Z", // triangle down
  "M-1.6-5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4Z", // plus
  "M-5 0L3.6-4.8V4.8Z", // triangle left
  "M5 0L-3.6-4.8V4.8Z", // triangle right
];
const MARGIN = { top: 12, right: 12, bottom: 46, left: 52 };
const CAP = 4; // half the width of an interval's end, px
const DODGE = 7; // px between neighbouring methods, so that their intervals stay apart

function svgElement(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Draw `rows`, a list of summaries per method, as wide as the box; draw nothing without a mean. */
function drawChart(box, rows, metric) {
  const width = Math.max(box.clientWidth, 240);
  const height = Math.min(420, Math.max(260, width * 0.45));
  const measured = rows.flat().filter(({ n }) => n);
  box.replaceChildren();
  if (!measured.length) return;
  const buckets = shown("buckets");
  const across = (width - MARGIN.left - MARGIN.right) / buckets.length;
  const step = Math.min(DODGE, (0.8 * across) / rows.length);
  const scale = verticalScale(measured, height);
  const place = (order, bucket) =>
    MARGIN.left + across * (buckets.indexOf(bucket) + 0.5) + step * (order - (rows.length - 1) / 2);
  const middle = (MARGIN.left + width - MARGIN.right) / 2;
  const what = `${chartTitle(metric)}, by hole ratio, for ${rows.length} methods`;
  const label = `${what}; the table below holds the numbers`;
  box.append(
    svgElement("svg", { width, height, role: "img", "aria-label": label },
      ...scale.ticks.map((tick) => gridLine(tick, scale, width)),
      ...buckets.map((bucket, order) =>
        chartLabel(data.buckets[bucket], MARGIN.left + across * (order + 0.5), height - MARGIN.bottom + 18)),
      chartLabel("hole ratio", middle, height - 6),
      ...rows.map((cells, order) => methodLine(cells, (bucket) => place(order, bucket), scale, metric)),
    ),
  );
}

function chartTitle(metric) {
  const { name, direction, region } = data.metrics[metric];
  return `${name} (${direction}), ${region}: mean and 95 % interval`;
}

/** Return the scale over all means and intervals: round ticks, and `y` from a value to a pixel. */
function verticalScale(cells, height) {
  const reach = ({ half }) => half || 0;
  let low = Math.min(...cells.map((cell) => cell.mean - reach(cell)));
  let high = Math.max(...cells.map((cell) => cell.mean + reach(cell)));
  // A single mean without an interval has no height, so its margin follows from its value.
  const margin = (high - low) * 0.04 || Math.abs(high) * 0.1 || 1;
  [low, high] = [low - margin, high + margin];
  const step = roundStep((high - low) / 5);
  const first = Math.ceil(low / step);
  const ticks = Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
  const pixels = height - MARGIN.top - MARGIN.bottom;
  const y = (value) => MARGIN.top + (pixels * (high - value)) / (high - low);
  return { ticks, y, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/** Return the smallest of 1, 2 and 5 times powers of ten that is not below `rough`.

The factor 1 - 1e-9 forgives rounding errors. */
function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9));
}

function gridLine(tick, { y, digits }, width) {
  return svgElement("g", {},
    svgElement("path", { class: "grid", d: `M${MARGIN.left} ${y(tick)}H${width - MARGIN.right}` }),
    svgElement("text", { x: MARGIN.left - 8, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(digits)),
  );
}

function chartLabel(text, x, y) {
  return svgElement("text", { x, y, "text-anchor": "middle" }, text);
}

function methodLine(cells, place, { y }, metric) {
  const { method } = cells[0];
  const points = cells.filter(({ n }) => n);
  const group = svgElement("g", { class: "series", "data-method": data.methods[method].name });
  group.style.setProperty("--series", data.methods[method].colour);
  const path = points.map((cell, i) => `${i ? "L" : "M"}${place(cell.bucket)} ${y(cell.mean)}`).join("");
  group.append(svgElement("path", { class: "line", d: path }));
  group.append(...points.map((cell) => point(cell, place(cell.bucket), y, metric)));
  return group;
}

function point(cell, x, y, metric) {
  const where = `${data.methods[cell.method].name}, ${data.buckets[cell.bucket]}`;
  const group = svgElement("g", { class: "point", "data-mean": cell.mean, "data-half": cell.half },
    svgElement("title", {}, `${where}: ${cell.text}, n=${cell.n}`),
    markerOf(cell.method, { transform: `translate(${x} ${y(cell.mean)})` }),
  );
  if (cell.images > 1) {
    const path = intervalPath(x, y(cell.mean + cell.half), y(cell.mean - cell.half));
    group.append(svgElement("path", { class: "interval", d: path }));
  }
  return group;
}

function markerOf(method, attributes = {}) {
  return svgElement("path", { class: "marker", d: MARKERS[method % MARKERS.length], ...attributes });
}

function intervalPath(x, top, bottom) {
  return `M${x - CAP} ${top}h${2 * CAP}M${x} ${top}V${bottom}M${x - CAP} ${bottom}h${2 * CAP}`;
}

function drawLegend(list, methods) {
  list.replaceChildren(...methods.map((method) => {
    const size = { width: 24, height: 12, viewBox: "-12 -6 24 12" };
    const marker = svgElement("svg", { class: "series", ...size, "aria-hidden": "true" },
      svgElement("path", { class: "line", d: "M-12 0H12" }),
      markerOf(method),
    );
    marker.style.setProperty("--series", data.methods[method].colour);
    return element("li", {}, marker, data.methods[method].name);
  }));
}
