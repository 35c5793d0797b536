"""The command line: `python -m bench COMMAND`. Heavy imports happen inside the commands."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from bench import __version__
from bench.config import Config, Model, override, sections
from bench.errors import UserError, unknown
from bench.presets import PRESET_HELP, PRESETS, preset

Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are `UserError`s."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UserError(f"{message}; see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 for a mistake in the input, 130 when interrupted."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("bench").setLevel(logging.INFO)
    try:
        args = _parse(sys.argv[1:] if argv is None else list(argv))
        code: int = args.command(args)
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


def _parse(argv: list[str]) -> argparse.Namespace:
    parser, commands = build_parser()
    if argv and not argv[0].startswith("-") and argv[0] not in commands:
        raise unknown("command", argv[0], commands)
    args, extra = parser.parse_known_args(argv)
    if extra:
        known = [s for a in commands[argv[0]]._actions for s in a.option_strings]
        raise unknown("option", extra[0].partition("=")[0], known)
    return args


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and those of its commands by name."""
    parser = Parser(
        prog="python -m bench",
        description="Ablation studies of LBAM image inpainting: train, evaluate, compare.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    commands: dict[str, Parser] = {}

    def command(name: str, run: Command, help: str) -> Parser:
        commands[name] = subparsers.add_parser(
            name, help=help, description=help, allow_abbrev=False
        )
        commands[name].set_defaults(command=run)
        return commands[name]

    command("list", _list, "show the methods: what each is, how it differs, its parameters")

    run = command("run", _run, "train and evaluate one variant; ends with a table and a plot")
    run.add_argument("--variant", required=True, help="name of the variant (see list)")
    ablate = command("ablate", _ablate, "run every variant and print the ablation table")
    run.usage = "%(prog)s --variant NAME [options]"
    ablate.usage = "%(prog)s [options]"
    ablate.add_argument("--variants", help="comma-separated names; default: all of them")
    for sub in (run, ablate):
        sub.add_argument("--redo", action="store_true", help="replace runs that are there")
        _add_config(sub)

    evaluate = command("evaluate", _evaluate, "measure trained weights on other test pairs")
    _add_weights(evaluate)
    _add_config(evaluate, only=("data", "model", "evaluation"))
    evaluate.add_argument("--device", choices=("auto", "cpu"), default="auto", help="where to run")

    report = command("report", _report, "make tables and plots anew from the records of runs")
    _add_out(report)

    inpaint = command("inpaint", _inpaint, "fill the holes of one picture of any size")
    _add_weights(inpaint)
    inpaint.add_argument("--image", required=True, type=Path, help="the picture")
    inpaint.add_argument("--mask", required=True, type=Path, help="its mask, of the same size")
    inpaint.add_argument("--out", required=True, type=Path, help="where to save the filled picture")
    inpaint.add_argument("--polarity", choices=("hole-white", "hole-black"), default="hole-white",
                         help="what the hole is in the mask (default: hole-white)")  # fmt: skip
    inpaint.add_argument("--device", choices=("auto", "cpu"), default="auto", help="where to run")
    for name in ("width", "depth"):
        _add_field(inpaint, Model, name)
    inpaint.add_argument("--preset", default="paper", choices=list(PRESETS),
                         help="whose width and depth --weights have (default: paper)")  # fmt: skip

    speed = command(
        "speed", _speed, "time training, inference, evaluation and data on this machine"
    )
    speed.add_argument("--repeats", type=int, default=5, help="timed runs per row (default: 5)")
    speed.add_argument("--only", help="comma-separated sections (default: all)")
    return parser, commands


def _add_config(parser: Parser, only: Sequence[str] | None = None) -> None:
    """Options for every field of the config, and what they start from."""
    listing = "; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items())
    parser.add_argument("--preset", default="quick", help=f"{listing} (default: quick)")
    _add_out(parser)
    for section, kind in sections():
        if only is None or section in only:
            group = parser.add_argument_group(section, (kind.__doc__ or "").partition("\n")[0])
            for item in dataclasses.fields(kind):
                _add_field(group, kind, item.name)


def _add_field(parser: argparse._ActionsContainer, kind: type, name: str) -> None:
    item = next(f for f in dataclasses.fields(kind) if f.name == name)
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        dest=f"set_{name}",
        default=argparse.SUPPRESS,
        help=item.metadata["help"].replace("%", "%%"),
        **_argument(get_type_hints(kind)[name]),
    )


def _argument(hint: Any) -> dict[str, Any]:
    """What argparse needs to know of a field's type."""
    if get_origin(hint) is Literal:
        return {"choices": [str(c) for c in get_args(hint)]}
    if get_origin(hint) is tuple:
        return {"nargs": len(get_args(hint)), "type": get_args(hint)[0], "metavar": "X"}
    if hint is bool:
        return {"type": _boolean, "metavar": "true|false"}
    return {"type": hint, "metavar": hint.__name__.upper()}


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text.lower() == "true"


def _add_out(parser: Parser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), help="folder of runs (default: runs)"
    )


def _add_weights(parser: Parser) -> None:
    parser.add_argument("--run", type=Path, help="folder of a trained run")
    parser.add_argument("--variant", help="without --run: whose weights they are")
    parser.add_argument(
        "--weights",
        type=Path,
        help="weights file (safetensors or torch); with --run: of one of its checkpoints",
    )


def _overrides(args: argparse.Namespace) -> dict[str, Any]:
    given = {k.removeprefix("set_"): v for k, v in vars(args).items() if k.startswith("set_")}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}


def _config(args: argparse.Namespace) -> Config:
    return override(preset(args.preset), _overrides(args))


def _torch() -> types.ModuleType:
    from bench import device

    device.tune_cpu()
    return device


def _list(args: argparse.Namespace) -> int:
    from bench.registry import discover
    from reports.methods import method_list

    print(method_list(discover().values(), Model()))
    return 0


def _trainable(name: str) -> Any:
    from bench.registry import find

    method = find(name, "variant")
    if not method.trainable:
        raise UserError(f"variant '{name}' is not trained; use evaluate or inpaint with --weights")
    return method


def _run(args: argparse.Namespace) -> int:
    method, config = _trainable(args.variant), _config(args)
    _torch()
    from bench.experiment import Experiment
    from reports import writing

    run = Experiment(method, config, args.out).execute(args.redo)
    if _first_process():
        print(f"\n{writing.one(run.folder)}\nplot: {run.folder / 'plot.png'}")
        print(f"pictures: {run.folder / 'grid.png'}")
    return 0


def _ablate(args: argparse.Namespace) -> int:
    from bench.registry import discover

    every = [m.name for m in discover().values() if m.family == "variant" and m.trainable]
    names = [n.strip() for n in args.variants.split(",")] if args.variants else every
    methods, config = [_trainable(name) for name in names], _config(args)
    _torch()
    from bench.experiment import Experiment
    from reports import writing

    folders, failed = [], []
    for number, method in enumerate(methods, 1):
        print(f"[{number}/{len(methods)}] {method.name}", file=sys.stderr)
        try:
            folders.append(Experiment(method, config, args.out).execute(args.redo).folder)
        except (UserError, RuntimeError) as error:
            failed.append(f"{method.name}: {error}")
    if folders and _first_process():
        for folder in folders:
            writing.one(folder)
        out = args.out / "ablation"
        print(f"\n{writing.many(folders, out)}\ntable and plots: {out}")
    for text in failed:
        print(f"failed: {text}", file=sys.stderr)
    return 2 if failed else 0


def _evaluate(args: argparse.Namespace) -> int:
    _torch()
    from bench import experiment
    from reports import writing

    method, start, file = _weights(args, preset(args.preset))
    config = override(start, _overrides(args) | {"device": args.device})
    trained = start if args.run else None
    folder = experiment.evaluate_weights(method, config, file, args.out, trained)
    print(f"\n{writing.one(folder)}\nplot: {folder / 'plot.png'}\npictures: {folder / 'grid.png'}")
    return 0


def _weights(args: argparse.Namespace, start: Config) -> tuple[Any, Config, Path]:
    """Method, config and weights file, from --run or from --variant and --weights."""
    from bench import experiment, registry
    from bench.runs import Run

    if args.run and not args.variant:
        method, config = experiment.load_run(args.run)
        return method, config, args.weights or Run(args.run).weights
    if args.weights and args.variant and not args.run:
        return registry.find(args.variant), start, args.weights
    raise UserError(
        "say what to use: --run DIR (and --weights for one of its checkpoints), "
        "or --variant NAME --weights FILE"
    )


def _report(args: argparse.Namespace) -> int:
    from bench import runs
    from reports import writing

    folders = [run.folder for run in runs.find(args.out) if run.state == "finished"]
    if not folders:
        raise UserError(f"no finished run in {args.out}; make one with `python -m bench run`")
    for folder in folders:
        writing.one(folder)
    out = args.out / "report"
    print(f"{writing.many(folders, out)}\ntable and plots: {out}")
    return 0


def _inpaint(args: argparse.Namespace) -> int:
    device = _torch()
    from bench import experiment, inpaint

    image, mask = inpaint.read(args.image, args.mask, args.polarity)
    method, config, file = _weights(args, override(preset(args.preset), _overrides(args)))
    network = experiment.load_network(method, config, file)
    inpaint.save(args.out, inpaint.fill(network, image, mask, device.choose(args.device)))
    print(f"filled {args.image} -> {args.out}")
    return 0


def _speed(args: argparse.Namespace) -> int:
    _torch()
    from bench import speed

    chosen = args.only.split(",") if args.only else list(speed.SECTIONS)
    for name in chosen:
        if name not in speed.SECTIONS:
            raise unknown("section", name, speed.SECTIONS)
    print(speed.report(chosen, args.repeats))
    return 0


def _first_process() -> bool:
    from accelerate import PartialState

    return bool(PartialState().is_main_process)
