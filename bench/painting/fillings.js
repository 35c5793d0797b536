// The choice of methods, and the fillings side by side.

import { askFilling } from "./requests.js";

const cards = document.getElementById("cards");
const progress = document.getElementById("progress");
const progressText = document.getElementById("progress-text");

/** Return an element with attributes and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Fill the form with a checkbox for each method; the first is chosen. */
export function offer(form, methods) {
  const kinds = [
    ["Runs", methods.filter(({ preset }) => preset)],
    ["Algorithms", methods.filter(({ preset }) => !preset)],
  ];
  form.replaceChildren(
    ...kinds.filter(([, some]) => some.length).map(([legend, some]) =>
      element("fieldset", {}, element("legend", {}, legend), ...some.map(checkbox))),
  );
  form.querySelector("input")?.click();
}

function checkbox({ name, summary, preset }) {
  const box = element("input", { type: "checkbox", name: "method", value: name });
  box.dataset.preset = preset;
  const quick = preset === "quick" ? [element("em", {}, QUICK)] : [];
  const text = element("span", {}, element("b", {}, lastPart(name)), ` ${summary} `, ...quick);
  return element("label", { title: name }, box, text);
}

const QUICK = "a quick run, trained for a minute: it shows that all works, not what the method can do";

/** Return a method's own name: a run is named by its path. */
export function lastPart(name) {
  return name.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1);
}

/** The methods that fill one hole, one after the other. */
export class Fillings {
  /** `stem` begins the names of saved files; `holed` is a canvas with the picture and its hole. */
  constructor(methods, picture, mask, stem, holed) {
    Object.assign(this, { picture, mask, stem, ratio: holed.width / holed.height });
    this.waiting = methods.map((method) => this.#card(method));
    this.total = methods.length;
    for (const image of cards.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    const input = element("figure", {}, holed, element("figcaption", {}, element("strong", {}, "Input"), " the hole in white"));
    cards.replaceChildren(input, ...this.waiting.map(({ card }) => card));
  }

  /** Fill by each method that nobody cancels meanwhile. */
  async run() {
    this.#tell();
    while (this.waiting.length) {
      await this.#fill(this.waiting[0]);
      this.waiting.shift();
      this.#tell();
    }
  }

  /** Leave out what has not begun. */
  cancel() {
    for (const entry of this.waiting.slice(1)) this.#leaveOut(entry);
  }

  #leaveOut(entry) {
    this.waiting.splice(this.waiting.indexOf(entry), 1);
    this.total -= 1;
    entry.card.remove();
    this.#tell();
  }

  #card({ name, preset }) {
    const place = element("div", { class: "place" }, "waiting");
    const caption = element("figcaption", {}, element("strong", {}, lastPart(name)));
    if (preset === "quick") caption.append(element("em", {}, " quick run "));
    const cancel = element("button", { type: "button", "aria-label": `Cancel ${lastPart(name)}` }, "Cancel");
    caption.append(cancel);
    const card = element("figure", { "data-method": name, "data-state": "waiting", title: name }, place, caption);
    place.style.aspectRatio = String(this.ratio);
    const entry = { name, card, place, caption, cancel };
    cancel.addEventListener("click", () => this.#leaveOut(entry));
    return entry;
  }

  async #fill({ name, card, place, caption, cancel }) {
    card.dataset.state = "filling";
    cancel.remove();
    const start = performance.now();
    const clock = setInterval(() => {
      place.textContent = `filling, ${Math.round((performance.now() - start) / 1000)} s`;
    }, 500);
    place.textContent = "filling";
    try {
      const { filled, seconds } = await askFilling(name, this.picture, this.mask);
      const url = URL.createObjectURL(filled);
      const image = element("img", { src: url, alt: `Filled by ${lastPart(name)}` });
      await image.decode();
      place.replaceWith(image);
      const file = `${this.stem}-${lastPart(name)}.png`;
      const save = element("a", { href: url, download: file, "aria-label": `Save ${file}` }, "Save");
      caption.append(element("span", { class: "time" }, duration(seconds)), save);
      card.dataset.state = "filled";
    } catch (error) {
      place.textContent = error.message;
      place.classList.add("error");
      card.dataset.state = "failed";
    } finally {
      clearInterval(clock);
    }
  }

  #tell() {
    const done = this.total - this.waiting.length;
    progress.max = this.total;
    progress.value = done;
    progress.hidden = !this.waiting.length;
    const failed = cards.querySelectorAll("[data-state=failed]").length;
    const end = failed ? `${done} done, ${failed} of them failed` : `${done} done`;
    progressText.textContent = this.waiting.length ? `${done} of ${this.total} done` : end;
  }
}

function duration(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}
