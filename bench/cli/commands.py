"""What each command does, from its parsed options to its exit code.

Heavy imports happen inside. A function's docstring is the command's help.
"""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from bench.config import Config, Model, override
from bench.core.errors import UserError, unknown
from bench.presets import preset
from bench.registry import Family, Method


def _overrides(args: argparse.Namespace) -> dict[str, Any]:
    given = {k.removeprefix("set_"): v for k, v in vars(args).items() if k.startswith("set_")}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}


def _config(args: argparse.Namespace) -> Config:
    return override(preset(args.preset), _overrides(args))


def _torch() -> types.ModuleType:
    from bench.core import device

    device.tune_cpu()
    return device


def list_methods(args: argparse.Namespace) -> int:
    """Show the methods: what each is, how it differs, its parameters."""
    from bench.registry import discover
    from reports.methods import method_list

    print(method_list(discover().values(), Model()))
    return 0


def _method(args: argparse.Namespace) -> Method | None:
    """The method of --variant or --baseline, where one is given."""
    from bench.registry import find

    for family in get_args(Family):
        if getattr(args, family):
            return find(getattr(args, family), family)
    return None


def _runnable(method: Method) -> Method:
    if not method.runnable:
        raise UserError(
            f"{method.family} '{method.name}' is not trained; "
            "use evaluate or inpaint with --weights"
        )
    return method


def run(args: argparse.Namespace) -> int:
    """Train and evaluate one method; ends with a table and a plot."""
    method, config = _method(args), _config(args)
    assert method is not None  # argparse wants one of the two
    _runnable(method)
    _torch()
    from bench.runs.experiment import Experiment
    from reports import writing

    run = Experiment(method, config, args.out).execute(args.redo)
    if _first_process():
        print(f"\n{writing.one(run.folder)}\nplot: {run.folder / 'plot.png'}")
        print(f"pictures: {run.folder / 'grid.png'}")
    return 0


def ablate(args: argparse.Namespace) -> int:
    """Run every variant and print the ablation table (Table 2)."""
    from bench.registry import discover

    every = [m.name for m in discover().values() if m.family == "variant" and m.runnable]
    methods = [_runnable(m) for m in _named(args.variants or every, "variant")]
    config = _config(args)
    _torch()
    from reports import writing

    folders, failed = _run_all(methods, config, args)
    if folders and _first_process():
        print(f"\n{writing.ablation(folders, args.out / 'ablation')}")
        print(f"table and plots: {args.out / 'ablation'}")
    return _report_failed(failed)


def compare(args: argparse.Namespace) -> int:
    """Run full and every baseline; print the comparison (Table 1) and the costs."""
    from bench.registry import discover

    baselines = [m.name for m in discover().values() if m.family == "baseline" and m.runnable]
    methods = [_runnable(m) for m in _named(args.methods or ["full", *baselines])]
    config = _config(args)
    _torch()
    from bench.profiling import cost
    from reports import writing

    folders, failed = _run_all(methods, config, args)
    if folders and _first_process():
        for folder in folders:
            cost.of_run(folder)
        print(f"\n{writing.comparison(folders, args.out / 'comparison')}")
        print(f"table, plots and pictures: {args.out / 'comparison'}")
    return _report_failed(failed)


def _named(names: str | Sequence[str], family: Family | None = None) -> list[Method]:
    """The methods of comma-separated names, or of a list of them."""
    from bench.registry import find

    listed = names.split(",") if isinstance(names, str) else names
    return [find(name.strip(), family) for name in listed]


def _run_all(
    methods: Sequence[Method], config: Config, args: argparse.Namespace
) -> tuple[list[Path], list[str]]:
    """The folders of those that went well, and what went wrong with the others."""
    from bench.runs.experiment import Experiment
    from reports import writing

    folders, failed = [], []
    for number, method in enumerate(methods, 1):
        print(f"[{number}/{len(methods)}] {method.name}", file=sys.stderr)
        try:
            folders.append(Experiment(method, config, args.out).execute(args.redo).folder)
        except (UserError, RuntimeError) as error:
            failed.append(f"{method.name}: {error}")
    if _first_process():
        for folder in folders:
            writing.one(folder)
    return folders, failed


def _report_failed(failed: Sequence[str]) -> int:
    for text in failed:
        print(f"failed: {text}", file=sys.stderr)
    return 2 if failed else 0


def evaluate(args: argparse.Namespace) -> int:
    """Measure trained weights on other test pairs."""
    _torch()
    from bench.runs import experiment
    from reports import writing

    method, start, file = _weights(args, preset(args.preset))
    config = override(start, _overrides(args) | {"device": args.device})
    trained = start if args.run else None
    folder = experiment.evaluate_weights(method, config, file, args.out, trained)
    print(f"\n{writing.one(folder)}\nplot: {folder / 'plot.png'}\npictures: {folder / 'grid.png'}")
    return 0


def _weights(args: argparse.Namespace, start: Config) -> tuple[Method, Config, Path]:
    """Method, config and weights file, from --run or from a method's name and --weights."""
    from bench.runs import experiment
    from bench.runs.run import Run

    method = _method(args)
    if args.run and method is None:
        method, config = experiment.load_run(args.run)
        return method, config, args.weights or Run(args.run).weights
    if args.weights and method and not args.run:
        return method, start, args.weights
    raise UserError(
        "say what to use: --run DIR (and --weights for one of its checkpoints), "
        "or --variant or --baseline NAME and --weights FILE"
    )


def report(args: argparse.Namespace) -> int:
    """Make tables and plots anew from the records of runs."""
    from bench.runs import run as runs
    from reports import writing

    finished = [run for run in runs.find(args.out) if run.state == "finished"]
    if not finished:
        raise UserError(f"no finished run in {args.out}; make one with `python -m bench run`")
    _restore_pictures([run.folder for run in finished if not run.pictured], args.out)
    folders = [run.folder for run in finished]
    for folder in folders:
        writing.one(folder)
    out = args.out / "report"
    print(f"{writing.everything(folders, out)}\ntables and plots: {out}")
    if args.image or args.mask:
        print(f"object removal: {_remove_object(args, folders, out / 'removal')}")
    return 0


def _restore_pictures(folders: Sequence[Path], root: Path) -> None:
    """Make missing pictures again; a run whose test images are gone is reported without."""
    if not folders:
        return
    _torch()
    from bench.runs.experiment import restore_pictures

    for folder in folders:
        try:
            restore_pictures(folder, root / ".cache")
        except UserError as error:
            print(f"warning: no pictures of {folder.name}: {error}", file=sys.stderr)


def _remove_object(args: argparse.Namespace, folders: Sequence[Path], out: Path) -> Path:
    """The user's picture filled by every run (Fig. 6); returns the figure."""
    if not (args.image and args.mask):
        raise UserError("object removal needs both --image and --mask")
    device = _torch()
    from bench.evaluation import inpaint
    from bench.runs import experiment
    from reports import figures

    image, mask = inpaint.read(args.image, args.mask, args.polarity)
    holes = inpaint.save(out / "input.png", inpaint.show_hole(image, mask))
    filled = {}
    for folder in folders:
        method, network = experiment.network_of_run(folder)
        if method.name not in filled:  # the first seed
            picture = inpaint.fill_picture(network, image, mask, device.choose("auto"))
            filled[method.name] = inpaint.save(out / f"{method.name}.png", picture)
    figures.removal(holes, filled, out / "removal.png")
    return out / "removal.png"


def inpaint(args: argparse.Namespace) -> int:
    """Fill the holes of one picture of any size."""
    device = _torch()
    from bench.evaluation import inpaint
    from bench.runs import experiment

    image, mask = inpaint.read(args.image, args.mask, args.polarity)
    start, method = override(preset(args.preset), _overrides(args)), _method(args)
    if method and method.classical:
        network = method.build(start.model)
    else:
        method, config, file = _weights(args, start)
        network = experiment.load_network(method, config, file)
    inpaint.save(args.out, inpaint.fill_picture(network, image, mask, device.choose(args.device)))
    print(f"filled {args.image} -> {args.out}")
    return 0


def study_make(args: argparse.Namespace) -> int:
    """Write a blind page on which people vote for outputs, and the key to it."""
    from bench.runs import run as runs
    from reports.study.make import make

    found = [run for out in args.out for run in runs.find(out) or [runs.Run(out)]]
    folders = [run.folder for run in found if run.state == "finished"]
    if not folders:
        looked = ", ".join(map(str, args.out))
        raise UserError(f"no finished run in {looked}; make one with `python -m bench run`")
    methods = [name.strip() for name in args.methods.split(",")] if args.methods else []
    print(make(folders, args.to, methods, args.questions, args.seed))
    return 0


def study_count(args: argparse.Namespace) -> int:
    """Count the voters' files: share of the votes per method, with intervals."""
    from reports.study.count import count

    print(count(args.ballots, args.key))
    return 0


def speed(args: argparse.Namespace) -> int:
    """Time training, inference, evaluation and data on this machine."""
    _torch()
    from bench.profiling import speed

    chosen = args.only.split(",") if args.only else list(speed.SECTIONS)
    for name in chosen:
        if name not in speed.SECTIONS:
            raise unknown("section", name, speed.SECTIONS)
    print(speed.report(chosen, args.repeats))
    return 0


def _first_process() -> bool:
    from accelerate import PartialState

    return bool(PartialState().is_main_process)
