"""The voting page is blind, balanced and seeded; the key tells whose picture is whose."""

import base64
import io
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from bench.core.errors import UserError
from bench.core.run_folder import RunFolder
from bench.registry import discover
from reports.study.make import make
from tests.reports.study.conftest import (
    BUCKETS,
    METHODS,
    pixels,
    read,
    save,
    write_run,
)


def page_data(page: Path) -> dict[str, Any]:
    script = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text()
    )
    assert script
    data: dict[str, Any] = json.loads(script[1])
    return data


def decoded(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    return base64.b64decode(body)


def chunks(png: bytes) -> list[str]:
    """Names of a PNG's chunks (ISO/IEC 15948, 5.3: length, type, data, CRC)."""
    names, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        names.append(png[at + 4 : at + 8].decode())
        at += 12 + length
    return names


def pictures_of(data: dict[str, Any]) -> Iterator[str]:
    for question in data["questions"]:
        yield from (question["input"], *question["options"])


def test_key_tells_whose_picture_is_whose(study: Path, runs: list[RunFolder]) -> None:
    data, key = page_data(study / "study.html"), read(study / "key.json")
    assert data["study"] == key["study"] and len(data["questions"]) == 8
    for shown, told in zip(data["questions"], key["questions"], strict=True):
        assert sorted(told["options"]) == sorted(METHODS)
        start = np.asarray(Image.open(io.BytesIO(decoded(shown["input"]))))
        assert np.array_equal(start, pixels("input", told["pair"]))
        for uri, method in zip(shown["options"], told["options"], strict=True):
            run = runs[METHODS.index(method)]
            with Image.open(run.pictures.file(told["pair"], "output")) as saved:
                expected = np.asarray(saved)
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(decoded(uri)))), expected)


def test_page_names_no_method(study: Path) -> None:
    text = (study / "study.html").read_text()
    for uri in pictures_of(page_data(study / "study.html")):
        text = text.replace(uri, "")
    assert "base64" not in text.replace("data:,", "")
    # "full" is also a part of English words; of the others not a trace.
    for name in discover():
        assert not re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", text, re.IGNORECASE), name
    assert "pconv" not in text.lower() and "quick" not in text and "seed" not in text.lower()
    assert str(read(study / "key.json")["manifest"]) not in text.split()


def test_pictures_hold_nothing_but_pixels(study: Path) -> None:
    for uri in pictures_of(page_data(study / "study.html")):
        png = decoded(uri)
        assert {*chunks(png)} == {"IHDR", "IDAT", "IEND"} and chunks(png)[-1] == "IEND"
        width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
        assert (width, height, depth, colour) == (16, 12, 8, 2)


def test_page_is_self_contained(study: Path) -> None:
    text = (study / "study.html").read_text()
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', text)
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"https?://|@import|url\(", text) and "{{" not in text


def test_orders_are_seeded(runs: list[RunFolder], study: Path, tmp_path: Path) -> None:
    make(runs, tmp_path / "again", METHODS, questions=8, seed=5)
    make(runs, tmp_path / "other", METHODS, questions=8, seed=6)
    for name in ("study.html", "key.json"):
        again = (tmp_path / "again" / name).read_bytes()
        assert again == (study / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_order_does_not_follow_the_order_of_asking(runs: list[RunFolder], tmp_path: Path) -> None:
    make(runs, tmp_path, METHODS, questions=24, seed=0)
    orders = {tuple(q["options"]) for q in read(tmp_path / "key.json")["questions"]}
    assert len(orders) == 6  # all permutations of three


def test_without_a_seed_a_new_one_is_drawn_each_time(runs: list[RunFolder], tmp_path: Path) -> None:
    seeds = []
    for name in "ab":
        make(runs, tmp_path / name, METHODS, questions=4)
        seeds.append(read(tmp_path / name / "key.json")["seed"])
        assert str(seeds[-1]) not in (tmp_path / name / "study.html").read_text()
    assert seeds[0] != seeds[1]


def test_each_method_stands_at_each_place_equally_often(
    runs: list[RunFolder], tmp_path: Path
) -> None:
    places = {method: [0, 0, 0] for method in METHODS}
    for seed in range(12):
        make(runs, tmp_path / str(seed), METHODS, questions=24, seed=seed)
        for question in read(tmp_path / str(seed) / "key.json")["questions"]:
            for place, method in enumerate(question["options"]):
                places[method][place] += 1
    assert stats.chi2_contingency(list(places.values())).pvalue > 1e-3


@pytest.mark.parametrize("number", [1, 4, 7, 22, 24])
def test_questions_are_balanced_over_buckets(
    runs: list[RunFolder], tmp_path: Path, number: int
) -> None:
    make(runs, tmp_path, METHODS, questions=number, seed=1)
    questions = read(tmp_path / "key.json")["questions"]
    drawn = [question["pair"] for question in questions]
    assert len(set(drawn)) == number and (number < 7 or drawn != sorted(drawn))
    assert all(question["bucket"] == BUCKETS[question["pair"] // 6] for question in questions)
    counts = Counter(question["bucket"] for question in questions)
    assert max(counts[b] for b in BUCKETS) - min(counts[b] for b in BUCKETS) <= 1


def test_only_pairs_that_all_share_are_asked(tmp_path: Path) -> None:
    a = write_run(tmp_path, "a", pairs=[0, 1, 7, 8])
    b = write_run(tmp_path, "b", pairs=[1, 2, 8, 13])
    text = make([a, b], tmp_path / "study", questions=9)
    assert "2 questions (9 asked for; no more pairs are shared)" in text
    assert {q["pair"] for q in read(tmp_path / "study/key.json")["questions"]} == {1, 8}


def test_the_first_seed_stands_for_a_method(tmp_path: Path) -> None:
    folders = [write_run(tmp_path, "a", seed) for seed in (10, 2)] + [write_run(tmp_path, "b")]
    make(folders, tmp_path / "study", questions=2)
    assert read(tmp_path / "study/key.json")["runs"] == {"a": "a-quick-seed2", "b": "b-quick-seed0"}


def test_methods_are_compared_under_one_manifest(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path, "a", manifest="m1"),
        write_run(tmp_path, "b", manifest="m1"),
        write_run(tmp_path, "b", manifest="m2", folder="b-other"),
        write_run(tmp_path, "c", manifest="m2"),
    ]
    make(folders, tmp_path / "study", ["c", "b"], questions=2)
    key = read(tmp_path / "study/key.json")
    assert key["manifest"] == "m2" and key["runs"] == {"c": "c-quick-seed0", "b": "b-other"}
    with pytest.raises(
        UserError, match=r"share the test pairs of one manifest.*m1: a, b; m2: b, c"
    ):
        make(folders, tmp_path / "study")


def test_settings_in_which_trained_runs_differ_are_told(tmp_path: Path) -> None:
    shared = {"training images": "x", "training.seed": 0}
    folders = [
        write_run(tmp_path, "a", **shared, **{"training.steps": 10}),
        write_run(tmp_path, "b", **shared, **{"training.steps": 20}),
        write_run(tmp_path, "untrained"),
    ]
    assert "the runs differ in training.steps" in make(folders, tmp_path / "study", questions=2)


def test_making_again_keeps_the_key_of_a_study_that_has_voters(
    runs: list[RunFolder], key: Path
) -> None:
    before = key.read_bytes()
    with pytest.raises(UserError, match=r"belongs to another study.*--to"):
        make(runs, key.parent, METHODS, questions=8, seed=6)
    assert key.read_bytes() == before and not (key.parent / "study.html").exists()
    make(runs, key.parent, METHODS, questions=8, seed=5)
    assert key.read_bytes() == before and (key.parent / "study.html").exists()
    for damage in ("[]", "7", "{"):
        key.write_text(damage)
        with pytest.raises(UserError, match=r"key.json (belongs to another study|cannot be read)"):
            make(runs, key.parent, METHODS, questions=8, seed=5)
        assert key.read_text() == damage


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    a, b = write_run(tmp_path, "alpha", pairs=[0]), write_run(tmp_path, "beta", pairs=[1])
    to = tmp_path / "study"
    with pytest.raises(UserError, match="have no picture of the same test pair"):
        make([a, b], to)
    with pytest.raises(UserError, match="at least two methods with pictures; here: alpha"):
        make([a], to)
    with pytest.raises(UserError, match="unknown method with pictures 'alpa'; did you mean alpha"):
        make([a, b], to, ["alpa", "beta"])
    with pytest.raises(UserError, match="--questions 0"):
        make([a, b], to, questions=0)
    twin = write_run(tmp_path, "alpha", folder="alpha-small-seed0")
    with pytest.raises(UserError, match="alpha has two runs with seed 0"):
        make([a, b, twin], to)
    assert not to.exists()


def test_pictures_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", "alpha", pairs=[0])
    b = write_run(tmp_path / "b", "beta", pairs=[0])
    to = tmp_path / "study"
    save(b, 0, "output", pixels("wide", width=17), "beta")
    with pytest.raises(UserError, match="output and input of pair 0 differ in size"):
        make([a, b], to)
    save(b, 0, "output", pixels("fits"), "beta")
    save(b, 0, "input", pixels("another"), "beta")
    with pytest.raises(UserError, match="different inputs of pair 0"):
        make([a, b], to)
    broken_header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x03IHDRabc\x00\x00\x00\x00"
    for damage in (b"", b"no picture", broken_header):
        b.pictures.file(0, "input").write_bytes(damage)
        with pytest.raises(UserError, match=r"00000_input.webp cannot be read.*makes it again"):
            make([a, b], to)
