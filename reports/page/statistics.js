// The records, the choice among them, and the means, which reports/analysis/summary.py computed.

const data = JSON.parse(document.getElementById("data").textContent);
const chosen = {
  methods: new Set(data.methods.keys()),
  buckets: new Set(data.buckets.keys()),
  seeds: new Set(data.choices[0].seeds),
};

let choice = data.choices[0]; // of the seeds

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

/** Return the cell of a method in a bucket: mean, half-width, counts and text of the tables. */
function summarise(method, metric, bucket) {
  const cell = choice.cells[method][metric][bucket];
  const missing = { n: 0, images: 0, perfect: 0, mean: null, half: null, text: "not run" };
  return { method, bucket, ...(cell ?? missing) };
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
