"""Train, evaluate and write down one method under one config, once."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn

from bench import registry
from bench.config import Config, from_dict, identity, override, to_dict
from bench.core import device
from bench.core.errors import UserError
from bench.core.files import read_json, write_json
from bench.data import inputs as assemble
from bench.data.pairs import TestPairs
from bench.evaluation import records
from bench.evaluation.album import Album
from bench.evaluation.evaluator import Evaluator
from bench.networks import weights
from bench.registry import Method
from bench.runs import run as runs
from bench.runs.run import Run
from bench.training.common import CommonLearner
from bench.training.trainer import Trainer, make_accelerator

log = logging.getLogger(__name__)
EVALUATION_CODE = ("bench.evaluation.evaluator", "bench.data.inputs")
TRAINING_CODE = ("bench.training.trainer", *EVALUATION_CODE)
"""What a result depends on, beside the module that defines the method."""
SOURCES = ("data.images", "data.test_images", "data.masks", "data.test_masks")
"""Options of the form KIND or KIND:PATH."""


@dataclass(frozen=True)
class Experiment:
    """One method under one config; its run lies in `root`."""

    method: Method
    config: Config
    root: Path

    @property
    def run(self) -> Run:
        """The run, named by what it is."""
        name = f"{self.method.name}-{self.config.preset}"
        # The seed of the training: nothing else may differ from one seed to another.
        seed = f"-seed{self.config.training.seed}" if self.method.trainable else ""
        return Run(self.root / f"{name}{seed}")

    @property
    def cache(self) -> Path:
        """Decoded photographs, shared by all runs in `root`."""
        return self.root / ".cache"

    def execute(self, redo: bool = False) -> Run:
        """The finished run: skipped if it is there, resumed if it was begun, else made.

        A classical method is measured as it stands. Of several processes the first decides, writes
        and evaluates; the others help to train.
        """
        accelerator = make_accelerator(self.config)
        if not accelerator.is_main_process:
            if _agree(accelerator, None) and self.method.trainable:
                self._trainer(accelerator).train()
            return self.run
        with self.run.locked():
            bench = Bench.prepare(self.config, self.cache)
            asked = self._identity(bench.pairs)
            state = "absent" if redo else self.run.state
            if state != "absent":
                self.run.check_same(asked)
            if state == "finished":
                log.info("%s is finished; skipped", self.run.folder)
                _agree(accelerator, False)
                return self.run
            _agree(accelerator, True)
            # All that a wrong option can break is made before anything is replaced or written.
            trainer = self._trainer(accelerator) if self.method.trainable else None
            if state == "absent":
                # Also what a killed --redo left: its checkpoints belong to another run.
                self.run.clear()
            self.run.begin(asked, to_dict(self.config))
            bench.pairs.manifest.save(self.run.folder / "manifest.json")
            if self.method.trainable:
                splits = assemble.splits(self.config, self.cache)
                write_json(self.run.folder / "splits.json", splits)
            with self.run.working():
                network = self._network(trainer)
                bench.measure(self.method, network, runs.fingerprint(asked), self.run.folder)
        return self.run

    def _network(self, trainer: Trainer | None) -> nn.Module:
        """The network to be measured, trained first where it can be."""
        if trainer is None:
            return self.method.build(self.config.model)
        trainer.train()
        # Afresh from the file: the trained object still runs in the training's precision.
        return load_network(self.method, self.config, self.run.weights)

    def _trainer(self, accelerator: Accelerator) -> Trainer:
        config = override(self.config, self.method.objective)
        return Trainer(
            self.method.build(config.model),
            self.method.learner() if self.method.learner else CommonLearner,
            config,
            accelerator,
            assemble.training_batches(config, self.cache),
            assemble.validation_pairs(config, self.cache),
            self.run.folder,
        )

    def _identity(self, pairs: TestPairs) -> dict[str, Any]:
        """Everything that can change the result, and not where the data lies."""
        values = {k: _without_path(k, value) for k, value in identity(self.config).items()}
        measured = {
            "method": self.method.name,
            "test pairs": pairs.manifest.hash,
            "lpips weights": _weights_digest(self.config.evaluation.lpips_weights),
        }
        if self.method.classical:
            chosen = {k: v for k, v in values.items() if k.startswith("evaluation.")}
            code = runs.code_hash([self.method.module, *EVALUATION_CODE])
            return {**measured, **chosen, "code": code}
        batches = assemble.training_batches(self.config, self.cache)
        own = [] if self.method.learner else ["bench.training.common"]
        return {
            **measured,
            **values,
            "training images": batches.photos.digest[:16],
            "training masks": batches.masks.digest,
            "vgg16 weights": _weights_digest(self.config.objective.vgg16_weights),
            "code": runs.code_hash([self.method.module, *own, *TRAINING_CODE]),
        }


@dataclass(frozen=True)
class Bench:
    """What a method is measured on, with, and beside."""

    config: Config
    pairs: TestPairs
    evaluator: Evaluator
    references: list[Method]

    @classmethod
    def prepare(cls, config: Config, cache: Path) -> Bench:
        """Everything of a config's evaluation; what is missing or wrong is an error now."""
        references = _references(config.evaluation.references)
        pairs = assemble.test_pairs(config, cache)
        where = device.choose(config.training.device)
        return cls(config, pairs, Evaluator(pairs, config.evaluation, where), references)

    def measure(self, method: Method, network: nn.Module, fingerprint: str, folder: Path) -> None:
        """Write the records of a network and of the methods beside it, and its pictures."""
        album = Album(folder / "pictures", method.views)
        frames = [self._records(method, network, fingerprint, album)]
        for other in self.references:
            if other.name != method.name:
                beside = other.build(self.config.model)
                frames.append(self._records(other, beside, fingerprint, None))
        records.write(folder / "records.csv", pd.concat(frames, ignore_index=True))

    def _records(
        self, method: Method, network: nn.Module, fingerprint: str, album: Album | None
    ) -> pd.DataFrame:
        columns: dict[str, str | int] = {
            "family": method.family,
            "method": method.name,
            "seed": self.config.training.seed if method.trainable else 0,
            "fingerprint": fingerprint,
        }
        batch = self.config.evaluation.eval_batch
        if method.classical:  # an image a core: fewer would leave some idle
            batch = max(batch, os.cpu_count() or 1)
        return self.evaluator.records(network, method.name, columns, album, batch)


def evaluate_weights(
    method: Method, config: Config, file: Path, root: Path, trained: Config | None
) -> Path:
    """Measure weights of a method on the config's test pairs; returns the folder of the results.

    `trained` is the config the weights were trained with, where it is known.
    """
    network = load_network(method, config, file)
    bench = Bench.prepare(config, root / ".cache")
    digest, pairs = weights.file_hash(file), bench.pairs.manifest
    identity = {"method": method.name, "weights": digest, "test pairs": pairs.hash}
    folder = root / "evaluations" / f"{method.name}-{digest[:8]}-on-{pairs.hash[:8]}"
    pairs.save(folder / "manifest.json")
    write_json(folder / "identity.json", identity)
    write_json(folder / "environment.json", runs.environment())
    if trained is not None:
        write_json(folder / "config.json", to_dict(trained))
    bench.measure(method, network, runs.fingerprint(identity), folder)
    return folder


def load_network(method: Method, config: Config, file: Path) -> nn.Module:
    """The method's network with the weights of a file."""
    state = weights.read(file)
    if method.load is not None:
        return method.load(state)
    network = method.build(config.model)
    weights.load_into(network, state, str(file))
    return network


def network_of_run(folder: Path) -> tuple[Method, nn.Module]:
    """The method of a finished run and its network: an algorithm, or one with its weights."""
    method, config = load_run(folder)
    if method.classical:
        return method, method.build(config.model)
    return method, load_network(method, config, Run(folder).weights)


def restore_pictures(folder: Path, cache: Path) -> None:
    """Fill a finished run's test pairs again from its weights; the records stay as they are."""
    _, config = load_run(folder)
    method, network = network_of_run(folder)
    config = override(config, {"manifest": str(folder / "manifest.json"), "lpips": "off"})
    bench = Bench.prepare(config, cache)
    bench.evaluator.records(network, method.name, {}, Album(folder / "pictures", method.views))


def load_run(folder: Path) -> tuple[Method, Config]:
    """The method and config of a run."""
    run = Run(folder)
    if run.state == "absent":
        raise UserError(f"{folder} is not a run; give a folder that `bench run` made")
    config = from_dict(read_json(folder / "config.json"))
    return registry.find(run.read_identity()["method"]), config


def _references(names: str) -> list[Method]:
    methods = [registry.find(name.strip()) for name in names.split(",") if name.strip()]
    for method in methods:
        if not method.classical:
            raise UserError(f"--references {method.name}: it has weights; use run or evaluate")
    return methods


def _weights_digest(file: str) -> str:
    return weights.file_hash(Path(file)) if file else "torchvision"


def _agree(accelerator: Accelerator, decision: bool | None) -> bool:
    """The first process's decision, told to all."""
    shared = [decision]
    if accelerator.num_processes > 1:
        broadcast_object_list(shared)
    return bool(shared[0])


def _without_path(option: str, value: Any) -> Any:
    """`folder:/where/ever` to `folder`: its content is in a digest, its place changes nothing."""
    return value.partition(":")[0] if option in SOURCES else value
