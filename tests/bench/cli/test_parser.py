"""Help that a newcomer can read, and examples that can be typed as they stand."""

import shlex
from argparse import Namespace

import pytest

from bench.cli.options import config, given
from bench.cli.parser import COMMANDS, build_parser, main
from bench.core.errors import UserError
from bench.registry import find

EXAMPLES = [
    line.strip()
    for commands in COMMANDS.values()
    for module in commands.values()
    for line in getattr(module, "EXAMPLES", "").splitlines()
    if line.strip().startswith("python -m bench")
]


def parsed(command: str) -> Namespace:
    return build_parser()[0].parse_args(shlex.split(command.removeprefix("python -m bench")))


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_examples_of_the_help_are_understood(command: str) -> None:
    options = vars(parsed(command))
    named = [options.get(key) for key in ("variant", "baseline", "name")]
    named += (options.get("variants") or options.get("methods") or "").split(",")
    for name in filter(None, named):
        find(name)


def test_commands_stand_by_purpose_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(":") and not line.startswith(" ")] == [
        *(f"{purpose}:" for purpose in COMMANDS), "options:"
    ]  # fmt: skip
    for commands in COMMANDS.values():
        for name in commands:
            assert sum(line.startswith(f"  {name} ") for line in lines) == 1


@pytest.mark.parametrize("command", ["run", "ablate", "compare", "evaluate"])
def test_help_shows_what_people_use_first(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for word in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            main([command, word])
        texts.append(capsys.readouterr().out)
    short, whole = texts
    assert len(short.splitlines()) < 60 < len(whole.splitlines())
    assert "--preset" in short and "examples:" in short and "more options: --help-all" in short
    assert "--lpips-weights" in whole and "--lpips-weights" not in short


def test_an_objective_sets_what_no_option_says() -> None:
    usual = config(parsed("run --variant full")).objective
    assert (usual.hole, usual.over_layers) == (1.0, "mean")
    released = config(parsed("run --variant full --hole 3 --objective released")).objective
    assert (released.hole, released.perceptual, released.over_layers) == (3.0, 0.01, "sum")
    with pytest.raises(UserError, match="invalid choice: 'relased'"):
        parsed("run --variant full --objective relased")


def test_an_option_is_given_only_where_it_was_typed() -> None:
    assert given(parsed("run --variant full --lr 0.5")) == {"lr": 0.5}
