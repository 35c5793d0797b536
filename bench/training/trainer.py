"""The training loop of all trainable methods, on Hugging Face accelerate."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from bench.config import Config
from bench.core.errors import UserError
from bench.core.heartbeat import Heartbeat
from bench.core.interrupts import Stopped, stop_requests
from bench.core.run_folder import RunFolder
from bench.data.batches import load_batches
from bench.data.inputs import Inputs
from bench.evaluation.album import save_picture
from bench.evaluation.fill import blank, fill
from bench.evaluation.validation import mean_psnr
from bench.networks import weights
from bench.networks.holes import composite
from bench.networks.interfaces import TellsScalars
from bench.training import tracker
from bench.training.checkpoints import Checkpoints
from bench.training.learner import Learner
from bench.training.log import TrainingLog
from bench.training.processes import any_process

log = logging.getLogger(__name__)


class Trainer:
    """The training of one network in a run's folder, from its last checkpoint if there is one."""

    def __init__(
        self,
        network: nn.Module,
        learner: type[Learner],
        config: Config,
        accelerator: Accelerator,
        inputs: Inputs,
        folder: RunFolder,
    ) -> None:
        tracker.check(config.training.tracker)
        self.config, self.accelerator, self.folder = config, accelerator, folder
        rank, world = accelerator.process_index, accelerator.num_processes
        self.batches = replace(inputs.train, rank=rank, world=world)
        self.validation = inputs.validation
        self.steps = total_steps(config, len(inputs.train.photos))
        self.learner = learner(network, config, accelerator, self.steps)
        self.checkpoints = Checkpoints(folder, accelerator)
        self.minutes = config.training.checkpoint_minutes
        self.network = network
        self.warned = False

    def train(self) -> None:
        """Train to the end of the budget and write the weights.

        A term or weight that is not finite is a `UserError`. A signal that asks to stop ends the
        step in work and is a `Stopped` after a checkpoint.
        """
        checkpoint = self.checkpoints.newest()
        start = 0 if checkpoint is None else self.checkpoints.load(checkpoint)
        process, active = self.accelerator.process_index, self.accelerator.is_main_process
        average = partial(self.accelerator.reduce, reduction="mean")
        with (
            TrainingLog(
                self.folder,
                self.learner.terms,
                start,
                active,
                average,
                self._tracker(start, active),
            ) as rows,
            self._heartbeat(start, active) as heartbeat,
            stop_requests() as request,
        ):
            if checkpoint is None:
                rows.write_scalars(0, self._scalars())
            else:
                log.info("resuming after step %d of %d", start, self.steps)
                rows.load(checkpoint, process, self.accelerator.device)
            for step, terms in self._steps(start):
                heartbeat.step = step
                rows.add(step, terms, self.config.training.batch_size)
                self._write_rows(step, rows)
                late = time.monotonic() - self.checkpoints.written > 60 * self.minutes
                stop, late = any_process(self.accelerator, request.number != 0, late)
                if stop or late or _due(step, self.config.training.checkpoint_every, self.steps):
                    self.checkpoints.write(step, rows)
                if stop:
                    raise Stopped(
                        f"stopped after step {step} of {self.steps}, which is kept; the same "
                        "command goes on from there", request.number
                    )  # fmt: skip
        self._check_weights()
        if active:
            weights.write(self.folder.weights, self.network)
        self.accelerator.wait_for_everyone()

    def _tracker(self, start: int, active: bool) -> tracker.Tracker | None:
        if not active:
            return None
        return tracker.Tracker(self.config.training.tracker, self.folder, self.config, start)

    def _heartbeat(self, start: int, active: bool) -> Heartbeat:
        batch = self.config.training.batch_size
        return Heartbeat(self.folder.heartbeat, "training", start, self.steps, batch, active)

    def _steps(self, start: int) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """Yield (steps done, terms of the last step) from step `start` on; show the progress."""
        # A resumed run goes on with its next batch.
        steps, workers = range(start, self.steps), self.config.training.workers
        loader = load_batches(
            self.batches, steps, workers, pin_memory=self.accelerator.device.type == "cuda"
        )
        quiet = not self.accelerator.is_main_process
        with tqdm(total=self.steps, initial=start, desc="train", unit="step", disable=quiet) as bar:
            for step, (images, masks) in enumerate(loader, start):
                target, mask = self._to_device(images) / 255, self._to_device(masks)
                terms = self.learner.step(blank(target, mask), mask, target, step)
                bar.update()
                if _due(step + 1, self.config.training.log_every, self.steps):
                    shown = {k: f"{terms[k]:.3f}" for k in self.learner.shown if k in terms}
                    rate = (bar.format_dict["rate"] or 0) * self.config.training.batch_size
                    bar.set_postfix(shown | {"img/s": f"{rate:.1f}"}, refresh=False)
                yield step + 1, terms

    def _write_rows(self, step: int, rows: TrainingLog) -> None:
        """Write the rows of the log that are due after a step."""
        if _due(step, self.config.training.log_every, self.steps):
            self._judge(step, rows.write())
        if _due(step, self.config.training.validate_every, self.steps):
            rows.write_validation(step, self._validate(step))
            rows.write_scalars(step, self._scalars())

    def _to_device(self, x: Tensor) -> Tensor:
        # Batches become float32 on the device: as uint8 they are a quarter of that to copy.
        moved = x.to(self.accelerator.device, non_blocking=True)
        return moved.to(torch.float32, memory_format=torch.channels_last)

    def _validate(self, step: int) -> float:
        """Return the mean PSNR of the validation pairs in dB, and save sample pictures.

        The main process alone measures; the others wait, and get NaN.
        """
        value = math.nan
        if self.accelerator.is_main_process:
            where, batch = self.accelerator.device, self.config.evaluation.eval_batch
            value = mean_psnr(self.network, self.validation, where, batch)
            self._save_samples(step)
        self.accelerator.wait_for_everyone()
        return value

    def _scalars(self) -> dict[str, float]:
        """Return the scalars by name that the network's modules offer, such as LBAM's attention."""
        return {
            f"{name}.{key}": value.item()
            for name, module in self.network.named_modules()
            if isinstance(module, TellsScalars)
            for key, value in module.scalars().items()
        }

    def _save_samples(self, step: int) -> None:
        """Save one picture: holes in white, composites and true images, one row for each pair."""
        shown = self.validation.manifest.first_of_buckets
        images, masks = (self._to_device(x) for x in self.validation.batch(shown))
        image = images / 255
        output = composite(fill(self.network, image, masks), image, masks)
        holes = composite(torch.ones_like(image), image, masks)
        columns = [torch.cat(list(x), 1) for x in (holes, output, image)]
        save_picture(self.folder.samples / f"{step:06d}.png", torch.cat(columns, 2))

    def _judge(self, step: int, row: dict[str, float]) -> None:
        """Stop a training that diverged; log the first warning of the learner, and no later one."""
        for term in self.learner.terms:
            if not math.isfinite(row.get(term, 0.0)):
                raise _diverged(step, f"the term '{term}' is {row[term]}")
        text = "" if self.warned else self.learner.warning(row)
        if text:
            self.warned = True
            log.warning("step %d: %s", step, text)

    def _check_weights(self) -> None:
        """Raise a `UserError` if a weight is not finite: the last step may have made it so."""
        for name, value in self.network.state_dict().items():
            if not value.isfinite().all():
                raise _diverged(self.steps, f"the weight '{name}' is not finite")


def total_steps(config: Config, images: int) -> int:
    """Return the budget in steps: `steps`, or `epochs` over that many images."""
    training = config.training
    return training.steps or math.ceil(training.epochs * images / training.batch_size)


def _due(step: int, every: int, last: int) -> bool:
    return step % every == 0 or step == last


def _diverged(step: int, what: str) -> UserError:
    return UserError(
        f"the training diverged: {what} at step {step}; try a lower --lr or --critic-lr, or "
        "--precision fp32, with --redo"
    )
