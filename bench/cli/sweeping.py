"""What `ablate` and `compare` share: a sweep from the command line, and its way to a report."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bench.cli import config_file, methods, options
from bench.cli.arguments import Parser
from bench.cli.run import make
from bench.core.errors import UserError
from bench.core.rank import is_first

if TYPE_CHECKING:
    from bench.registry import Method
    from bench.sweeps.sweep import Report, Sweep


def add_options(parser: Parser) -> None:
    """Add the options of commands that make many runs, with the whole config."""
    parser.add_argument("--seeds", help="comma-separated seeds, one training each; default: --seed")
    parser.add_argument("--redo", action="store_true", help="replace runs that are there")
    parser.add_argument(
        "--launcher",
        default="here",
        metavar="HOW",
        help="here: one run after the other; local:N: N at once on this machine; print: only print "
        "the command of each run (default: here)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only print what would be run")
    options.add_name(parser)
    config_file.add_config_file(parser)
    options.add_config(parser)


def sweep_of(args: argparse.Namespace, chosen: Sequence[Method], report: Report) -> Sweep:
    """Return the sweep over some methods; its report's folder is named by `report` and --name."""
    from bench.sweeps.grid import Grid
    from bench.sweeps.sweep import Sweep

    start = options.config(args)
    found = args.described
    seeds = tuple(methods.seeds(args, start))
    grid = Grid(seeds, found.axes, found.methods, args.typed) if found else Grid(seeds)
    cases = grid.cases(chosen, start, args.out, args.name)
    return Sweep(args.out / "-".join(filter(None, [report, args.name])), cases, report)


def carry_out(sweep: Sweep, args: argparse.Namespace) -> int:
    """Make the runs of a sweep, write their report and return the exit code."""
    from bench.sweeps.launcher import launcher

    how = launcher(args.launcher)
    if several_processes() and how.kind != "here":
        raise UserError("torchrun starts the processes of one run; use --processes with --launcher")
    if args.dry_run:
        return _estimate(sweep, how, args)
    from bench.core.device import tune_cpu

    tune_cpu()
    if not several_processes():
        from bench.sweeps.prepare import prepare

        sweep = prepare(sweep, args.processes, here=how.kind in ("here", "local"))
    if how.kind == "print":
        for case in sweep.cases:
            print(shlex.join(["python", "-m", "bench", *sweep.words(case)]))
        return 0
    if is_first():
        sweep.describe()
    failed = _launch(sweep, how, args)
    return sweep_report.write(sweep.folder, failed) if is_first() else 0


def _launch(sweep: Sweep, how: Launcher, args: argparse.Namespace) -> dict[str, str]:
    """Make the runs by a launcher; return why some failed, by their names."""
    if how.kind == "local":
        from bench.sweeps import local

        return local.launch(sweep, how.at_once, args.processes, args.redo)
    if args.processes > 1:
        raise UserError(
            "--processes is for --launcher local:N and slurm; here, start the command by torchrun"
        )
    return run_here(sweep, args.redo)


def run_here(sweep: Sweep, redo: bool) -> dict[str, str]:
    """Make the runs one after the other in this process; return why some failed, by their names.

    Failure of one does not stop the others.
    """
    failed: dict[str, str] = {}
    for number, case in enumerate(sweep.cases, 1):
        print(f"[{number}/{len(sweep.cases)}] {case.run.name}", file=sys.stderr)
        try:
            make(case, redo, sweep.measures_cost)
        except UserError as error:
            failed[case.run.name] = str(error)
        # A method is anybody's code and may fail in any way.
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).splitlines())
            failed[case.run.name] = f"{type(error).__name__}: {reason}"
    return failed
