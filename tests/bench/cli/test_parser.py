"""Help that a newcomer can read, and examples that can be typed as they stand."""

import os
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from bench.cli import config_file, methods
from bench.cli.methods import chosen
from bench.cli.options import config, given
from bench.cli.parser import COMMANDS, build_parser, main
from bench.core.errors import UserError
from bench.foreign.convention import parse
from bench.foreign.method import Text
from bench.registry import find
from bench.sweeps.file import Description

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
    keys = ("variant", "baseline", *(["name"] if " check " in command else []))
    given = [options.get(key) for key in keys]
    # Some commands take several names.
    named = [name for one in given for name in (one if isinstance(one, list) else [one])]
    named += (options.get("variants") or options.get("methods") or "").split(",")
    for name in filter(None, named):
        if ":" in name:
            parse(Text.parse(name).options)
        elif not options.get("plugin"):
            find(name)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        "allocate",
    ],
)
def test_too_little_memory_is_one_line(
    error: Exception | str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Namespace) -> int:
        if isinstance(error, Exception):
            raise error
        torch.empty(10**15)  # as torch itself says it on a CPU
        return 0

    monkeypatch.setattr("bench.cli.listing.execute", fail)
    assert main(["list"]) == 2
    assert capsys.readouterr().err.startswith("error: out of memory; lower --batch-size")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "CUDA error: no kernel image is available for execution on the device\nFor debugging",
            "has no code for",
        ),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", "another process keeps"),
    ],
)
def test_a_gpu_that_cannot_be_used_is_one_line_with_a_way_out(
    error: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Namespace) -> int:
        raise torch.AcceleratorError(error)

    monkeypatch.setattr("bench.cli.listing.execute", fail)
    assert main(["list"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line and "--device cpu" in line


def test_another_failure_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Namespace) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr("bench.cli.listing.execute", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["list"])


def test_of_several_processes_the_first_tells_the_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for rank, told in (("0", "error: unknown command"), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        code, err = main(["frobnicate"]), capsys.readouterr().err
        assert code == 2 and err.startswith(told) and bool(err) == bool(told)


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


@pytest.mark.parametrize(
    "command",
    [
        "run --variant full --variant=forward",
        "ablate --seeds 0 --seeds 1",
        "compare --methods full --methods telea",
        "ablate --images a --images b",
        "evaluate --variant released --weights a --weights b",
        "study make --methods full --methods telea",
        "clean --only cache --only failed",
    ],
)
def test_a_name_that_is_typed_twice_is_never_dropped(
    command: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == 2
    told = capsys.readouterr().err
    assert "is given 2 times; give it once; see `python -m bench" in told


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("evaluate", "run"),
        ("evaluate", "baseline"),
        ("inpaint --image i --mask m --out o", "run"),
        ("inpaint --image i --mask m --out o", "baseline"),
        ("study make", "runs"),
        ("study count", "ballots"),
        ("paint", "runs"),
        ("speed", "only"),
    ],
)
def test_names_in_one_option_or_in_several_are_the_same(command: str, option: str) -> None:
    args = parsed(f"{command} --{option} a b --{option} c")
    args.parser.refuse_repeated([f"--{option}", "a", "b", f"--{option}", "c"])
    assert [str(name) for name in getattr(args, option)] == ["a", "b", "c"]


def test_the_last_of_two_numbers_counts() -> None:
    words = "run --variant full --lr 0.5 --lr=0.25"
    parsed(words).parser.refuse_repeated(words.split())
    assert given(parsed(words)) == {"lr": 0.25}


PROGRAM = "command:prog --size 1,2 {images} {masks} {out}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f'full, "{PROGRAM}"', ["full", PROGRAM]),
        ('command:"my prog" {out},full', ['command:"my prog" {out}', "full"]),
        ('"command:""my prog"" a,b"', ['command:"my prog" a,b']),
    ],
)
def test_a_name_with_a_comma_stands_in_double_quotes(text: str, names: list[str]) -> None:
    assert methods.names_in(text, "--methods") == names
    assert methods.names_in(methods.in_text(names), "--methods") == names
    file = Description({"methods": names}, {}, {})
    (word,) = config_file.words(file, parsed("compare"))
    assert methods.names_in(word.removeprefix("--methods="), "--methods") == names


@pytest.mark.parametrize("text", ["", "full,", "full,,telea", '"full', '"full"telea', "a\nb"])
def test_names_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"^--methods '.*'"):
        methods.names_in(text, "--methods")


def test_a_command_that_was_split_at_a_comma_says_how_to_write_it() -> None:
    with pytest.raises(UserError, match=r"a command with a comma stands in double quotes$"):
        methods.named(methods.names_in(f"full,{PROGRAM}", "--methods"))


def test_an_objective_sets_what_no_option_says() -> None:
    usual = config(parsed("run --variant full")).objective
    assert (usual.hole, usual.over_layers) == (1.0, "mean")
    released = config(parsed("run --variant full --hole 3 --objective released")).objective
    assert (released.hole, released.perceptual, released.over_layers) == (3.0, 0.01, "sum")
    with pytest.raises(UserError, match="invalid choice: 'relased'"):
        parsed("run --variant full --objective relased")


def test_an_option_is_given_only_where_it_was_typed() -> None:
    assert given(parsed("run --variant full --lr 0.5")) == {"lr": 0.5}


def test_a_switch_of_the_config_needs_no_value() -> None:
    assert given(parsed("run --variant full --rehash")) == {"rehash": True}
    assert given(parsed("run --variant full --rehash --lr 0.5")) == {"rehash": True, "lr": 0.5}
    assert given(parsed("run --variant full --download false")) == {"download": False}


def test_an_objective_without_effect_is_named_and_not_what_it_sets() -> None:
    for words in ("--baseline pconv", "--baseline global-local", "--baseline telea"):
        args = parsed(f"run {words} --objective released")
        with pytest.raises(UserError, match=r"^--objective released sets options without effect"):
            methods.check(chosen(args), config(args), args)
    args = parsed("run --baseline pconv --objective released --hole 3")
    with pytest.raises(UserError, match="--objective released"):
        methods.check(chosen(args), config(args), args)
    args = parsed("run --baseline pconv --hole 3")
    with pytest.raises(UserError, match="without effect on pconv: --hole"):
        methods.check(chosen(args), config(args), args)
    args = parsed("run --variant no-gan --objective released")
    methods.check(chosen(args), config(args), args)


def test_output_that_nobody_reads_is_no_error() -> None:
    reader, output = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bench", "list"]
    ended = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    os.close(output)
    assert (ended.returncode, ended.stderr) == (141, "")
