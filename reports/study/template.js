"use strict";

const { study, questions } = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const letter = (option) => String.fromCharCode(65 + option);
const place = `study-${study}`;

// What is kept when the page is closed: ballot, voter, answers by question, the question shown.
let vote = load() ?? fresh();

function fresh() {
  return { ballot: uuid(), voter: "", answers: {}, shown: 0 };
}

// Version 4; crypto.randomUUID is missing on pages that come over plain http.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

// The tab's history keeps the vote over a reload; storage keeps it when the page is closed. Storage
// alone is not enough: a browser may refuse it. And a page that is reloaded within moments of a save
// sometimes gets an empty storage in Chromium; its next answer would then replace all earlier ones.
function load() {
  if (history.state?.study === study) return history.state.vote;
  try { return JSON.parse(localStorage.getItem(place)); } catch { return null; }
}

function save() {
  history.replaceState({ study, vote }, "");
  try { localStorage.setItem(place, JSON.stringify(vote)); } catch { /* see load */ }
}

const answered = () => Object.keys(vote.answers).length;

function ballot() {
  const answers = Object.entries(vote.answers).map(([question, option]) => [+question, option]);
  const made = new Date().toISOString();
  return JSON.stringify({ study, ballot: vote.ballot, voter: vote.voter, answers, made });
}

function show(id) {
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== id;
  scrollTo(0, 0);
}

function showStart() {
  show("start");
  at("number").textContent = questions.length;
  at("voter").value = vote.voter;
  at("saved").hidden = at("afresh").hidden = !answered();
  at("saved").textContent = `You have answered ${answered()} of ${questions.length}.`;
  at("go").textContent = answered() ? "Go on" : "Begin";
  at("voter").focus();
}

function showQuestion() {
  const { input, options } = questions[vote.shown];
  show("question");
  at("title").textContent = `Question ${vote.shown + 1} of ${questions.length}`;
  at("progress").max = questions.length;
  at("progress").value = answered();
  at("input").src = input;
  document.querySelectorAll("label.option").forEach((label) => label.remove());
  at("sheet").append(...options.map(optionLabel));
  at("next").disabled = !(vote.shown in vote.answers);
  at("title").focus();
}

function optionLabel(source, option) {
  const label = Object.assign(document.createElement("label"), { className: "option" });
  const radio = Object.assign(document.createElement("input"), {
    type: "radio", name: "option", value: option, checked: vote.answers[vote.shown] === option,
  });
  radio.addEventListener("change", () => choose(option));
  const text = Object.assign(document.createElement("span"), { textContent: letter(option) });
  const image = Object.assign(document.createElement("img"), { src: source, alt: "" });
  label.append(radio, text, image);
  return label;
}

function choose(option) {
  vote.answers[vote.shown] = option;
  save();
  at("progress").value = answered();
  at("next").disabled = false;
}

function move(step) {
  vote.shown += step;
  if (vote.shown < 0) vote.shown = 0;
  else if (vote.shown < questions.length) showQuestion();
  else showEnd();
  save();
}

function showEnd() {
  vote.shown = Math.min(vote.shown, questions.length - 1);
  show("end");
  at("answered").textContent = answered() === questions.length
    ? `Thank you: all ${questions.length} questions are answered.`
    : `${answered()} of ${questions.length} questions are answered.`;
  at("text").value = ballot();
  at("done").textContent = "";
  at("download").disabled = !answered();
  at("download").focus();
}

function download() {
  const name = `ballot-${vote.ballot.slice(0, 8)}.json`;
  const url = URL.createObjectURL(new Blob([ballot()], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  at("done").textContent = `Saved as ${name}, in your downloads.`;
}

at("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  vote.voter = at("voter").value.trim();
  save();
  showQuestion();
});
at("afresh").addEventListener("click", () => { vote = fresh(); save(); showStart(); });
at("vote").addEventListener("submit", (event) => { event.preventDefault(); move(1); });
at("back").addEventListener("click", () => (vote.shown ? move(-1) : showStart()));
at("stop").addEventListener("click", showEnd);
at("return").addEventListener("click", showQuestion);
at("download").addEventListener("click", download);

document.addEventListener("keydown", (event) => {
  if (at("question").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const radios = document.querySelectorAll("label.option input");
  const option = event.key.length === 1 ? event.key.toUpperCase().charCodeAt(0) - 65 : -1;
  if (option in radios) {
    radios[option].focus();
    radios[option].click();
  } else if (event.key === "Backspace") {
    at("back").click();
  } else if (event.key === "Enter" && event.target.tagName !== "BUTTON") {
    event.preventDefault();
    at("next").click(); // does nothing while the button is disabled
  }
});

const first = new Image();
first.onload = () => {
  document.body.style.setProperty("--side", `${Math.max(256, first.naturalWidth)}px`);
};
first.src = questions[0].input;
showStart();
