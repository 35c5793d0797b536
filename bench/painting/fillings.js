// The choice of methods, and the fillings side by side.

import { askFilling } from "./requests.js";

const QUICK = "A quick run trains for about a minute: it shows that all works, not what the method can do.";
const cards = document.getElementById("cards");
const close = document.getElementById("close");
const cancel = document.getElementById("cancel");
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
    ["Trained runs", methods.filter(({ preset }) => preset)],
    ["Algorithms", methods.filter(({ preset }) => !preset)],
  ];
  const names = methods.map(({ name }) => lastPart(name));
  const isUnique = (name) => names.indexOf(name) === names.lastIndexOf(name);
  const labelOf = ({ name }) => (isUnique(lastPart(name)) ? lastPart(name) : name);
  for (const [legend, some] of kinds.filter(([, those]) => those.length)) {
    const boxes = some.map((method) => checkbox(method, labelOf(method)));
    const note = some.some(isQuick) ? [element("p", { class: "hint" }, QUICK)] : [];
    form.append(element("fieldset", {}, element("legend", {}, legend), ...boxes, ...note));
  }
  form.querySelector("input")?.click();
}

function checkbox({ name, summary, preset }, label) {
  const data = { "data-label": label, "data-preset": preset };
  const box = element("input", { type: "checkbox", name: "method", value: name, ...data });
  return element("label", { title: name }, box, element("span", {}, element("b", {}, label), summary));
}

function isQuick({ preset }) {
  return preset === "quick";
}

/** Return a run's own name, without its folder; an algorithm has no other. */
function lastPart(name) {
  return name.split(/[/\\]/).at(-1);
}

/** The methods that fill one hole, one after the other. */
export class Fillings {
  /**
   * `sent` has the files of picture and mask, and the `stem` of the names of saved files. `holed` is
   * a canvas with the picture and its hole, and `box` the least one around the hole.
   */
  constructor(methods, sent, holed, box) {
    Object.assign(this, { sent, box, size: { left: 0, top: 0, width: holed.width, height: holed.height } });
    this.waiting = methods.map((method) => this.#card(method));
    this.total = methods.length;
    for (const image of cards.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    const caption = element("figcaption", {}, element("strong", {}, "Input"), "the hole in white");
    const input = element("figure", {}, element("div", { class: "view" }, holed), caption);
    cards.replaceChildren(input, ...this.waiting.map(({ card }) => card));
    close.onchange = () => this.#look();
    this.#look();
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

  /** Show the hole with as much again around it, or the whole pictures. */
  #look() {
    const { left, top, width, height } = close.checked ? this.#around() : this.size;
    const view = { aspect: width / height, scale: this.size.width / width, left: left / width, top: top / width };
    for (const [name, value] of Object.entries(view)) cards.style.setProperty(`--${name}`, value);
  }

  #around() {
    const { left, top, width, height } = this.box;
    const margin = Math.max(16, width / 2, height / 2);
    const [x, y] = [Math.max(0, left - margin), Math.max(0, top - margin)];
    return {
      left: x,
      top: y,
      width: Math.min(this.size.width, left + width + margin) - x,
      height: Math.min(this.size.height, top + height + margin) - y,
    };
  }

  #card(method) {
    const { name, label } = method;
    const place = element("div", { class: "place" }, "waiting");
    const button = element("button", { type: "button", "aria-label": `Cancel ${label}` }, "Cancel");
    const caption = element("figcaption", {}, element("strong", {}, label), isQuick(method) ? "quick run" : "", button);
    const card = element("figure", { "data-method": name, "data-state": "waiting", title: name }, place, caption);
    const entry = { name, label, card, place, caption, button };
    button.addEventListener("click", () => this.#leaveOut(entry));
    return entry;
  }

  async #fill({ name, label, card, place, caption, button }) {
    card.dataset.state = "filling";
    button.remove();
    place.textContent = "filling";
    const start = performance.now();
    const clock = setInterval(() => {
      place.textContent = `filling, ${Math.round((performance.now() - start) / 1000)} s`;
    }, 1000);
    try {
      const { filled, seconds } = await askFilling(name, this.sent.picture, this.sent.mask);
      const image = element("img", { src: URL.createObjectURL(filled), alt: `Filled by ${label}` });
      await image.decode();
      place.replaceWith(element("div", { class: "view" }, image));
      const file = `${this.sent.stem}-${label.replace(/[/\\]/g, "-")}.png`;
      const save = element("a", { href: image.src, download: file, "aria-label": `Save ${file}` }, "Save");
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
    const failed = cards.querySelectorAll("[data-state=failed]").length;
    progress.max = this.total;
    progress.value = done;
    progress.hidden = !this.waiting.length;
    cancel.hidden = this.waiting.length < 2;
    progressText.textContent = `${done} of ${this.total} done${failed ? `, ${failed} of them failed` : ""}`;
  }
}

function duration(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}
