// The picture with the hole on it: painting by mouse, pen, touch or keys, zooming and moving.

import { Strokes } from "./strokes.js";

const LARGEST_ZOOM = 16; // screen pixels per pixel of the picture
const STEP = 1.25; // factor of one step of the zoom
const PEN_ERASER = 32; // bit of `buttons` for the other end of a pen

export class Board {
  /** `changed` is called whenever a stroke ends, or is undone or done again. */
  constructor(stage, changed) {
    this.stage = stage;
    this.sheet = stage.querySelector("#sheet");
    this.picture = stage.querySelector("#picture");
    this.canvas = stage.querySelector("#mask");
    this.ring = stage.querySelector("#ring");
    this.strokes = new Strokes(this.canvas);
    this.changed = changed;
    this.tool = "brush";
    this.size = 40;
    this.zoom = 1;
    this.fitted = true;
    this.cursor = { x: 0, y: 0 };
    this.pointers = new Map();
    this.#listen();
  }

  /** Show a picture, whose image element has been loaded, without a hole. */
  restart() {
    this.canvas.width = this.picture.naturalWidth;
    this.canvas.height = this.picture.naturalHeight;
    this.cursor = { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    this.strokes.restart();
    this.fit();
    this.changed();
  }

  /** Choose a brush of so many pixels of the picture. */
  setSize(size) {
    this.size = size;
    this.#placeRing();
  }

  clear() { this.#change(() => this.strokes.clear()); }
  undo() { this.#change(() => this.strokes.undo()); }
  redo() { this.#change(() => this.strokes.redo()); }

  #change(act) {
    if (this.painting) return; // a stroke is not yet whole
    act();
    this.changed();
  }

  /** Zoom so that the whole picture is in sight; a small one is enlarged, to be painted on. */
  fit() {
    const height = Math.max(240, window.innerHeight * 0.68);
    this.#setZoom(Math.min(this.stage.clientWidth / this.canvas.width, height / this.canvas.height, 4));
    this.fitted = true;
  }

  /** Zoom by a factor; the point of the stage at `x`, `y`, its middle if absent, stays in place. */
  zoomBy(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const { stage, zoom } = this;
    const left = (stage.scrollLeft + x) / zoom;
    const top = (stage.scrollTop + y) / zoom;
    this.#setZoom(Math.min(LARGEST_ZOOM, Math.max(0.02, zoom * factor)));
    stage.scrollLeft = left * this.zoom - x;
    stage.scrollTop = top * this.zoom - y;
    this.fitted = false;
  }

  zoomIn() { this.zoomBy(STEP); }
  zoomOut() { this.zoomBy(1 / STEP); }

  #setZoom(zoom) {
    this.zoom = zoom;
    this.sheet.style.width = `${this.canvas.width * zoom}px`;
    this.sheet.style.height = `${this.canvas.height * zoom}px`;
    this.sheet.classList.toggle("large", zoom > 2);
    this.#placeRing();
  }

  #placeRing() {
    this.ring.style.width = this.ring.style.height = `${this.size * this.zoom}px`;
    this.ring.style.left = `${this.cursor.x * this.zoom}px`;
    this.ring.style.top = `${this.cursor.y * this.zoom}px`;
  }

  #listen() {
    const { stage, sheet } = this;
    sheet.addEventListener("pointerdown", (event) => this.#press(event));
    sheet.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      sheet.addEventListener(end, (event) => this.#release(event));
    }
    sheet.addEventListener("pointerleave", () => (this.ring.hidden = document.activeElement !== stage));
    stage.addEventListener("focus", () => (this.ring.hidden = this.tool === "move"));
    stage.addEventListener("blur", () => (this.ring.hidden = true));
    stage.addEventListener("keydown", (event) => this.#key(event));
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    new ResizeObserver(() => this.fitted && this.canvas.width && this.fit()).observe(stage.parentElement);
  }

  #pointOf({ clientX, clientY }) {
    const box = this.sheet.getBoundingClientRect();
    return { x: (clientX - box.left) / this.zoom, y: (clientY - box.top) / this.zoom };
  }

  #press(event) {
    if (event.pointerType === "mouse" && event.button > 1) return;
    if (event.button === 1) event.preventDefault(); // or the page would scroll with the mouse
    this.sheet.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2 && this.painting) {
      this.strokes.drop(); // the first of two fingers began it
      this.painting = false;
    }
    if (this.pointers.size > 1 || this.tool === "move" || event.button === 1) return;
    this.painting = true;
    const erases = this.tool === "eraser" || Boolean(event.buttons & PEN_ERASER);
    this.#moveCursor(this.#pointOf(event));
    this.strokes.begin(this.cursor, this.size, erases);
  }

  #drag(event) {
    this.#moveCursor(this.#pointOf(event));
    this.ring.hidden = this.tool === "move" || event.pointerType === "touch";
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (this.painting) {
      const moves = event.getCoalescedEvents?.() ?? [];
      for (const move of moves.length ? moves : [event]) this.strokes.extend(this.#pointOf(move));
    } else {
      this.#pull(before, event);
    }
    this.pointers.set(event.pointerId, event);
  }

  /** Move the sheet by a pointer, and zoom it by the distance from a second one. */
  #pull(before, event) {
    const { stage } = this;
    const other = [...this.pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    const share = other ? 0.5 : 1; // of two fingers, the middle moves half as far
    stage.scrollLeft -= (event.clientX - before.clientX) * share;
    stage.scrollTop -= (event.clientY - before.clientY) * share;
    if (!other) return;
    const distance = ({ clientX, clientY }) =>
      Math.max(1, Math.hypot(clientX - other.clientX, clientY - other.clientY));
    const box = stage.getBoundingClientRect();
    const middle = [(event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2];
    this.zoomBy(distance(event) / distance(before), middle[0] - box.left, middle[1] - box.top);
  }

  #release(event) {
    this.pointers.delete(event.pointerId);
    if (!this.painting) return;
    this.painting = false;
    this.changed();
  }

  #moveCursor(point) {
    this.cursor = point;
    this.#placeRing();
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // it scrolls
    event.preventDefault();
    const box = this.stage.getBoundingClientRect();
    this.zoomBy(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
  }

  #key(event) {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || this.tool === "move") return;
    if (!direction && event.key !== " ") return;
    event.preventDefault();
    this.ring.hidden = false;
    const paints = event.key === " " || event.shiftKey;
    if (paints) this.strokes.begin(this.cursor, this.size, this.tool === "eraser");
    if (direction) this.#stepCursor(direction);
    if (direction && paints) this.strokes.extend(this.cursor);
    if (paints) this.changed();
  }

  #stepCursor([right, down]) {
    const step = Math.max(1, this.size / 4);
    const inside = (value, most) => Math.min(most, Math.max(0, value));
    this.#moveCursor({
      x: inside(this.cursor.x + right * step, this.canvas.width),
      y: inside(this.cursor.y + down * step, this.canvas.height),
    });
    this.ring.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}
