"""The common part of `ablate` and `compare`: a sweep from the command line, on to its report."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from bench.cli import config_file, methods, options, sweep_report
from bench.cli.arguments import Parser, whole_number
from bench.cli.run import make
from bench.core.errors import UserError
from bench.core.rank import is_first

if TYPE_CHECKING:
    from bench.registry import Method
    from bench.sweeps.launcher import Launcher
    from bench.sweeps.slurm import Settings
    from bench.sweeps.sweep import Report, Sweep


def add_options(parser: Parser) -> None:
    """Add the options of commands that make many runs, with the whole config."""
    parser.add_argument("--seeds", help="comma-separated seeds, one training each; default: --seed")
    parser.add_argument("--redo", action="store_true", help="replace runs that are there")
    parser.add_argument(
        "--dry-run", action="store_true", help="tell what is left, and what it will take; run none"
    )
    _add_launcher(parser)
    options.add_name(parser)
    config_file.add_config_file(parser)
    options.add_config(parser)


def _add_launcher(parser: Parser) -> None:
    group = parser.add_argument_group("launcher", "Where the runs are made.")
    group.add_argument(
        "--launcher",
        default="here",
        metavar="HOW",
        help="here: one run after the other; local:N: N at once on this machine; slurm or slurm:N: "
        "jobs on a cluster, N at most at once; print: only print the commands (default: here)",
    )
    group.add_argument(
        "--processes",
        type=whole_number(1, 1024),
        default=1,
        help="processes that train one run, with local:N and slurm (default: 1)",
    )
    group.add_argument(
        "--slurm-partition", default="", metavar="NAME", help="partition of the jobs"
    )
    group.add_argument(
        "--slurm-gpus", type=whole_number(0, 1024), default=0, metavar="N", help="GPUs of each job"
    )
    group.add_argument(
        "--slurm-time", default="", metavar="TIME", help="limit of each job: minutes or D-HH:MM:SS"
    )
    group.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other option of sbatch, such as cpus-per-task=8; may be given several times",
    )


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
    from bench.core.device import tune_cpu
    from bench.sweeps.launcher import launcher
    from bench.sweeps.slurm import Settings

    how = launcher(args.launcher)
    _check(how, args)
    slurm = Settings(
        how.at_once, args.slurm_partition, args.slurm_gpus, args.slurm_time, tuple(args.slurm)
    )
    tune_cpu()
    if args.dry_run:
        return _estimate(sweep, how, args)
    if "RANK" not in os.environ:  # under torchrun the runs prepare themselves, in all processes
        from bench.sweeps.prepare import prepare

        here = how.kind in ("here", "local")
        sweep = prepare(sweep, args.processes, here, args.redo)
    if how.kind == "print":
        for case in sweep.cases:
            print(shlex.join(["python", "-m", "bench", *sweep.words(case)]))
        return 0
    if is_first():
        sweep.describe()
    if how.kind == "slurm":
        return _submit(sweep, slurm, args)
    if how.kind == "local":
        from bench.sweeps import local

        failed = local.launch(sweep, how.at_once, args.processes, args.redo)
    else:
        failed = run_here(sweep, args.redo)
    return sweep_report.write(sweep.folder, failed) if is_first() else 0


def _estimate(sweep: Sweep, how: Launcher, args: argparse.Namespace) -> int:
    """Print what is left of a sweep, and what it will take."""
    from bench.sweeps.estimate import HEADER, estimate
    from reports.tables.markdown import table

    found = estimate(sweep, how, args.processes, args.redo)
    print(f"{table(HEADER, [row.cells() for row in found.rows])}\n\n{found}")
    return 0


def _check(how: Launcher, args: argparse.Namespace) -> None:
    """Raise a `UserError` for options that the launcher cannot obey."""
    if "RANK" in os.environ and how.kind != "here":
        raise UserError(
            f"--launcher {args.launcher}: give the command without torchrun, and the number of "
            "processes of each run by --processes"
        )
    if args.processes > 1 and how.kind in ("here", "print"):
        raise UserError(
            f"--processes has no effect with --launcher {how.kind}; use local:N or slurm, or start "
            "the command by torchrun"
        )
    if how.kind == "slurm" and not args.dry_run:
        from bench.sweeps.slurm import require

        require()
    given = [args.slurm_partition, args.slurm_gpus, args.slurm_time, args.slurm]
    if any(given) and how.kind != "slurm":
        raise UserError("--slurm and --slurm-...: without effect; use --launcher slurm")


def _submit(sweep: Sweep, settings: Settings, args: argparse.Namespace) -> int:
    """Submit what is left of a sweep to Slurm, or report it if nothing is."""
    from bench.sweeps.slurm import submit

    jobs = submit(sweep, settings, args.processes, args.redo)
    sweep.describe(jobs)
    return 0 if any(jobs) else sweep_report.write(sweep.folder)


def run_here(sweep: Sweep, redo: bool) -> dict[str, str]:
    """Make the runs one after the other in this process; return why some failed, by their names."""
    return attempted(
        {case.run.name: partial(make, case, redo, sweep.measures_cost) for case in sweep.cases}
    )


def attempted(works: Mapping[str, Callable[[], object]]) -> dict[str, str]:
    """Do some works one after the other in this process; return why some failed, by their names.

    Failure of one does not stop the others.
    """
    failed: dict[str, str] = {}
    for number, (name, work) in enumerate(works.items(), 1):
        print(f"[{number}/{len(works)}] {name}", file=sys.stderr)
        try:
            work()
        except UserError as error:
            failed[name] = str(error)
        # A method is anybody's code and may fail in any way.
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).splitlines())
            failed[name] = f"{type(error).__name__}: {reason}"
    return failed
