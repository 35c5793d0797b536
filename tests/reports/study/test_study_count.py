"""Ballots become votes, and votes shares with intervals."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.core.errors import UserError
from bench.core.files import write_json
from reports.study.count import ALL, bootstrap, count, read_key, tally, uniformity
from tests.reports.study.conftest import BUCKETS, METHODS, ballot, counted, read


def cast(key: Path, **ballots: dict[str, Any]) -> Path:
    folder = key.parent / "ballots"
    for name, content in ballots.items():
        write_json(folder / f"{name}.json", content)
    return folder


def test_votes_go_to_the_methods_behind_the_options(key: Path) -> None:
    first = dict.fromkeys(range(8), "pconv")
    second = dict.fromkeys(range(6), "3x3") | {6: "full", 7: "pconv"}
    folder = cast(key, a=ballot(key, first), b=ballot(key, second, 1))
    text = count([folder], key)
    assert counted(key) == {"full": 1, "pconv": 9, "3x3": 6}
    assert "Voters: 2; votes: 16, on 8 of 8 questions." in text
    assert re.search(r"\| pconv +\| 9 +\| 56\.2 ", text)
    assert "Left out" not in text and "Partial" not in text
    assert key.with_name("votes.md").read_text() == text
    frame = pd.read_csv(key.with_name("votes.csv"))
    told = read(key)["questions"]
    for bucket in BUCKETS:
        here = [q for q in range(8) if told[q]["bucket"] == bucket]
        expected = Counter(votes[q] for votes in (first, second) for q in here)
        part = frame[frame["bucket"] == bucket].set_index("method")
        assert part["votes"].to_dict() == {m: expected[m] for m in METHODS}
        assert set(part["answers"]) == {2 * len(here)}


def test_partial_ballots_count_and_are_named(key: Path) -> None:
    folder = cast(key, some=ballot(key, {0: "full", 5: "full", 7: "3x3"}))
    text = count([folder], key)
    assert counted(key) == {"full": 2, "pconv": 0, "3x3": 1}
    assert "- some.json: 3 of 8 questions" in text and "on 3 of 8 questions" in text
    assert "one voter" in text  # in place of a bootstrap interval


DAMAGES = {
    "not readable as JSON": lambda b: b"{",
    "not readable as JSON ": lambda b: b"\xff\xfe\x00",
    "not readable as JSON  ": lambda b: b"[" * 100_000,
    "not a ballot": lambda b: [b],
    "of another study ('x'": lambda b: b | {"study": "x"},
    "of another study (None": lambda b: {k: v for k, v in b.items() if k != "study"},
    "'ballot' is not a str": lambda b: b | {"ballot": 7},
    "damaged: badly formed hexadecimal UUID": lambda b: b | {"ballot": "7"},
    "'voter' is not a str": lambda b: b | {"voter": None},
    "'answers' is not a list": lambda b: b | {"answers": {"0": 1}},
    "'made' is not a str": lambda b: b | {"made": 1714557600},
    "damaged: Invalid isoformat": lambda b: b | {"made": "yesterday"},
    "damaged: time without a zone": lambda b: b | {"made": "2024-05-01T10:00:00"},
    "unknown question 8": lambda b: b | {"answers": [[8, 0]]},
    "unknown question -1": lambda b: b | {"answers": [[-1, 0]]},
    "unknown option 3 of question 0": lambda b: b | {"answers": [[0, 3]]},
    "unknown option -1 of question 0": lambda b: b | {"answers": [[0, -1]]},
    "answer [0] is not": lambda b: b | {"answers": [[0]]},
    "answer [0, 1, 2] is not": lambda b: b | {"answers": [[0, 1, 2]]},
    "answer [0, True] is not": lambda b: b | {"answers": [[0, True]]},
    "answer [0, 1.0] is not": lambda b: b | {"answers": [[0, 1.0]]},
    "answer '01' is not": lambda b: b | {"answers": ["01"]},
    "question 0 is answered twice": lambda b: b | {"answers": [[0, 1], [0, 1]]},
    "no question is answered": lambda b: b | {"answers": []},
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_damaged_ballots_are_left_out_with_a_reason(key: Path, reason: str) -> None:
    good = ballot(key, {0: "pconv"})
    damaged = DAMAGES[reason](ballot(key, {1: "3x3"}))
    folder = cast(key, good=good)
    raw = damaged if isinstance(damaged, bytes) else json.dumps(damaged).encode()
    (folder / "bad.json").write_bytes(raw)
    text = count([folder], key)
    assert counted(key) == {"full": 0, "pconv": 1, "3x3": 0}
    (line,) = [line for line in text.splitlines() if "bad.json" in line]
    assert line.startswith(f"- bad.json: {reason.strip()}")


def test_a_ballot_whose_name_is_no_utf_8_counts(key: Path) -> None:
    folder = cast(key, good=ballot(key, {0: "pconv"}))
    strange = folder / os.fsdecode(b"ann\xff.json")
    strange.write_text(json.dumps(ballot(key, {1: "full"})))
    (folder / os.fsdecode(b"\xfe.json")).write_text("")
    text = count([folder], key)
    assert counted(key) == {"full": 1, "pconv": 1, "3x3": 0}
    assert "- ann\\udcff.json: 1 of 8 questions" in text
    assert "- \\udcfe.json: not readable as JSON" in text


def test_what_is_no_file_is_left_out(key: Path) -> None:
    folder = cast(key, good=ballot(key, {0: "pconv"}))
    (folder / "folder.json").mkdir()
    (folder / "loop.json").symlink_to("loop.json")
    os.mkfifo(folder / "pipe.json")
    text = count([folder], key)
    assert all(f"- {name}.json: not a file" in text for name in ("folder", "loop", "pipe"))


BROKEN_KEYS = {
    "empty": lambda k: "",
    "list": lambda k: [k],
    "nested": lambda k: "[" * 100_000,
    "no questions": lambda k: k | {"questions": []},
    "questions by name": lambda k: k | {"questions": {"bucket": "x"}},
    "question without options": lambda k: k | {"questions": [{"bucket": "x"}]},
    "one method": lambda k: k | {"runs": {"full": "x"}},
    "runs that are text": lambda k: k | {"runs": "abc"},
    "runs that are a number": lambda k: k | {"runs": 7},
    "an option of no run": lambda k: k | {"questions": [{"bucket": "x", "options": ["x"] * 3}]},
    "options of two kinds": lambda k: k | {"questions": [{"bucket": "x", "options": [1, "x"]}]},
    "a bucket that is a list": lambda k: k | {"questions": [k["questions"][0] | {"bucket": []}]},
    "a study that is a number": lambda k: k | {"study": 7},
    "a study of half a character": lambda k: k | {"study": "\ud800"},
    "differing settings that are text": lambda k: k | {"settings that differ": "abc"},
}


@pytest.mark.parametrize("damage", BROKEN_KEYS)
def test_a_damaged_key_is_named_and_nothing_is_written(key: Path, damage: str) -> None:
    folder = cast(key, good=ballot(key, {0: "pconv"}))
    broken = BROKEN_KEYS[damage](read(key))
    key.write_text(broken if isinstance(broken, str) else json.dumps(broken))
    with pytest.raises(UserError, match=r"key.json (is not the key of a study|cannot be read)"):
        count([folder], key)
    assert not list(key.parent.glob("votes.*"))


def test_of_one_ballot_saved_twice_the_later_counts(key: Path) -> None:
    early = ballot(key, {0: "full"}, minute=1)
    late = ballot(key, {0: "pconv", 1: "pconv"}, minute=2, ballot=early["ballot"])
    folder = cast(key, a=late, b=early)
    text = count([folder], key)
    assert counted(key) == {"full": 0, "pconv": 2, "3x3": 0}
    assert "- b.json: the same ballot as a.json, which is kept" in text


def test_a_copy_under_another_id_counts_once(key: Path) -> None:
    one = ballot(key, {0: "full"})
    text = count([cast(key, a=one, b=one | {"ballot": str(uuid4())})], key)
    assert counted(key) == {"full": 1, "pconv": 0, "3x3": 0}
    assert "the same content as" in text


def test_of_a_voters_ballots_the_latest_counts(key: Path) -> None:
    # 10:30 at +02:00 is earlier than 10:00 UTC: instants count, not their spelling.
    earlier = ballot(key, {0: "full"}, voter="Ann ", made="2024-05-01T10:30:00+02:00")
    later = ballot(key, {0: "pconv"}, voter="ann", made="2024-05-01T10:00:00Z")
    text = count([cast(key, a=later, b=earlier)], key)
    assert counted(key) == {"full": 0, "pconv": 1, "3x3": 0}
    assert "- b.json: the same voter as a.json, which is kept" in text


def test_voters_without_a_name_are_different_voters(key: Path) -> None:
    folder = cast(key, a=ballot(key, {0: "full"}), b=ballot(key, {0: "full"}, minute=1))
    assert "Voters: 2;" in count([folder], key)


def test_without_a_ballot_there_is_one_error(key: Path) -> None:
    folder = cast(key, a=ballot(key, {}), b=ballot(key, {0: "full"}, study="x"))
    with pytest.raises(UserError) as caught:
        count([folder], key)
    assert "no ballot can be counted: a.json: no question" in str(caught.value)
    assert "b.json: of another study" in str(caught.value) and "\n" not in str(caught.value)
    assert not key.with_name("votes.csv").exists()
    (key.parent / "empty").mkdir()
    with pytest.raises(UserError, match=r"no ballots .*empty"):
        count([key.parent / "empty"], key)
    with pytest.raises(UserError, match="not the key of a study"):
        read_key(folder / "a.json")


def test_ballots_may_lie_beside_the_key_and_be_named_twice(key: Path) -> None:
    write_json(key.parent / "a.json", ballot(key, {0: "full"}))
    text = count([key.parent, key.parent / "a.json"], key)
    assert "Voters: 1;" in text and "Left out" not in text


def random_votes(voters: int = 12, questions: int = 20) -> pd.DataFrame:
    """Voters with tastes of their own: their answers hang together."""
    random = np.random.default_rng(3)
    rows = []
    for voter in range(voters):
        taste = random.dirichlet([0.6, 0.3, 0.2])
        for question in range(random.integers(questions // 2, questions + 1)):
            rows.append((voter, BUCKETS[question % 4], METHODS[random.choice(3, p=taste)]))
    return pd.DataFrame(rows, columns=["voter", "bucket", "method"])


def test_wilson_interval_solves_its_equation() -> None:
    tallied = tally(random_votes(), METHODS)
    assert len(tallied) == 5 * 3
    z = stats.norm.ppf(0.975)
    for row in tallied.itertuples():
        n, p = row.answers, row.share
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        assert row.wilson_low == pytest.approx(middle - half, abs=1e-9)
        assert row.wilson_high == pytest.approx(middle + half, abs=1e-9)


def test_bootstrap_agrees_with_scipys_over_voters() -> None:
    votes = random_votes()
    table = pd.crosstab(votes["voter"], votes["method"])[list(METHODS)].to_numpy()
    low, high = bootstrap(table)
    for column in range(3):
        expected = stats.bootstrap(
            (table[:, column], table.sum(axis=1)),
            lambda mine, every, axis: mine.sum(axis=axis) / every.sum(axis=axis),
            paired=True, vectorized=True, method="percentile", n_resamples=10_000,
        ).confidence_interval  # fmt: skip
        assert low[column] == pytest.approx(expected.low, abs=0.02)
        assert high[column] == pytest.approx(expected.high, abs=0.02)
    row = tally(votes, METHODS).iloc[0]
    assert (row["bootstrap_low"], row["bootstrap_high"]) == (low[0], high[0])
    assert high[0] - low[0] > 1.3 * (row["wilson_high"] - row["wilson_low"])


def test_bootstrap_of_two_voters_has_the_three_possible_shares() -> None:
    # Resampled: both times the first (1/4), one of each (1/2), both times the second (1/4).
    low, high = bootstrap(np.array([[4, 0], [0, 4]]))
    assert low.tolist() == [0, 0] and high.tolist() == [1, 1]
    assert np.isnan(bootstrap(np.array([[4, 0]]))).all()


def test_shares_of_a_bucket_sum_to_one_and_voters_are_those_who_answered() -> None:
    votes = pd.DataFrame(
        [(0, BUCKETS[0], "full"), (0, BUCKETS[1], "full"), (4, BUCKETS[0], "3x3")],
        columns=["voter", "bucket", "method"],
    )
    tallied = tally(votes, METHODS).set_index(["bucket", "method"])
    assert tallied.groupby("bucket")["share"].sum().tolist() == pytest.approx([1, 1, 1])
    assert tallied["voters"][ALL, "full"] == 2 and tallied["voters"][BUCKETS[1], "full"] == 1


def test_uniformity_is_pearsons_chi_square() -> None:
    votes = np.array([30, 12, 18])
    statistic = ((votes - 20) ** 2 / 20).sum()
    p = np.exp(-statistic / 2)  # the survival function of chi-square with two degrees
    text = uniformity(votes)
    assert f"chi-square {statistic:.2f}, 2 degrees of freedom, p = {p:.2g}" in text
    assert "not, so p tends" in text and "rough" not in text
    assert "rough" in uniformity(np.array([3, 1, 2]))
