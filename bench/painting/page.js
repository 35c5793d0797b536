// The page: loading a picture, the tools, their keys, and the button that fills.

import { Board } from "./board.js";
import { Fillings, element, offer } from "./fillings.js";
import { askMethods, askPicture } from "./requests.js";

const find = (id) => document.getElementById(id);
const board = new Board(find("stage"), changed);
let file = null; // the picture's file as the user has it
let filling = null; // the fillings in work
let hasHole = false;
let counting = 0; // timer of `count`

// Loading

async function load(chosen) {
  find("picture-error").textContent = "";
  const before = find("about").textContent;
  find("about").textContent = `Reading ${chosen.name}`;
  try {
    const shown = await askPicture(chosen);
    URL.revokeObjectURL(board.picture.src);
    board.picture.src = URL.createObjectURL(shown);
    await board.picture.decode();
  } catch (error) {
    find("about").textContent = before;
    find("picture-error").textContent = `${chosen.name}: ${error.message}`;
    return;
  }
  file = chosen;
  show();
}

function show() {
  const { naturalWidth, naturalHeight } = board.picture;
  find("about").textContent = `${file.name}, ${naturalWidth} × ${naturalHeight} pixels`;
  find("drop").hidden = true;
  find("editor").hidden = false;
  find("size").max = Math.max(16, Math.round(Math.min(naturalWidth, naturalHeight) / 2));
  setSize(Math.round(Math.max(4, Math.min(naturalWidth, naturalHeight) / 14)));
  find("save-picture").href = board.picture.src;
  find("save-picture").download = `${stem()}.png`;
  board.restart();
}

/** Return the beginning of the names of saved files. */
function stem() {
  return file.name.replace(/\.[^.]*$/, "") || "picture";
}

find("file").addEventListener("change", ({ target }) => {
  if (target.files.length) load(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragged");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dragged");
});
document.addEventListener("drop", (event) => {
  event.preventDefault(); // or the browser would leave the page for the picture
  document.body.classList.remove("dragged");
  if (event.dataTransfer.files.length) load(event.dataTransfer.files[0]);
});
document.addEventListener("paste", ({ clipboardData }) => {
  if (clipboardData.files.length) load(clipboardData.files[0]);
});

// The hole

function changed() {
  const { done, undone } = board.strokes;
  find("undo").disabled = find("clear").disabled = !done.length;
  find("redo").disabled = !undone.length;
  find("stale").textContent = find("results").hidden ? "" : "The picture or its hole has changed since.";
  clearTimeout(counting);
  counting = setTimeout(count, 100); // a large picture takes as long
}

/** Say how much is hole, and whether it can be filled. */
function count() {
  const share = board.strokes.share();
  const percent = (100 * share).toLocaleString("en", { maximumSignificantDigits: 2 });
  find("ratio").textContent = `${percent} % is hole.`;
  if (share === 0) find("ratio").textContent = "No hole yet: paint one.";
  if (share === 1) find("ratio").textContent = "All is hole: leave some of the picture.";
  hasHole = share > 0 && share < 1;
  allow();
}

function setSize(size) {
  const { min, max } = find("size");
  find("size").value = Math.min(Number(max), Math.max(Number(min), size));
  find("size-text").textContent = `${find("size").value} px`;
  board.setSize(Number(find("size").value));
}

function setTool(tool) {
  board.tool = tool;
  document.querySelector(`[name=tool][value=${tool}]`).checked = true;
  find("stage").dataset.tool = tool;
}

const resizeBrush = (factor) => setSize(Math.round(board.size * factor + Math.sign(factor - 1)));
const ACTIONS = {
  undo: () => board.undo(),
  redo: () => board.redo(),
  clear: () => board.clear(),
  smaller: () => board.zoomOut(),
  larger: () => board.zoomIn(),
  fit: () => board.fit(),
};
for (const [id, action] of Object.entries(ACTIONS)) find(id).addEventListener("click", action);
find("size").addEventListener("input", ({ target }) => setSize(Number(target.value)));
for (const radio of document.querySelectorAll("[name=tool]")) {
  radio.addEventListener("change", () => setTool(radio.value));
}

const KEYS = {
  b: () => setTool("brush"),
  e: () => setTool("eraser"),
  m: () => setTool("move"),
  "[": () => resizeBrush(1 / 1.2),
  "]": () => resizeBrush(1.2),
  "+": ACTIONS.larger,
  "=": ACTIONS.larger,
  "-": ACTIONS.smaller,
  0: ACTIONS.fit,
};
const WITH_CONTROL = {
  z: ({ shiftKey }) => (shiftKey ? board.redo() : board.undo()),
  y: () => board.redo(),
};
document.addEventListener("keydown", (event) => {
  const action = (event.ctrlKey || event.metaKey ? WITH_CONTROL : KEYS)[event.key.toLowerCase()];
  if (!action || !file || event.altKey) return;
  event.preventDefault();
  action(event);
});

find("save-mask").addEventListener("click", async () => {
  const url = URL.createObjectURL(await board.strokes.mask().convertToBlob());
  element("a", { href: url, download: `${stem()}-mask.png` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // once the browser has surely saved it
});

// Filling

function chosenMethods() {
  const boxes = [...document.querySelectorAll("[name=method]:checked")];
  return boxes.map(({ value, dataset }) => ({ name: value, ...dataset }));
}

function allow() {
  find("fill").disabled = Boolean(filling) || !file || !hasHole || !chosenMethods().length;
}

/** Return a canvas with the picture and its hole in white. */
function holed(mask) {
  const canvas = element("canvas", { role: "img", "aria-label": "The picture with its hole in white" });
  canvas.width = mask.width;
  canvas.height = mask.height;
  const context = canvas.getContext("2d");
  context.drawImage(board.picture, 0, 0);
  context.globalCompositeOperation = "lighten"; // white covers, black changes nothing
  context.drawImage(mask, 0, 0);
  return canvas;
}

async function fill() {
  const mask = board.strokes.mask();
  const blob = await mask.convertToBlob();
  const sent = { picture: file, mask: blob, stem: stem() };
  filling = new Fillings(chosenMethods(), sent, holed(mask), board.strokes.box());
  find("results").hidden = false;
  find("stale").textContent = "";
  allow();
  find("results").scrollIntoView({ block: "nearest" });
  await filling.run();
  filling = null;
  allow();
}

find("fill").addEventListener("click", fill);
find("cancel").addEventListener("click", () => filling?.cancel());
find("choice").addEventListener("change", allow);

setTool("brush");
try {
  const { methods, problems, mostBytes, mostPixels } = await askMethods();
  offer(find("choice"), methods);
  find("limits").textContent = `up to ${mostBytes / 1e6} MB and ${mostPixels / 1e6} million pixels`;
  find("problems").append(...problems.map((problem) => element("li", {}, problem)));
} catch (error) {
  find("problems").append(element("li", {}, error.message));
}
