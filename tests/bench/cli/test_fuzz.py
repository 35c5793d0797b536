"""Any option with any value: an answer or one line, and a finished run stays as it was."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from accelerate.state import AcceleratorState
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cli.parser import build_parser, main
from bench.config import Config, from_dict, override, sections, to_dict
from bench.core.errors import UserError
from bench.presets import preset
from bench.profiling import cost, report_speed, speed
from bench.runs.experiment import Experiment
from bench.runs.measurement import Bench
from reports import build
from tests.bench.cli.test_cli import hole, picture
from tests.conftest import TINY

OPTIONS = [item.name for _, kind in sections() for item in fields(kind)]
NASTY = [
    *(-1, 0, 1, 2, 17, 64, 2**63, 10**400, 0.5, 1e300, -1e-9, 5e-324),
    *(float("nan"), float("inf"), -float("inf"), True, None),
    *("", ",", "x", "nan", "a\nb", "\ud800", "\0", "é", "floor", "sigmoid", "psnr=nan"),
    *([], [0.5], [0.5, 0.9], (0.1, 0.5), (0.0, 1e-9), (0.5, float("nan")), [[1], {}], {}),
]
# Other tests may have made the process flush subnormal numbers to zero, as commands do.
FLOATS = st.floats(allow_subnormal=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
VALUES = st.sampled_from(NASTY) | JSON
quickly = settings(deadline=None, derandomize=True, max_examples=300, database=None)


def config_or_one_line(make: Any, *arguments: Any) -> None:
    try:
        assert isinstance(make(*arguments), Config)
    except UserError as error:
        assert str(error) and len(str(error).splitlines()) == 1


@quickly
@given(st.dictionaries(st.sampled_from(OPTIONS), VALUES, min_size=1, max_size=3))
def test_any_value_of_an_option_gives_a_config_or_one_line(values: dict[str, Any]) -> None:
    config_or_one_line(override, preset("quick"), values)


@quickly
@given(JSON)
def test_any_json_gives_a_config_or_one_line(values: Any) -> None:
    config_or_one_line(from_dict, values)


@quickly
@given(st.sampled_from(["preset", *dict(sections())]), st.sampled_from(OPTIONS), VALUES, VALUES)
def test_a_changed_config_file_gives_a_config_or_one_line(
    section: str, option: str, part: Any, value: Any
) -> None:
    whole = to_dict(preset("quick"))
    config_or_one_line(from_dict, whole | {section: part})
    if isinstance(whole[section], dict):
        config_or_one_line(from_dict, whole | {section: whole[section] | {option: value}})


class Place(NamedTuple):
    """The folder of the fuzzed commands, with a finished run in it."""

    root: Path
    run: Path
    before: dict[Path, bytes]

    def files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.run.rglob("*") if path.is_file()}


def stop(*arguments: object, **named: object) -> NoReturn:
    raise UserError("the work would begin")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("fuzz")
    assert main(["run", "--variant", "forward", *SMALL, "--out", str(root / "runs")]) == 0
    picture(root / "i.png", 20, 24)
    hole(root / "m.png", 20, 24)
    (root / "ballots").mkdir()
    (root / "ballots" / "a.json").write_text("{")
    made = Place(root, root / "runs" / "forward-quick-seed0", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("HOME", str(root))
        patch.setattr(Experiment, "_begin", stop)
        patch.setattr(Bench, "measure", stop)
        patch.setattr(cost, "of_run", stop)
        patch.setattr(report_speed, "reports", stop)
        patch.setattr("bench.conformance.report.report", stop)
        for name in ("run_report", "everything", "ablation", "comparison"):
            patch.setattr(build, name, stop)
        patch.setattr(speed, "sections", stop)
        yield made._replace(before=made.files())


SMALL = [*TINY, "--steps", "2", "--lpips", "off", "--device", "cpu", "--precision", "fp32"]
FIRST: dict[tuple[str, ...], list[str]] = {
    ("run",): ["--variant", "forward", *SMALL],
    ("ablate",): ["--variants", "forward", *SMALL],
    ("compare",): ["--methods", "forward", *SMALL],
    ("evaluate",): ["--run", "runs/forward-quick-seed0", "--device", "cpu"],
    ("inpaint",): ["--run", "runs/forward-quick-seed0", "--image", "i.png", "--mask", "m.png"],
    ("report",): [],
    ("pack",): ["runs", "--out", "s.zip"],
    ("list",): [],
    ("status",): [],
    ("check",): ["forward"],
    ("speed",): [],
    ("study", "make"): ["--runs", "runs"],
    ("study", "count"): ["--ballots", "ballots", "--key", "runs/study/key.json"],
}
"""The commands, with options that alone would work."""
OFFLINE = ["--download", "false"]
LAST = {"run": OFFLINE, "ablate": OFFLINE, "compare": OFFLINE, "evaluate": OFFLINE}
LAST |= {"inpaint": ["--out", "o.png"]}
LEFT_ALONE = {"-h", "--help-all", "--out", "--to", "--download", "--watch"}
"""Options that would leave, write elsewhere, fetch or never end."""
NUMBERS = [
    "-1",
    "0",
    "1",
    "3",
    "16",
    "17",
    "48",
    "0.5",
    "1e-400",
    "1e5",
    "-1e-9",
    "nan",
    "inf",
    "-inf",
]
NUMBERS += ["99999999999999999999", "9223372036854775808", "", "x", "١٧", "1_0", "true"]
WORDS = [
    *(
        "",
        " ",
        ",",
        "x",
        "a\nb",
        "-",
        "--",
        "é",
        "-1",
        "nan",
        "true",
        "false",
        os.fsdecode(b"\xff"),
    ),
    *("forward", "no-gan", "pconv", "mean-colour", "released", "full,,x", "quick", "paper"),
    *("floor", "telea", "psnr=nan", "psnr=0.1", "folder:", "folder:.", "masks:.", "nvidia"),
    *("/no/such", ".", "i.png", "m.png", "runs", "runs/forward-quick-seed0", "/dev/null"),
    *("runs/forward-quick-seed0/manifest.json", "runs/forward-quick-seed0/weights.safetensors"),
]


def options(command: Sequence[str]) -> dict[str, argparse.Action]:
    """The options of a command, but for those that are left alone."""
    parser: argparse.ArgumentParser = build_parser()[1][command[0]]
    for action in command[1:]:
        (inner,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        parser = inner.choices[action]
    found = {a.option_strings[0]: a for a in parser._actions if a.option_strings}
    return {flag: action for flag, action in found.items() if flag not in LEFT_ALONE}


OPTIONS_OF = {command: options(command) for command in FIRST}
COUNTS = {None: (1, 1), "?": (0, 1), "+": (1, 2)}
"""Least and most number of values by argparse's `nargs`."""


def values(action: argparse.Action) -> st.SearchStrategy[list[str]]:
    """Values for an option, of its own kind more often than of any."""
    least, most = COUNTS.get(action.nargs, (action.nargs, action.nargs))  # type: ignore[call-overload]
    own = action.choices or (WORDS if action.type in (None, str, Path) else NUMBERS)
    word = st.sampled_from(list(own)) | st.sampled_from(list(own)) | st.sampled_from(WORDS)
    return st.lists(word, min_size=least, max_size=most)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    command = draw(st.sampled_from(list(FIRST)))
    line = [*command, *FIRST[command]]
    known = OPTIONS_OF[command]
    for flag in draw(st.lists(st.sampled_from([*known, "--wrong"]), min_size=1, max_size=3)):
        line += [flag, *(draw(values(known[flag])) if flag in known else [])]
    return [*line, *LAST.get(command[0], [])]


@settings(quickly, max_examples=150)
@given(command_lines())
def test_any_command_line_ends_with_an_answer_or_one_line(place: Place, line: list[str]) -> None:
    AcceleratorState._reset_state(reset_partial_state=True)
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = main(line)
    assert code in (0, 2), line
    if code == 2:
        lines = [part for part in err.getvalue().split("\n") if part]
        assert lines[-1].startswith(("error: ", "failed: ")), line
        assert sum(part.startswith("error: ") for part in lines) <= 1, line
    assert place.files() == place.before, line
