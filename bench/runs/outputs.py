"""Runs of outputs that were made elsewhere: a folder of pictures measured like a method."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bench.config import Config
from bench.core import sums
from bench.core.errors import UserError
from bench.core.run_folder import NAME, OUTPUTS
from bench.data.export import stem
from bench.data.pairs import FrozenPairs
from bench.evaluation import outputs
from bench.evaluation.known_pixels import UNLIKE, Comparison, compare
from bench.registry import GivenOutputs, discover
from bench.runs.experiment import Experiment, inputs_of
from bench.runs.run import Run


def evaluate(
    folder: Path, name: str, config: Config, root: Path, lossy: bool = False, redo: bool = False
) -> Run:
    """Measure the pictures of a folder on the config's test pairs, and return the finished run.

    The run `NAME-PRESET-outputs-PAIRS` is made, skipped or measured again as any other; other
    outputs under its name need `redo`. A name that a method has, and pictures that cannot be the
    outputs for the pairs, are a `UserError`.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"--name {name}: use letters, digits, '.', '_' and '-', since it names folders of runs"
        )
    if name in discover():
        raise UserError(f"--name {name}: a method of the suite has this name; choose another")
    pairs = inputs_of(config, root).test
    method = given(name, folder, pairs, lossy)
    tag = f"{OUTPUTS}-{pairs.manifest.hash[:8]}"
    return Experiment(method, config, root, tag).execute(redo)


def given(name: str, folder: Path, pairs: FrozenPairs, lossy: bool) -> GivenOutputs:
    """Return the method that a folder of outputs for these pairs stands for, after a look at all.

    What cannot be right is a `UserError`: a missing picture, another size, a mistake in saving.
    """
    files = outputs.find(folder, [stem(number) for number in range(len(pairs))])
    compared, kinds, conversions = [], Counter[str](), Counter[str]()
    for number, file in enumerate(tqdm(files, desc="check outputs", unit="img")):
        output = outputs.read(file)
        outputs.check_file(file, output, pairs.manifest.size, lossy)
        image, mask = (x[0].permute(1, 2, 0).numpy() for x in pairs.batch([number]))
        compared.append(compare(output.pixels, image, mask[..., 0]))
        kinds[output.format] += 1
        conversions.update(output.conversions)
    _check(folder, files, compared)
    known = sum(found.known for found in compared)
    facts: dict[str, Any] = {
        "digest": _digest(files),
        "formats": dict(sorted(kinds.items())),
        "conversions": dict(sorted(conversions.items())),
        "known pixels changed": sum(found.changed for found in compared) / known,
        "known pixels differ by": sum(found.difference for found in compared) / (3 * known),
    }
    return GivenOutputs(
        name=name, family="baseline", summary="outputs from a folder", files=files, facts=facts
    )


def _check(folder: Path, files: Sequence[Path], compared: Sequence[Comparison]) -> None:
    """Raise a `UserError` for mistakes that the known pixels and the holes tell of."""
    wrong = [(f, c.mistake) for f, c in zip(files, compared, strict=True) if c.mistake]
    if wrong:
        file, mistake = wrong[0]
        raise UserError(f"{file} {mistake}; {len(wrong)} of {len(files)} outputs look wrong")
    colours = {found.hole_colour for found in compared}
    if len(files) > 1 and len(colours) == 1 and None not in colours:
        raise UserError(
            f"all holes in {folder} have the colour {colours.pop()}: give the folder of filled "
            "pictures, not that of the inputs"
        )
    likeness = [found.likeness for found in compared if np.isfinite(found.likeness)]
    if likeness and np.median(likeness) < UNLIKE:
        raise UserError(
            f"the known pixels of {folder} are not those of the test pairs (median correlation "
            f"{np.median(likeness):.2f}); check that names, --manifest and range of values are "
            "right"
        )


def _digest(files: Sequence[Path]) -> str:
    """Return the digest of the files' bytes in the order of their pairs, 16 hexadecimal digits."""
    text = "".join(f"{sums.sha256(file)}\n" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
