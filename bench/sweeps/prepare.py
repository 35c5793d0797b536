"""The parts that all runs of a sweep need, made once before any of them is launched."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.config import Config, Data, Evaluation, override
from bench.core.errors import UserError
from bench.data.inputs import Inputs
from bench.networks import vgg_features
from bench.registry import TrainedNetwork
from bench.runs.case import Case
from bench.runs.experiment import TEST_PAIRS, Experiment, inputs_of
from bench.runs.measurement import Bench
from bench.sweeps.sweep import Sweep

log = logging.getLogger(__name__)
PLACES = frozenset({"data_root", "cache"})
"""Options that say where data lie."""


def prepare(sweep: Sweep, processes: int = 1, here: bool = True, redo: bool = False) -> Sweep:
    """Return the sweep as it can be launched: what its runs need is there, and found to be right.

    Many runs that begin together would decode, draw and download the same, and fail alike. So all
    settings are checked, photographs and masks decoded, pretrained weights found, and the test
    pairs frozen into the sweep's folder, from where the returned cases take them: all runs are
    measured on the same pairs, even if the data change. What is missing or wrong is a `UserError`.

    `processes` is the number of processes of each run. `here` says that the runs are launched on
    this machine: the returned cases then name the precision that `auto` stands for, since a run
    with fewer threads, or next to others, might find another. A `redo` need not keep that of a run
    which is there.
    """
    check(sweep.cases, processes)
    needs = _Needs(sweep.folder)
    cases = tuple(map(needs.meet, sweep.cases))
    if here:
        cases = tuple(_in_one_precision(case, redo) for case in cases)
    return replace(sweep, cases=cases)


def check(cases: Iterable[Case], processes: int) -> None:
    """Raise a `UserError` for a case that cannot work, or that has the name of another."""
    taken: set[Path] = set()
    for case in cases:
        if case.run.path in taken:
            raise UserError(
                f"two runs would be {case.run.path}: they differ in what no name tells; "
                "give them names of their own"
            )
        taken.add(case.run.path)
        try:
            case.method.check(case.config, processes)
        except UserError as error:
            raise UserError(f"{case.run.name}: {error}") from error


class _Needs:
    """The needs of cases, each of which is met for the first case that has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tests: dict[tuple[Any, ...], Inputs] = {}
        self.trainings: set[tuple[Path, Data]] = set()
        self.features: set[tuple[str, bool]] = set()
        self.evaluations: set[Evaluation] = set()

    def meet(self, case: Case) -> Case:
        """Return a case whose needs are met, with its frozen test pairs."""
        if isinstance(case.method, TrainedNetwork):
            self._find_features(case.method, case.config)
            self._decode(case)
        need = case.root, *(case.config.value(name) for name in sorted(TEST_PAIRS | PLACES))
        inputs = self.tests.setdefault(need, inputs_of(case.config, case.root))
        self._find_metrics(case.config, inputs)
        manifest = inputs.test.manifest
        file = self.folder / f"pairs-{manifest.hash}.json"
        manifest.save(file)
        return replace(case, config=override(case.config, {"manifest": str(file)}))

    def _decode(self, case: Case) -> None:
        """Decode the photographs and masks to train with, so that the run finds them cached."""
        need = case.root, case.config.data
        if need not in self.trainings:
            inputs = inputs_of(case.config, case.root)
            inputs.digests()
            _ = inputs.validation
            self.trainings.add(need)

    def _find_features(self, method: TrainedNetwork, config: Config) -> None:
        """Load the weights of the perceptual network that a method trains with, if it does."""
        objective = override(config, method.objective).objective
        need = objective.vgg16_weights, config.evaluation.download
        unused = "features" in method.ignores and "features" not in method.objective
        if objective.features == "vgg16" and not unused and need not in self.features:
            vgg_features.build(objective, config.evaluation.download)
            self.features.add(need)

    def _find_metrics(self, config: Config, inputs: Inputs) -> None:
        """Load the metrics, with their weights, and say which cannot be measured."""
        if config.evaluation in self.evaluations:
            return
        self.evaluations.add(config.evaluation)
        # On the CPU: the memory of a GPU is for the runs.
        bench = Bench.prepare(override(config, {"device": "cpu"}), inputs)
        for measure in bench.evaluator.measures:
            if measure.note:
                log.info("%s will not be measured: %s", measure.metric.label, measure.note)


def _in_one_precision(case: Case, redo: bool) -> Case:
    """Return a case with the precision that `auto` stands for on this machine."""
    if not isinstance(case.method, TrainedNetwork):
        return case
    precision = Experiment(case.method, case.config, case.root, case.tag).precision(redo)
    return replace(case, config=override(case.config, {"precision": precision}))
