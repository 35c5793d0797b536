"""The times of training steps, whole and by part."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from bench import registry
from bench.config import Config, override
from bench.core import device
from bench.networks.layers import to_device
from bench.presets import preset
from bench.profiling import cost, plain, released, samples
from bench.profiling.timing import STEPS_TO_WARM_UP, Row, median
from bench.training.common import CommonLearner
from bench.training.precision import Precision
from bench.training.processes import make_accelerator

BATCHES = {"cpu": (4,), "cuda": (4, 48)}
"""Images of a timed step by kind of device: 48 are the paper's, which would take a CPU a minute."""


def training(repeats: int, clone: Path | None = None) -> list[Row]:
    """Time a step of the reference method at 256 pixels, and in the quick preset.

    A `clone` of the released code is timed next to it.
    """
    rows = []
    for batch in BATCHES[device.choose("auto").type]:
        rows += _at_256(batch, repeats, clone)
    for precision in samples.precisions():
        what = f"step, {registry.reference().name}, quick preset"
        rows += _step(what, preset("quick"), precision, repeats)
    return rows


def compiled_step(repeats: int, clone: Path | None = None) -> list[Row]:
    """Time a compiled step of the reference method at 256 pixels, next to a `clone`.

    The time of compiling, a minute or two, is not part of it.
    """
    batch, precision = BATCHES[device.choose("auto").type][-1], samples.precisions()[-1]
    config = override(preset("paper"), {"batch_size": batch, "features": "random"})
    theirs = released.step_seconds(clone, repeats, batch) if clone else None
    config = override(config, {"compile_step": "on"})
    what = f"compiled step, {registry.reference().name}, 256 px"
    return [_step(what, config, precision, repeats)[0]._replace(released=theirs)]


def _at_256(batch: int, repeats: int, clone: Path | None) -> list[Row]:
    """Time a step at 256 pixels in each precision, and the plain and the released one."""
    config = override(preset("paper"), {"batch_size": batch, "features": "random"})
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        # The plain step needs a process of its own: `tune_cpu` set the allocator of this one, and
        # that cannot be undone.
        seconds = pool.apply(plain.step_seconds, (repeats, batch))
    name = registry.reference().name
    rows = [Row(f"plain step, {name}, 256 px, batch {batch}, fp32", seconds, batch)]
    theirs = None
    if clone:
        theirs = released.step_seconds(clone, repeats, batch)
        rows.append(Row(f"released step, 256 px, batch {batch}, fp32", theirs, batch))
    for precision in samples.precisions():
        whole, *parts = _step(f"step, {name}, 256 px", config, precision, repeats)
        rows += [whole._replace(plain=seconds, released=theirs), *parts]
    return rows


def _step(what: str, config: Config, precision: Precision, repeats: int) -> list[Row]:
    """Time a whole step, and the share of each of its parts."""
    learner, batch = _learner(config, precision), config.training.batch_size
    image, mask = samples.inputs(batch, config.data.size)
    holed = image * mask
    parts = _parts(learner, config, holed, mask, image)
    works = {"whole": lambda: learner.step(holed, mask, image, 0), **parts}
    seconds = {name: median(work, repeats, STEPS_TO_WARM_UP) for name, work in works.items()}
    names = {name: f"- {name}: {seconds[name] / seconds['whole']:.0%}" for name in parts}
    names["whole"] = f"{what}, {precision}, batch {batch}"
    return [
        Row(names[name], seconds[name], batch, flops=cost.flops(work), precision=precision)
        for name, work in works.items()
    ]


def _parts(
    learner: CommonLearner, config: Config, holed: Tensor, mask: Tensor, image: Tensor
) -> dict[str, Callable[[], object]]:
    output = learner.output(holed, mask).detach()
    critic = learner.critic
    assert critic is not None

    def features() -> None:
        with learner.accelerator.autocast():  # `generator_terms` computes them so.
            learner.feature_terms(image, output, mask)

    return {
        "critic": lambda: learner.step_critic(critic, image, output, mask, 0),
        "generator": lambda: learner.step_generator(image, learner.output(holed, mask), mask),
        "of that, perceptual features forward": features,
        "drawing the batch, next to the step": lambda: samples.sample_batches(config)[0],
    }


def _learner(config: Config, precision: Precision) -> CommonLearner:
    accelerator = make_accelerator(config, precision)
    network = registry.reference().build(config.model)
    learner = CommonLearner(network, config, accelerator, 1)
    if config.data.size == 256:  # The paper's network is timed, but its weights need no download.
        learner.features = to_device(samples.vgg16_features(), accelerator.device)
    return learner
