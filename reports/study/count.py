"""Count of a user study's ballots: votes per method, with intervals and a test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from reprlib import repr as short
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bench.core.errors import UserError
from bench.core.files import read_json, replacing, write_text
from bench.core.seeds import rng
from reports.tables.markdown import table

ALL = "all"
"""Value of the column `bucket` for all buckets together."""
RESAMPLES = 10_000
"""Number of bootstrap resamples."""
NOTE = (
    "Every question shows one picture of each method, so chance gives each the same share. "
    "Wilson's interval treats every vote as independent; the other resamples whole voters (cluster "
    "bootstrap, percentiles), since the answers of one voter are related. Trust the wider one; "
    "with fewer than about ten voters the second is too narrow."
)
"""Explanation of the two intervals, for readers of the result."""


@dataclass(frozen=True)
class Key:
    """The key of a study: each question's bucket, and its methods in the order of the options."""

    study: str
    methods: list[str]
    buckets: list[str]
    options: list[list[str]]
    differing: list[str]
    """Names of the settings in which the trained runs differ."""


@dataclass(frozen=True)
class Ballot:
    """One voter's answers: pairs of question and option, both counted from 0."""

    file: Path
    ballot: UUID
    voter: str
    answers: tuple[tuple[int, int], ...]
    made: datetime

    @property
    def name(self) -> str:
        """Name of its file, for readers."""
        return _printable(self.file)


def count(ballots: Sequence[Path], key_file: Path) -> str:
    """Write `votes.csv` and `votes.md` into the key's folder; return the text of the latter.

    `ballots` are files or folders of `*.json`. A file that cannot be counted is left out; the text
    names it and the reason. Raise `UserError` if no ballot is left.
    """
    key = read_key(key_file)
    kept, left_out = read_ballots(_files(ballots, key_file), key)
    if not kept:
        raise UserError(f"no ballot can be counted: {'; '.join(left_out)}")
    tallied = tally(_votes(kept, key), key.methods)
    with replacing(key_file.with_name("votes.csv")) as temporary:
        tallied.to_csv(temporary, index=False)
    text = _page(tallied, kept, left_out, key)
    write_text(key_file.with_name("votes.md"), text)
    return text


def read_key(path: Path) -> Key:
    """Return the key that `make` wrote; raise UserError if the file is not one."""
    try:
        key = read_json(path)
        json.dumps(key, ensure_ascii=False).encode()  # or its words could not be written
        found = Key(
            study=key["study"],
            methods=list(key["runs"]),
            buckets=[question["bucket"] for question in key["questions"]],
            options=[question["options"] for question in key["questions"]],
            differing=key["settings that differ"],
        )
        whole = _is_whole(found)
    # Wrong shapes fail in these ways; JSON that is nested deeply exceeds the recursion limit.
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        whole = False
    if not whole:
        raise UserError(
            f"{path} is not the key of a study; give the key.json that `study make` wrote"
        )
    return found


def _is_whole(key: Key) -> bool:
    """Return whether all parts of a key are what `make` writes."""
    words = [key.study, *key.buckets, *key.differing]
    return (
        all(type(word) is str for word in words)
        and type(key.differing) is list
        and len(key.options) > 0
        # Every question shows each method once.
        and all(sorted(options) == sorted(key.methods) for options in key.options)
        and len(key.methods) > 1
    )


def _files(ballots: Sequence[Path], key_file: Path) -> list[Path]:
    """Return each file of ballots once, without the key, which may be in the same folder."""
    found: dict[str, Path] = {}  # by resolved path: a file that is named twice counts once
    for path in ballots:
        if not path.exists():
            raise UserError(f"no ballot or folder of ballots {path}")
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        # `Path.resolve` fails on a link to itself.
        found |= {os.path.realpath(file): file for file in inside}
    found.pop(os.path.realpath(key_file), None)
    if not found:
        raise UserError(f"no ballots (*.json) in {', '.join(map(str, ballots))}")
    return list(found.values())


def read_ballots(files: Sequence[Path], key: Key) -> tuple[list[Ballot], list[str]]:
    """Return the ballots to count, and a line on each file that is left out.

    A ballot that was saved several times counts once, as it was last. So do the ballots of one
    voter's name, in upper or lower case. Ballots without a name belong to different voters.
    """
    good: list[Ballot] = []
    left_out: list[str] = []
    for file in files:
        try:
            good.append(_read_ballot(file, key))
        except UserError as error:
            left_out.append(f"{_printable(file)}: {error}")
    # Applied in this order: one save per ballot, one ballot per content, one ballot per voter.
    rules: list[tuple[Callable[[Ballot], Hashable], str]] = [
        (lambda b: b.ballot, "the same ballot as"),
        (lambda b: (b.voter, b.answers, b.made), "the same content as"),
        (lambda b: b.voter.casefold() or b.ballot, "the same voter as"),
    ]
    for same, what in rules:
        good = _latest(good, same, what, left_out)
    return good, left_out


def _printable(file: Path) -> str:
    """Return a file's name, with bytes that are no UTF-8 in escapes."""
    return file.name.encode(errors="backslashreplace").decode()


def _latest(
    ballots: Sequence[Ballot], same: Callable[[Ballot], Hashable], what: str, left_out: list[str]
) -> list[Ballot]:
    """Return the latest ballot of each value of `same`; add a line to `left_out` for the others."""
    kept: dict[Hashable, Ballot] = {}
    for ballot in sorted(ballots, key=lambda b: b.made, reverse=True):
        first = kept.setdefault(same(ballot), ballot)
        if first is not ballot:
            left_out.append(f"{ballot.name}: {what} {first.name}, which is kept")
    return list(kept.values())


def _read_ballot(file: Path, key: Key) -> Ballot:
    """Return a checked ballot; raise UserError with the reason if it cannot be counted."""
    if not file.is_file():  # reading a pipe would wait for ever
        raise UserError("not a file")
    try:
        content = read_json(file)
        # JSON that is nested deeply enough exceeds Python's recursion limit.
    except (UserError, RecursionError) as error:
        raise UserError("not readable as JSON") from error
    if not isinstance(content, dict):
        raise UserError("not a ballot")
    if content.get("study") != key.study:
        raise UserError(f"of another study ({short(content.get('study'))}, not '{key.study}')")
    for name, kind in {"ballot": str, "voter": str, "made": str, "answers": list}.items():
        if type(content.get(name)) is not kind:
            raise UserError(f"'{name}' is not a {kind.__name__}")
    try:
        ballot, made = UUID(content["ballot"]), datetime.fromisoformat(content["made"])
    except ValueError as error:
        raise UserError(f"damaged: {error}") from error
    if made.tzinfo is None:  # times with and without a zone cannot be ordered
        raise UserError(f"damaged: time without a zone: {content['made']!r}")
    answers = _answers(content["answers"], key)
    return Ballot(file, ballot, content["voter"].strip(), answers, made)


def _answers(content: Sequence[Any], key: Key) -> tuple[tuple[int, int], ...]:
    """Return checked answers in the order of the questions; raise UserError for a bad one."""
    answers: dict[int, int] = {}
    for answer in content:
        # `type`, not `isinstance`: to Python, true and false are integers too.
        if type(answer) is not list or [type(part) for part in answer] != [int, int]:
            raise UserError(f"answer {short(answer)} is not [question, option]")
        question, option = answer
        if not 0 <= question < len(key.options):
            raise UserError(f"unknown question {question}")
        if not 0 <= option < len(key.options[question]):
            raise UserError(f"unknown option {option} of question {question}")
        if question in answers:
            raise UserError(f"question {question} is answered twice")
        answers[question] = option
    if not answers:
        raise UserError("no question is answered")
    return tuple(sorted(answers.items()))


def _votes(ballots: Sequence[Ballot], key: Key) -> pd.DataFrame:
    """Return one row per answer: voter, bucket, method."""
    rows = [
        (voter, key.buckets[question], key.options[question][option])
        for voter, ballot in enumerate(ballots)
        for question, option in ballot.answers
    ]
    return pd.DataFrame(rows, columns=["voter", "bucket", "method"])


def tally(votes: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return the votes and shares of each method, in each bucket and in `all`.

    `votes` has one row per answer: voter, bucket, method. The result has one row per bucket and
    method. Columns: bucket, method, votes, answers, voters, share (in [0, 1]) and its 95 %
    intervals wilson_low, wilson_high (Wilson 1927; votes independent) and bootstrap_low,
    bootstrap_high (voters independent; NaN for a single voter).
    """
    parts = {ALL: votes} | dict(list(votes.groupby("bucket")))
    blocks = []
    for bucket, part in parts.items():
        # A method that nobody voted for needs a column of zeros.
        by_voter = pd.crosstab(part["voter"], part["method"]).reindex(
            columns=list(methods), fill_value=0
        )
        blocks.append(_shares(by_voter).assign(bucket=bucket))
    tallied = pd.concat(blocks).rename_axis("method").reset_index()
    return tallied[["bucket", *tallied.columns.drop("bucket")]]


def _shares(by_voter: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method, from the votes of each voter (rows) for each method (columns)."""
    votes = by_voter.sum()
    answers = int(votes.sum())
    wilson = [
        stats.binomtest(int(n), answers).proportion_ci(confidence_level=0.95, method="wilson")
        for n in votes
    ]
    low, high = bootstrap(by_voter.to_numpy())
    return pd.DataFrame(
        {
            "votes": votes,
            "answers": answers,
            "voters": len(by_voter),
            "share": votes / answers,
            "wilson_low": [interval.low for interval in wilson],
            "wilson_high": [interval.high for interval in wilson],
            "bootstrap_low": low,
            "bootstrap_high": high,
        }
    )


def bootstrap(by_voter: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return 95 % percentile intervals [2, methods] of the shares in [0, 1], low and high.

    `by_voter` [voters, methods] holds votes. Whole voters are resampled, so that all answers of a
    voter stay together (cluster bootstrap; Davison and Hinkley 1997 on hierarchical data). The
    intervals are NaN for a single voter.
    """
    voters, methods = by_voter.shape
    if voters == 1:
        return np.full((2, methods), np.nan)
    # How often each voter is drawn in a resample is multinomial with equal chances.
    drawn = rng(0, "study bootstrap").multinomial(voters, np.full(voters, 1 / voters), RESAMPLES)
    votes = drawn @ by_voter
    interval: npt.NDArray[np.float64] = np.quantile(
        votes / votes.sum(axis=1, keepdims=True), [0.025, 0.975], axis=0
    )
    return interval


def _page(
    tallied: pd.DataFrame, ballots: Sequence[Ballot], left_out: Sequence[str], key: Key
) -> str:
    overall = tallied[tallied["bucket"] == ALL]
    answered = {question for ballot in ballots for question, _ in ballot.answers}
    partial = [
        f"{b.name}: {len(b.answers)} of {len(key.options)} questions"
        for b in ballots
        if len(b.answers) < len(key.options)
    ]
    parts = [
        f"## User study {key.study}",
        f"Which of {len(key.methods)} pictures looks most natural? Voters: {len(ballots)}; votes: "
        f"{overall['votes'].sum()}, on {len(answered)} of {len(key.options)} questions.",
        _overall(overall),
        NOTE,
        uniformity(overall["votes"].to_numpy()),
        f"**Share by hole ratio, % (95 %, Wilson); n is the number of votes**\n\n"
        f"{_by_bucket(tallied, key)}",
    ]
    if key.differing:
        parts.append(f"The trained runs differ in {', '.join(key.differing)}.")
    parts += _listed("Partial ballots, counted for what they hold:", partial)
    parts += _listed("Left out:", left_out)
    return "\n\n".join(parts) + "\n"


def _overall(overall: pd.DataFrame) -> str:
    """Return the table of votes and shares over all buckets together."""
    header = ["method", "votes", "share, %", "95 %, Wilson", "95 %, voters resampled"]
    found: Iterable[Any] = overall.itertuples()
    rows = [
        [
            row.method,
            str(row.votes),
            f"{100 * row.share:.1f}",
            _interval(row.wilson_low, row.wilson_high),
            _interval(row.bootstrap_low, row.bootstrap_high),
        ]
        for row in found
    ]
    return table(header, rows)


def _interval(low: float, high: float) -> str:
    """Return an interval of a share in %; only the bootstrap of a single voter has none."""
    return "one voter" if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}"


def uniformity(votes: npt.NDArray[np.int64]) -> str:
    """Return Pearson's chi-square test of votes [methods] against equal preference, in words."""
    test = stats.chisquare(votes)
    text = (
        f"Against equal preference: chi-square {test.statistic:.2f}, "
        f"{len(votes) - 1} degrees of freedom, p = {test.pvalue:.2g}. The test treats votes as "
        "independent; those of one voter and those on one picture are not, so p tends to be too "
        "small."
    )
    # The usual rule of thumb for the chi-square approximation: at least five expected per cell.
    if votes.mean() < 5:
        text += " With fewer than five votes expected per method, p is also only a rough value."
    return text


def _by_bucket(tallied: pd.DataFrame, key: Key) -> str:
    """Return the table of shares with Wilson's intervals, a column per bucket."""
    found: Iterable[Any] = tallied.itertuples()
    cells = {
        (row.bucket, row.method): f"{100 * row.share:.1f} "
        f"({_interval(row.wilson_low, row.wilson_high)})"
        for row in found
    }
    answers = tallied.drop_duplicates("bucket").set_index("bucket")["answers"]
    buckets = sorted(set(key.buckets))
    rows = [
        [method, *(cells.get((bucket, method), "-") for bucket in buckets)]
        for method in key.methods
    ]
    return table(["method", *(f"{b} n={answers.get(b, 0)}" for b in buckets)], rows)


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    """Return the title with the lines as a list below it; nothing without lines."""
    return ["\n".join([title, "", *(f"- {line}" for line in lines)])] if lines else []
