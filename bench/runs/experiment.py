"""One experiment: prepare, identify, plan, train and measure one method under one config."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

from accelerate import Accelerator
from torch import nn

from bench import registry
from bench.config import Config, from_dict, override, to_dict
from bench.core import device, sums
from bench.core.errors import UserError
from bench.core.files import read_json, remove, write_json
from bench.core.heartbeat import Heartbeat
from bench.core.origin import model_file
from bench.core.references import resolve
from bench.core.run_folder import AGAIN, RunFolder
from bench.data.inputs import Inputs
from bench.foreign.method import Foreign
from bench.networks import weights
from bench.registry import Algorithm, GivenOutputs, ImportedWeights, Method, TrainedNetwork
from bench.runs.case import Case
from bench.runs.environment import environment
from bench.runs.identity import distances, fingerprint, measurement, method_code, relevant_options
from bench.runs.measurement import Bench, Measurement
from bench.runs.plan import Plan, Work, plan
from bench.runs.run import DESCRIPTION, Run
from bench.runs.weights import GivenWeights, file_of
from bench.training.precision import Precision, choose
from bench.training.processes import (
    decided_by_first,
    from_first,
    make_accelerator,
    start_processes,
    telling_others,
)
from bench.training.trainer import Trainer

log = logging.getLogger(__name__)
TEST_PAIRS = frozenset(
    {"images", "test_images", "size", "resize", "masks", "test_masks", "polarity", "pairs"}
    | {"manifest"}
)
"""Options that say which test pairs a method is measured on."""


@dataclass(frozen=True)
class Experiment(Case):
    """A case that is carried out."""

    def execute(self, redo: bool = False) -> Run:
        """Return the finished run: skipped if it is there, resumed if it was begun, else made.

        Of several processes the first plans, writes and measures; the others help to train. All
        that a wrong option can break is made before anything is replaced or written. With `redo`
        the run is made in a folder of its own, which at the end replaces what is there.
        """
        processes = start_processes(self.config)
        self.method.check(self.config, processes.num_processes)
        precision = decided_by_first(processes, partial(self.precision, redo))
        accelerator = make_accelerator(self.config, precision)
        inputs = inputs_of(self.config, self.root)
        if not accelerator.is_main_process:
            self._help(inputs, accelerator)
            return self.run
        with ExitStack() as held:
            with telling_others(accelerator):
                held.enter_context(self.run.locked())
                bench = Bench.prepare(self.config, inputs)
                identity = self._identify(inputs, bench, accelerator, precision)
                planned = plan(self.run, identity, self._everything, redo, bench.pictured)
            from_first(accelerator, planned)
            if planned.work == "pictures":
                _draw(self.method, self.config, self.run, bench)
            elif planned.work != "nothing":
                trainer = self._trainer(inputs, accelerator, planned)
                begin = partial(self._begin, planned, identity, inputs)
                self._carry_out(planned, trainer, bench, begin, fingerprint(identity))
                if planned.run != self.run:
                    self.run.replace_by(planned.run)
                if planned.work == "training" and not self.config.training.keep_checkpoints:
                    remove(self.run.checkpoints)
        return self.run

    def precision(self, redo: bool) -> Precision:
        """Return the precision of the training; a run that was begun keeps the one it has.

        `redo` says that the run is replaced.
        """
        training = self.config.training
        if not isinstance(self.method, TrainedNetwork):
            return "fp32"
        run = self.run.successor if redo else self.run
        if training.precision == "auto" and run.identity.exists():
            known = run.read_identity().get("training.precision")
            if known in get_args(Precision):
                return cast(Precision, known)
        where = device.choose(training.device)
        return choose(training.precision, where, cache_folder(self.config, self.root))

    @property
    def _everything(self) -> Work:
        """The work of a run from its beginning."""
        return "training" if isinstance(self.method, TrainedNetwork) else "measurement"

    def _help(self, inputs: Inputs, accelerator: Accelerator) -> None:
        """Train with the first process, where it has planned a training."""
        # Nothing is decoded or built before: the first process fills the caches for all.
        planned: Plan = from_first(accelerator, Plan("nothing", self.run))
        try:
            trainer = self._trainer(inputs, accelerator, planned)
        except UserError as error:  # its own: the first process has built the same before
            log.error("process %d: %s", accelerator.process_index, error)
            raise
        if trainer is not None:
            trainer.train()

    def _carry_out(
        self,
        planned: Plan,
        trainer: Trainer | None,
        bench: Bench,
        begin: Callable[[], None],
        mark: str,
    ) -> None:
        """Train, if there is a trainer, and measure; `mark` is the fingerprint of the records."""
        run = planned.run
        if trainer is None and not planned.fresh and run.progress == "finished":
            # What was measured before stays until all is measured.
            found = self._measure(run, bench, mark)
            begin()
            with run.working():
                found.keep(run)
            return
        begin()
        with run.working():
            if trainer is not None:
                trainer.train()
                run.seal()
            with Heartbeat(run.heartbeat, "measuring"):
                self._measure(run, bench, mark).keep(run)

    def _measure(self, run: Run, bench: Bench, mark: str) -> Measurement:
        # Loaded from the file: a trained object still runs in the training's precision.
        network = network_of(self.method, self.config, run)
        return bench.measure(self.method, network, mark, run)

    def _identify(
        self, inputs: Inputs, bench: Bench, accelerator: Accelerator, precision: Precision
    ) -> dict[str, Any]:
        """Return everything that can change the result, and not where the data lies."""
        measured = {
            **what_is_measured(self.config, inputs, bench),
            **relevant_options(self.method, self.config),
        }
        if isinstance(self.method, GivenWeights):
            return {**self.method.identity, **measured}
        code = method_code(self.method, self.config)
        identity = {"method": self.method.name, "code": code, **measured}
        if isinstance(self.method, GivenOutputs):
            return {**identity, "outputs": self.method.facts}
        if not isinstance(self.method, TrainedNetwork):
            return identity
        return {
            **identity,
            **inputs.digests(),
            "training.precision": precision,
            "processes": accelerator.num_processes,
            "departures": dict(self.method.departures(self.config)),
            "vgg16 weights": _file_digest(self.config.objective.vgg16_weights),
        }

    def _begin(self, planned: Plan, identity: dict[str, Any], inputs: Inputs) -> None:
        """Remove what the plan says, and write down what the run is."""
        run = planned.run
        if planned.fresh:
            remove(run.path)
        for name in planned.damaged:
            remove(run.path / name)
        run.clear_measurement()
        given = {"weights": self.method.origin} if isinstance(self.method, GivenWeights) else {}
        run.begin(
            identity, to_dict(self.config), {**environment(self.config.training.device), **given}
        )
        inputs.test.manifest.save(run.manifest)
        if isinstance(self.method, TrainedNetwork):
            write_json(run.splits, inputs.splits())

    def _trainer(self, inputs: Inputs, accelerator: Accelerator, planned: Plan) -> Trainer | None:
        """Return the trainer, or None where the plan is not to train."""
        if planned.work != "training":
            return None
        assert isinstance(self.method, TrainedNetwork)
        config = override(self.config, self.method.objective)
        network, learner = self.method.build(config.model), resolve(self.method.learner)
        return Trainer(network, learner, config, accelerator, inputs, planned.run)


def inputs_of(config: Config, root: Path) -> Inputs:
    """Return the inputs of a config; all runs in `root` share one cache of decoded photographs."""
    return Inputs(config, cache_folder(config, root))


def cache_folder(config: Config, root: Path) -> Path:
    """Return the folder of decoded data, of files' digests, and of the trial of precisions."""
    return Path(config.data.cache or root / ".cache").expanduser()


def load_network(method: Method, config: Config, file: Path) -> nn.Module:
    """Return the method's network with the weights of a file, which must be as it was written."""
    sums.check(file)
    state = weights.read(file)
    if isinstance(method, ImportedWeights):
        imported: nn.Module = resolve(method.load)(state)
        return imported
    network = method.build(config.model)
    weights.load_into(network, state, str(file))
    return network


def load_run(run: Run) -> tuple[Method, Config]:
    """Return the method and the config of a run, whose files must be as they were written.

    Its `--cache` and `--manifest` are left out: they may be gone, or on another machine. The run
    has its own copy of the manifest, which `own_pairs` names.
    """
    run.require()
    run.check(DESCRIPTION.__contains__)
    if run.outputs:
        again = "`evaluate --outputs` with the same folder"
        if command := run.outputs.get("command"):
            again = f"the command by --baseline ({command})"
        raise UserError(
            f"{run.path} has outputs from elsewhere and no network; {again} makes its pictures "
            "again"
        )
    try:
        config = from_dict(read_json(run.config))
    except UserError as error:
        raise UserError(f"{run.config}: {error}; {AGAIN}") from error
    try:
        method = registry.find(run.method)
    except UserError as error:
        raise UserError(f"{run.path}: {_unknown(run)}") from error
    if model_file(run) != (method.origin if isinstance(method, Foreign) else ""):
        raise UserError(f"{run.path}: another method is called {run.method} here; {_unknown(run)}")
    return method, override(config, {"cache": "", "manifest": ""})


def _unknown(run: Run) -> str:
    """Return why this process does not know the method of a run, and how to name it."""
    if model := model_file(run):
        return (
            f"{run.method} is of a model that was not trained here ({model}); name that by "
            "--baseline KIND:FILE"
        )
    return f"unknown method '{run.method}'; that of a plug-in needs --plugin FILE.py"


def own_pairs(run: Run, asked: Collection[str]) -> dict[str, str]:
    """Return the option that names a run's own test pairs; none if the options ask for others."""
    if TEST_PAIRS.intersection(asked):
        return {}
    run.check({run.manifest.name}.__contains__)
    return {"manifest": str(run.manifest)}


def what_is_measured(config: Config, inputs: Inputs, bench: Bench) -> dict[str, Any]:
    """Return the parts of an identity that say what is measured, on which pairs, by which code.

    The options of the config are not among them.
    """
    metrics = [measure.metric.name for measure in bench.evaluator.measures]
    return {
        "test pairs": inputs.test.manifest.hash,
        "lpips weights": _file_digest(config.evaluation.lpips_weights),
        **measurement(config, metrics, bench.references),
        **distances(bench.distances.digest),
    }


def network_of(method: Method, config: Config, run: RunFolder) -> nn.Module:
    """Return a method's network, with the weights of a run if it has any."""
    if isinstance(method, Algorithm):
        return method.build(config.model)
    if isinstance(method, GivenWeights):
        return load_network(method.source, config, method.file)
    return load_network(method, config, file_of(run))


def restore_pictures(run: Run, root: Path) -> None:
    """Fill a finished run's test pairs again from its weights; the records stay as they are."""
    method, config = load_run(run)
    config = override(config, {"manifest": str(run.manifest), "lpips": "off", "distances": "off"})
    _draw(method, config, run, Bench.prepare(config, inputs_of(config, root)))


def _draw(method: Method, config: Config, run: Run, bench: Bench) -> None:
    """Make the pictures again that the run had, and those that the config asks for."""
    bench.draw(method, network_of(method, config, run), run, bench.pictured | run.pictured)
    run.seal_pictures()


def _file_digest(file: str) -> str:
    return weights.file_hash(Path(file)) if file else "torchvision"
