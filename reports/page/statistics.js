// The records, the choice among them, and the means as in reports/analysis/summary.py.

const data = JSON.parse(document.getElementById("data").textContent);
const chosen = {
  methods: new Set(data.methods.keys()),
  buckets: new Set(data.buckets.keys()),
  seeds: new Set(data.seeds),
};

const pairsByBucket = data.buckets.map(() => []);
data.pairs.bucket.forEach((bucket, pair) => pairsByBucket[bucket].push(pair));

const seriesByCell = data.methods.map(() => data.metrics.map(() => []));
for (const series of data.series) {
  series.values = series.values.map((value) => (value === null ? NaN : Number(value)));
  seriesByCell[series.method][series.metric].push(series);
}

/** Return the chosen indices, in the order of the records. */
function shown(kind) {
  return [...chosen[kind]].sort((a, b) => a - b);
}

function metricIndex(metric, region) {
  return data.metrics.findIndex((item) => item.metric === metric && item.region === region);
}

function chosenSeries(method, metric) {
  return seriesByCell[method][metric].filter(({ seed }) => chosen.seeds.has(seed));
}

/** Return the mean over the chosen seeds with a finite value.

Without any it is Infinity if a seed is perfect, else NaN. */
function pairValue(method, metric, pair) {
  const values = chosenSeries(method, metric).map((series) => series.values[pair]);
  const finite = values.filter(Number.isFinite);
  if (finite.length) return mean(finite);
  return values.includes(Infinity) ? Infinity : NaN;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Return the mean over a bucket's pairs and the half-width of its 95 % Student interval.

Perfect pairs are left out and counted. */
function summarise(method, metric, bucket) {
  const values = pairsByBucket[bucket].map((pair) => pairValue(method, metric, pair));
  const finite = values.filter(Number.isFinite);
  const n = finite.length;
  const centre = mean(finite);
  const squares = finite.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  const half = n > 1 ? data.quantiles[n - 2] * Math.sqrt(squares / (n - 1) / n) : NaN;
  const perfect = values.filter((value) => value === Infinity).length;
  return { method, bucket, n, mean: centre, half, perfect };
}

/** Return the text of a cell, as in the Markdown tables. */
function cellText({ method, n, mean, half, perfect }, metric) {
  if (!n) return perfect ? "all perfect" : whyMissing(method, metric);
  const { digits } = data.metrics[metric];
  const interval = n > 1 ? ` ± ${half.toFixed(digits)}` : "";
  return `${mean.toFixed(digits)}${interval}${perfect ? ` (+${perfect} perfect)` : ""}`;
}

function whyMissing(method, metric) {
  const series = chosenSeries(method, metric);
  if (!series.length) return "not run";
  return series.find(({ note }) => note)?.note ?? "no value";
}

/** Return the text of one pair's value. */
function valueText(value, metric) {
  if (Number.isNaN(value)) return "–";
  return value === Infinity ? "∞" : value.toFixed(data.metrics[metric].digits);
}
