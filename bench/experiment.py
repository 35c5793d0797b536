"""Train, evaluate and write down one method under one config, once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn

from bench import device, registry, runs, weights
from bench.config import Config, from_dict, identity, override, to_dict
from bench.data import assemble
from bench.data.manifest import TestPairs
from bench.errors import UserError
from bench.evaluation import records
from bench.evaluation.evaluator import Evaluator
from bench.files import read_json, write_json
from bench.registry import Method
from bench.runs import Run
from bench.training.trainer import Trainer, make_accelerator

log = logging.getLogger(__name__)
CODE = ("bench.training.trainer", "bench.evaluation.evaluator", "bench.data.assemble")
"""What a result depends on, beside the module that defines the method."""


@dataclass(frozen=True)
class Experiment:
    """One method under one config; its run lies in `root`."""

    method: Method
    config: Config
    root: Path

    @property
    def run(self) -> Run:
        """The run, named by what it is."""
        seed = self.config.training.seed
        return Run(self.root / f"{self.method.name}-{self.config.preset}-seed{seed}")

    @property
    def cache(self) -> Path:
        """Decoded photographs, shared by all runs in `root`."""
        return self.root / ".cache"

    def execute(self, redo: bool = False) -> Run:
        """The finished run: skipped if it is there, resumed if it was begun, else made.

        Of several processes the first decides, writes and evaluates; the others help to train.
        """
        accelerator = make_accelerator(self.config)
        if not accelerator.is_main_process:
            if _agree(accelerator, None):
                self._trainer(accelerator).train()
            return self.run
        with self.run.locked():
            if redo:
                self.run.clear()
            pairs = assemble.test_pairs(self.config, self.cache)
            asked = self._identity(pairs)
            if self.run.state == "finished":
                self.run.check_same(asked)
                log.info("%s is finished; skipped", self.run.folder)
                _agree(accelerator, False)
                return self.run
            self.run.begin(asked, to_dict(self.config))
            pairs.manifest.save(self.run.folder / "manifest.json")
            with self.run.working():
                _agree(accelerator, True)
                trainer = self._trainer(accelerator)
                trainer.train()
                measure(
                    self.method,
                    trainer.network,
                    self.config,
                    pairs,
                    runs.fingerprint(asked),
                    self.run.folder,
                )
        return self.run

    def _trainer(self, accelerator: Accelerator) -> Trainer:
        config = override(self.config, self.method.objective)
        if config.objective.features == "random":
            log.info(
                "perceptual and style loss on random features: not the paper's loss "
                "(--features vgg16 is)"
            )
        return Trainer(
            self.method.build(config.model),
            config,
            accelerator,
            assemble.training_batches(config, self.cache),
            assemble.validation_pairs(config, self.cache),
            self.run.folder,
        )

    def _identity(self, pairs: TestPairs) -> dict[str, Any]:
        """Everything that can change the result, and not where the data lies."""
        values = {name: _without_path(value) for name, value in identity(self.config).items()}
        batches = assemble.training_batches(self.config, self.cache)
        return {
            "method": self.method.name,
            **values,
            "training images": batches.photos.digest[:16],
            "training masks": batches.masks.digest,
            "test pairs": pairs.manifest.hash,
            "code": runs.code_hash([self.method.module, *CODE]),
        }


def evaluate_weights(method: Method, config: Config, file: Path, folder: Path, cache: Path) -> None:
    """Measure weights of a method on the config's test pairs; records go to `folder`."""
    network = load_network(method, config, file)
    pairs = assemble.test_pairs(config, cache)
    identity = {"weights": weights.file_hash(file), "test pairs": pairs.manifest.hash}
    pairs.manifest.save(folder / "manifest.json")
    write_json(folder / "identity.json", {"method": method.name, **identity})
    write_json(folder / "environment.json", runs.environment())
    measure(method, network, config, pairs, runs.fingerprint(identity), folder)


def measure(
    method: Method,
    network: nn.Module,
    config: Config,
    pairs: TestPairs,
    fingerprint: str,
    folder: Path,
) -> None:
    """Write records of a network, and of the methods that stand beside it, and its pictures."""
    evaluator = Evaluator(pairs, config.evaluation, device.choose(config.training.device))

    def columns(of: Method) -> dict[str, str | int]:
        seed = config.training.seed if of.trainable else 0
        return {"family": of.family, "method": of.name, "seed": seed, "fingerprint": fingerprint}

    frames = [evaluator.records(network, method.name, columns(method), folder / "pictures")]
    for other in reference_methods(config):
        frames.append(evaluator.records(other.build(config.model), other.name, columns(other)))
    records.write(folder / "records.csv", pd.concat(frames, ignore_index=True))


def load_network(method: Method, config: Config, file: Path) -> nn.Module:
    """The method's network with the weights of a file."""
    state = weights.read(file)
    if method.load is not None:
        return method.load(state)
    network = method.build(config.model)
    weights.load_into(network, state, str(file))
    return network


def load_run(folder: Path) -> tuple[Method, Config]:
    """The method and config of a run that has trained weights."""
    run = Run(folder)
    if run.state == "absent":
        raise UserError(f"{folder} is not a run; give a folder that `bench run` made")
    if not run.weights.exists():
        raise UserError(f"{folder} has no trained weights yet (state {run.state}); run it first")
    config = from_dict(read_json(folder / "config.json"))
    return registry.find(run.read_identity()["method"]), config


def reference_methods(config: Config) -> list[Method]:
    """The methods without training that are measured beside."""
    names = [n.strip() for n in config.evaluation.references.split(",") if n.strip()]
    methods = [registry.find(name) for name in names]
    for method in methods:
        if method.trainable:
            raise UserError(f"--references {method.name}: it must be trained; use `bench run`")
    return methods


def _agree(accelerator: Accelerator, decision: bool | None) -> bool:
    """The first process's decision, told to all."""
    shared = [decision]
    if accelerator.num_processes > 1:
        broadcast_object_list(shared)
    return bool(shared[0])


def _without_path(value: Any) -> Any:
    """`folder:/where/ever` to `folder`: its content is in a digest, its place changes nothing."""
    if isinstance(value, str) and value.partition(":")[0] in ("folder", "masks", "nvidia"):
        return value.partition(":")[0]
    return value
