// The strokes of a hole, in pixels of the picture, and what undo and redo make of them.

/** Everything that was done to the hole, drawn on a canvas of the picture's size. */
export class Strokes {
  constructor(canvas) {
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.restart();
  }

  /** Forget all strokes: there is another picture. */
  restart() {
    this.done = [];
    this.undone = [];
    this.redraw();
  }

  begin(point, size, erases) {
    this.done.push({ points: [point], size, erases });
    this.undone = [];
    this.#segment(this.done.at(-1), 0);
  }

  extend(point) {
    const stroke = this.done.at(-1);
    stroke.points.push(point);
    this.#segment(stroke, stroke.points.length - 1);
  }

  /** Take the stroke back that was just begun, as if it had never been. */
  drop() {
    this.done.pop();
    this.redraw();
  }

  clear() {
    this.done.push({ points: [], clears: true });
    this.undone = [];
    this.redraw();
  }

  undo() {
    if (!this.done.length) return;
    this.undone.push(this.done.pop());
    this.redraw();
  }

  redo() {
    if (!this.undone.length) return;
    this.done.push(this.undone.pop());
    this.redraw();
  }

  redraw() {
    const { canvas } = this.context;
    this.context.clearRect(0, 0, canvas.width, canvas.height);
    const start = this.done.findLastIndex(({ clears }) => clears) + 1;
    for (const stroke of this.done.slice(start)) {
      stroke.points.forEach((_, i) => this.#segment(stroke, i));
    }
  }

  /** Return the share of the picture that is hole, 0 to 1. */
  share() {
    let holes = 0;
    const words = this.#words();
    for (const word of words) holes += isHole(word);
    return holes / words.length;
  }

  /** Return the least box around the hole, which must be there. */
  box() {
    const { width, height } = this.context.canvas;
    const [xs, ys] = [[width, -1], [height, -1]]; // the first and the last
    this.#words().forEach((word, i) => {
      if (!isHole(word)) return;
      const [x, y] = [i % width, Math.floor(i / width)];
      if (x < xs[0]) xs[0] = x;
      if (x > xs[1]) xs[1] = x;
      if (y < ys[0]) ys[0] = y;
      ys[1] = y;
    });
    const [left, top] = [xs[0], ys[0]];
    return { left, top, width: xs[1] - left + 1, height: ys[1] - top + 1 };
  }

  /** Return the hole as a canvas in black and white, white = hole. */
  mask() {
    const { width, height } = this.context.canvas;
    const words = this.#words().map((word) => (isHole(word) ? 0xffffffff : 0xff000000));
    const mask = new OffscreenCanvas(width, height);
    const pixels = new ImageData(new Uint8ClampedArray(words.buffer), width, height);
    mask.getContext("2d").putImageData(pixels, 0, 0);
    return mask;
  }

  /** Return the pixels of the canvas, each as one number: alpha, blue, green, red. */
  #words() {
    const { width, height } = this.context.canvas;
    return new Uint32Array(this.context.getImageData(0, 0, width, height).data.buffer);
  }

  /** Draw the part of a stroke that leads to one of its points. */
  #segment({ points, size, erases }, i) {
    const { context } = this;
    context.globalCompositeOperation = erases ? "destination-out" : "source-over";
    context.strokeStyle = "#e6007a";
    context.lineCap = "round";
    context.lineWidth = size;
    context.beginPath();
    context.moveTo(points[Math.max(0, i - 1)].x, points[Math.max(0, i - 1)].y);
    context.lineTo(points[i].x, points[i].y);
    context.stroke();
  }
}

/** Return whether a pixel is hole: on the border of a stroke it is painted in part. */
function isHole(word) {
  return word >>> 24 >= 128;
}
