// The picture browser: a list of pairs in pages, one pair's pictures and metrics, and a slider.

const PAGE = 12; // pairs in the list at a time
const browser = Object.fromEntries(
  [...document.querySelectorAll("#pictures [id]")].map((item) => [item.id, item]),
);
const methodNames = data.methods.map(({ name }) => name);
const pictured = data.pictured.methods.map((name) => methodNames.indexOf(name));
const pairIndex = new Map(data.pairs.number.map((number, index) => [number, index]));
const picturedPairs = data.pictured.pairs.map((number) => pairIndex.get(number));
const PICTURES = ["input", ...data.pictured.methods, "truth"]; // in the order of a pair's block of data
const psnr = metricIndex("psnr", "composite");

let listed = []; // the pairs that are chosen, in the order of the list
let current; // one of them
let firstListed = 0; // where the list's page starts

/** List the pairs that match the filters and the search, in the chosen order. */
function updatePictures() {
  const inBuckets = picturedPairs.filter((pair) => chosen.buckets.has(data.pairs.bucket[pair]));
  listed = orderedPairs(inBuckets.filter(matches));
  if (!listed.includes(current)) current = listed[0];
  browser.viewer.hidden = !listed.length;
  browser["no-pair"].textContent = listed.length ? "" : "No pair matches the filters and the search.";
  browser.direction.disabled = browser.order.value === "";
  showPair(current);
}

function matches(pair) {
  const words = browser.search.value.trim().toLowerCase();
  return /^\d+$/.test(words)
    ? String(data.pairs.number[pair]).startsWith(words)
    : data.pairs.image[pair].toLowerCase().includes(words);
}

/** Order pairs by number, or by a method's PSNR with pairs without a value last. */
function orderedPairs(pairs) {
  if (browser.order.value === "") return pairs;
  const sign = Number(browser.direction.value);
  const keys = new Map(pairs.map((pair) => [pair, orderValue(pair)]));
  return [...pairs].sort((a, b) => compareNumbers(keys.get(a), keys.get(b), sign));
}

function orderValue(pair) {
  return pairValue(Number(browser.order.value), psnr, pair);
}

function bucketOf(pair) {
  return data.buckets[data.pairs.bucket[pair]];
}

function showPair(pair) {
  current = pair;
  const place = Math.max(listed.indexOf(pair), 0);
  turnTo(place - (place % PAGE));
  if (!listed.length) return;
  browser.previous.disabled = place === 0;
  browser.next.disabled = place === listed.length - 1;
  const ratio = `hole ratio ${data.pairs.ratio[pair].toFixed(3)} in ${bucketOf(pair)}`;
  browser["pair-title"].replaceChildren(
    `Pair ${data.pairs.number[pair]}`,
    element("small", {}, `${data.pairs.image[pair]}, ${ratio}, ${place + 1} of ${listed.length}`),
  );
  showGallery(pair);
  showComparison();
  showPairMetrics(pair);
}

/** Show the list's page that starts at `first`. */
function turnTo(first) {
  firstListed = first;
  browser.pairs.start = first + 1;
  browser.pairs.replaceChildren(...listed.slice(first, first + PAGE).map(listItem));
  browser.earlier.disabled = first === 0;
  browser.later.disabled = first + PAGE >= listed.length;
  const last = Math.min(first + PAGE, listed.length);
  browser.page.textContent = listed.length ? `${first + 1} to ${last} of ${listed.length}` : "none";
}

function listItem(pair) {
  const button = element("button", { type: "button", "data-pair": data.pairs.number[pair] },
    element("span", { class: "number" }, data.pairs.number[pair]),
    element("span", { class: "name" }, data.pairs.image[pair]),
    element("span", {}, browser.order.value === "" ? bucketOf(pair) : decibels(orderValue(pair))),
  );
  if (pair === current) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => {
    showPair(pair);
    browser.pairs.querySelector("[aria-current]").focus();
  });
  return element("li", {}, button);
}

function decibels(value) {
  return `${valueText(value, psnr)} dB`;
}

function move(step) {
  const pair = listed[listed.indexOf(current) + step];
  if (pair !== undefined) showPair(pair);
}

/** Return the pictures to show, as places in a pair's block: input, chosen methods, truth. */
function shownPictures() {
  const methods = [...pictured.keys()].filter((i) => chosen.methods.has(pictured[i]));
  return [0, ...methods.map((i) => i + 1), PICTURES.length - 1];
}

function sourcesOf(pair) {
  return JSON.parse(document.getElementById(`pair-${data.pairs.number[pair]}`).textContent);
}

function showGallery(pair) {
  const sources = sourcesOf(pair);
  browser.gallery.replaceChildren(...shownPictures().map((i) => {
    const method = pictured[i - 1];
    const value = method === undefined || psnr < 0 ? "" : decibels(pairValue(method, psnr, pair));
    return element("figure", {},
      element("img", { src: sources[i], alt: `${PICTURES[i]} of pair ${data.pairs.number[pair]}` }),
      element("figcaption", {}, element("strong", {}, PICTURES[i]), " ", value),
    );
  }));
}

/** Fill the choices of both sides, and show the chosen pictures of the pair. */
function showComparison() {
  const sources = sourcesOf(current);
  const offered = shownPictures().map(String);
  for (const [side, usual] of [["left", offered[1]], ["right", offered.at(-1)]]) {
    const before = browser[side].value;
    browser[side].replaceChildren(...offered.map((i) => element("option", { value: i }, PICTURES[i])));
    browser[side].value = offered.includes(before) ? before : usual;
    browser[`${side}-picture`].src = sources[browser[side].value];
    browser[`${side}-picture`].alt = `${side}: ${PICTURES[browser[side].value]}`;
  }
  showCut();
}

function showCut() {
  const cut = browser.cut.value;
  browser.stage.style.setProperty("--cut", `${cut}%`);
  const words = `${cut} % ${PICTURES[browser.left.value]}, then ${PICTURES[browser.right.value]}`;
  browser.cut.setAttribute("aria-valuetext", words);
}

function showPairMetrics(pair) {
  const methods = pictured.filter((method) => chosen.methods.has(method));
  const metrics = [...data.metrics.keys()].filter((metric) =>
    methods.some((method) => !Number.isNaN(pairValue(method, metric, pair))));
  browser["metrics-title"].textContent = chosen.seeds.size > 1
    ? "Metrics of this pair: means over the chosen seeds; the pictures show one seed"
    : "Metrics of this pair";
  const label = ({ name, region }) => `${name}, ${region}`;
  const columns = metrics.map((key) => ({ key, label: label(data.metrics[key]) }));
  const cell = (method, metric) => {
    const value = pairValue(method, metric, pair);
    return { text: valueText(value, metric), sort: value };
  };
  fillTable(
    browser["pair-metrics"],
    [{ key: "method", label: "method" }, ...columns],
    methods.map((method) => [{ text: methodNames[method] }, ...metrics.map((metric) => cell(method, metric))]),
  );
}

/** Move the slider to where the pointer drags on the picture. */
function drag(event) {
  if (!browser.stage.hasPointerCapture(event.pointerId)) return;
  const { left, width } = browser.stage.getBoundingClientRect();
  browser.cut.value = (100 * (event.clientX - left)) / width;
  showCut();
}

function moveByKey(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  // Fields and scrolling boxes use the arrow keys themselves, and browsers use Alt with them.
  const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (!step || modified || event.target.matches("input, select, .scroll")) return;
  event.preventDefault();
  move(step);
}

function startPictures() {
  const section = document.getElementById("pictures");
  section.hidden = !picturedPairs.length;
  document.getElementById("pictures-link").parentElement.hidden = section.hidden;
  if (section.hidden) return;
  browser.order.append(element("option", { value: "" }, "pair number"));
  if (psnr >= 0) {
    const label = (method) => `PSNR of ${methodNames[method]}`;
    browser.order.append(...pictured.map((method) => element("option", { value: method }, label(method))));
  }
  browser.search.addEventListener("input", updatePictures);
  for (const id of ["order", "direction"]) browser[id].addEventListener("change", updatePictures);
  browser.earlier.addEventListener("click", () => turnTo(firstListed - PAGE));
  browser.later.addEventListener("click", () => turnTo(firstListed + PAGE));
  browser.previous.addEventListener("click", () => move(-1));
  browser.next.addEventListener("click", () => move(1));
  for (const side of ["left", "right"]) browser[side].addEventListener("change", showComparison);
  browser.cut.addEventListener("input", showCut);
  browser.stage.addEventListener("pointerdown", (event) => {
    browser.stage.setPointerCapture(event.pointerId);
    drag(event);
  });
  browser.stage.addEventListener("pointermove", drag);
  document.addEventListener("keydown", moveByKey);
  updatePictures();
}
