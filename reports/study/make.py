"""The voting page of a user study, and the key that says which method made each picture.

The page is blind. All its pictures are encoded again in the same way, and every question shows the
methods in a new random order. That order comes from a seed which only the key tells.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.core.errors import UserError, unknown
from bench.core.files import read_json, write_json, write_text
from bench.core.run_folder import RunFolder
from bench.core.seeds import rng
from bench.evaluation import records
from reports.pictures import Picture, read_picture

Question = dict[str, Any]


@dataclass(frozen=True)
class Gallery:
    """The saved test pairs of one run."""

    run: RunFolder
    method: str
    seed: int
    manifest: str
    buckets: Mapping[int, str]
    """Bucket of the hole ratio for each test pair that has pictures."""
    settings: Mapping[str, Any]
    """Settings of the training, without the method, its code and the seed; empty if untrained."""

    def picture(self, pair: int, what: str) -> Picture:
        """Return the `input` or `output` of a pair, [H,W,3] in 0..255.

        Raise UserError if the file cannot be read.
        """
        return read_picture(self.run.pictures.file(pair, what))


def make(
    runs: Sequence[RunFolder],
    to: Path,
    methods: Sequence[str] = (),
    questions: int = 30,
    seed: int | None = None,
) -> str:
    """Write `study.html` and `key.json` into `to`; return a summary.

    `runs` must be finished. `methods` defaults to all that have pictures. Each method is shown by
    its run with the lowest seed, on test pairs that all of them share. The questions are balanced
    over the buckets of the hole ratio. Without `seed` one is drawn; the key tells it. Raise
    `UserError` if `questions` is below 1, if fewer than two methods share test pairs, or if `to`
    holds another study.
    """
    if questions < 1:
        raise UserError(f"--questions {questions}: at least 1")
    # A seed that can be guessed would give away the order of the methods.
    seed = secrets.randbelow(2**63) if seed is None else seed
    chosen = _choose([g for run in runs if (g := _gallery(run)).buckets], methods)
    pairs = _draw(_shared(chosen), questions, seed)
    shown, keyed = zip(*(_question(pair, chosen, seed) for pair in pairs), strict=True)
    # The digest of what voters see: a ballot names it, so that only its own key counts it.
    study = hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]
    key = {
        "study": study,
        "seed": seed,
        "manifest": chosen[0].manifest,
        "runs": {gallery.method: gallery.run.name for gallery in chosen},
        "settings that differ": _differing(chosen),
        "questions": keyed,
    }
    _refuse_another(to / "key.json", study)
    write_json(to / "key.json", key)
    write_text(to / "study.html", _page({"study": study, "questions": shown}))
    return _summary(key, questions, to)


def _gallery(run: RunFolder) -> Gallery:
    """Return the test pairs of a run; raise UserError if it has no record of its own method."""
    frame = records.read([run.records])
    own = frame[frame["method"] == run.method].drop_duplicates("pair")
    if own.empty:
        raise UserError(f"{run.records} has no record of {run.method}")
    saved = run.pictures.complete
    return Gallery(
        run,
        method=run.method,
        seed=int(own["seed"].iloc[0]),
        manifest=str(own["manifest"].iloc[0]),
        buckets={p: b for p, b in zip(own["pair"], own["bucket"], strict=True) if p in saved},
        settings=run.settings if run.trained else {},
    )


def _choose(galleries: Sequence[Gallery], methods: Sequence[str]) -> list[Gallery]:
    """Return one run per method, all on the test pairs of one manifest.

    Raise UserError if that is impossible, or possible with several manifests.
    """
    names = list(dict.fromkeys(methods or sorted({g.method for g in galleries})))
    for name in names:
        if all(name != g.method for g in galleries):
            raise unknown("method with pictures", name, {g.method for g in galleries})
    if len(names) < 2:
        here = ", ".join(names) or "none"
        raise UserError(f"a study compares at least two methods with pictures; here: {here}")
    manifests = dict.fromkeys(g.manifest for g in galleries)
    having = {m: {g.method for g in galleries if g.manifest == m} for m in manifests}
    shared = [m for m in manifests if having[m] >= set(names)]
    if len(shared) != 1:
        what = "; ".join(f"{m}: {', '.join(sorted(having[m]))}" for m in shared or manifests)
        raise UserError(
            f"the methods must share the test pairs of one manifest, but these are here: {what}; "
            "choose --methods, or name the runs themselves with --runs"
        )
    return [
        _first_seed([g for g in galleries if (g.method, g.manifest) == (name, shared[0])])
        for name in names
    ]


def _first_seed(galleries: Sequence[Gallery]) -> Gallery:
    """Return one method's run with the lowest seed; raise UserError if two runs have that seed."""
    first, *others = sorted(galleries, key=lambda g: g.seed)
    if others and others[0].seed == first.seed:
        raise UserError(
            f"{first.method} has two runs with seed {first.seed}: {first.run.path} and "
            f"{others[0].run.path}; name the runs themselves with --runs"
        )
    return first


def _shared(chosen: Sequence[Gallery]) -> dict[int, str]:
    """Return the bucket of each pair that all have pictures of; raise UserError without any."""
    pairs = set.intersection(*(set(gallery.buckets) for gallery in chosen))
    if not pairs:
        raise UserError(
            f"{', '.join(g.method for g in chosen)} have no picture of the same test pair"
        )
    # Sorted, so that a seed draws the same pairs every time.
    return {pair: chosen[0].buckets[pair] for pair in sorted(pairs)}


def _draw(buckets: Mapping[int, str], number: int, seed: int) -> list[int]:
    """Draw `number` pairs, or all there are, in random order.

    The numbers of pairs per bucket differ by at most one, until a bucket has no pairs left.
    """
    generator = rng(seed, "study pairs")
    by_bucket: dict[str, list[int]] = {}
    for pair in generator.permutation(list(buckets)):
        by_bucket.setdefault(buckets[int(pair)], []).append(int(pair))
    # Take the first pair of every bucket, then the second of every bucket, and so on.
    turns = sorted((turn, pair) for of in by_bucket.values() for turn, pair in enumerate(of))
    drawn = [pair for _, pair in turns[:number]]
    # Shuffle again, so that the order of the questions tells nothing about buckets.
    return [int(pair) for pair in generator.permutation(drawn)]


def _question(pair: int, chosen: Sequence[Gallery], seed: int) -> tuple[Question, Question]:
    """Return the pictures that the page shows of a pair, and the entry of the key.

    Raise UserError if the runs' pictures of the pair do not belong to the same input.
    """
    # Each pair has its own random stream: its order does not depend on the other questions.
    order = [chosen[i] for i in rng(seed, "study options", pair).permutation(len(chosen))]
    start = order[0].picture(pair, "input")
    outputs = [gallery.picture(pair, "output") for gallery in order]
    for gallery, output in zip(order, outputs, strict=True):
        if output.shape != start.shape:
            raise UserError(f"{gallery.run.path}: output and input of pair {pair} differ in size")
        if not np.array_equal(gallery.picture(pair, "input"), start):
            raise UserError(
                f"{gallery.run.path} and {order[0].run.path} show different inputs of pair {pair}; "
                "give the command that made one of them again, with --redo"
            )
    shown = {"input": _data_uri(start), "options": [_data_uri(output) for output in outputs]}
    bucket = chosen[0].buckets[pair]
    return shown, {"pair": pair, "bucket": bucket, "options": [g.method for g in order]}


def _data_uri(picture: Picture) -> str:
    """Return a lossless PNG, encoded from the pixels alone, as a data URI."""
    # A saved file may hold metadata or habits of its encoder that tell which method made it.
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _differing(chosen: Sequence[Gallery]) -> list[str]:
    """Return the names of the settings in which the trained runs differ."""
    trained = [gallery.settings for gallery in chosen if gallery.settings]
    names = sorted({name for settings in trained for name in settings})
    return [n for n in names if any(s.get(n) != trained[0].get(n) for s in trained)]


def _refuse_another(key: Path, study: str) -> None:
    """Raise UserError if `key` exists and belongs to another study."""
    if not key.exists():
        return
    there = read_json(key)
    if not isinstance(there, dict) or there.get("study") != study:
        raise UserError(
            f"{key} belongs to another study, whose ballots cannot be counted without it; "
            "choose another folder with --to"
        )


def _page(data: Mapping[str, Any]) -> str:
    """Return the template with its style, script and pictures inside."""
    page, style, script = (
        files("reports.study").joinpath(f"template.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    # The data come last, since the texts in them could look like a placeholder.
    filled = page.replace("{{style}}", style).replace("{{script}}", script)
    return filled.replace("{{data}}", json.dumps(data))


def _summary(key: Mapping[str, Any], asked: int, to: Path) -> str:
    methods, questions = list(key["runs"]), key["questions"]
    few = "" if len(questions) == asked else f" ({asked} asked for; no more pairs are shared)"
    lines = [
        f"{len(questions)} questions{few} on {len(methods)} methods: {', '.join(methods)}",
        f"for the voters: {to / 'study.html'}",
        f"to keep from them: {to / 'key.json'}",
    ]
    if key["settings that differ"]:
        lines.insert(1, f"the runs differ in {', '.join(key['settings that differ'])}")
    return "\n".join(lines)
