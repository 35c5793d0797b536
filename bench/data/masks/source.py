"""Mask sources: what one is, how one is defined, and how `--masks` names one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

from bench.core.digests import FileDigests
from bench.core.registry import Registry
from bench.data.images.source import Split
from bench.data.masks import family
from bench.data.masks.buckets import Mask
from bench.data.masks.polarity import Polarity
from bench.data.source_name import SourceName, TakesPath, unknown_source


class MaskSource(Protocol):
    """Masks for training by position, and for testing by bucket and by name. All is required.

    `bench.data.masks.family.GeneratedMasks` draws masks, and `bench.data.masks.listed.MaskList` is
    the base of sources that can list theirs. Every method must be a function of its arguments
    alone: the same position, or name, gives the same mask in every process and run.
    """

    @property
    def name(self) -> str:
        """The name in manifests and errors. It holds no path."""

    @property
    def digest(self) -> str:
        """Identify the masks' pixels, wherever they lie; this is part of a training's identity."""

    def training(self, size: int, ratio: tuple[float, float], seed: int, position: int) -> Mask:
        """Return the mask at one position of the training sequence, [size,size].

        Called for every training image. A source whose masks have fixed hole ratios may leave
        `ratio` (low, high] aside.
        """

    def by_bucket(
        self, size: int, seed: int, purpose: str, count: int
    ) -> dict[str, list[tuple[str, Mask]]]:
        """Return up to `count` named masks [size,size] for each bucket's label.

        Called once, when test pairs are drawn; `purpose` tells the streams of test and validation
        apart.
        """

    def load(self, name: str, size: int) -> Mask:
        """Return the mask of a name that `by_bucket` gave; an unknown name is a `UserError`.

        Called for every pair of a manifest.
        """


class MaskRequest(NamedTuple):
    """The masks that an experiment asks a source for."""

    split: Split
    """Test pairs ask for `test`, training and validation for `train`."""
    root: Path
    """The folder that holds named data sets, `--data-root`."""
    path: Path | None
    """The path of `NAME:PATH`, where the source takes one."""
    polarity: Polarity | Literal[""]
    """`--polarity`; empty if it is not given."""
    digests: FileDigests
    """Digests of files, for `MaskSource.digest`; decoded masks are kept in their folder."""


OpenMasks = Callable[[MaskRequest], MaskSource]
Open = TypeVar("Open", bound=OpenMasks)


@dataclass(frozen=True, kw_only=True)
class MaskSet:
    """Masks by a name; `mask_source` defines one."""

    name: str
    summary: str
    takes_path: TakesPath
    families: tuple[str, ...]
    """Families that it draws from; their code is part of a fingerprint."""
    open: OpenMasks


REGISTRY: Registry[MaskSet] = Registry("mask source", ["bench.data.masks"], "lbam_bench.masks")


def mask_source(
    name: str, summary: str, takes_path: TakesPath = "optional", families: tuple[str, ...] = ()
) -> Callable[[Open], Open]:
    """Define a mask source by the function that opens it.

    The function is called when an experiment starts; it raises a `UserError` that says what is
    missing. `families` names those that it draws masks from, if any. To define masks that are drawn
    alone, see `bench.data.masks.family.mask_family`. This file, `bench/data/masks/doodles.py`,
    makes `--masks doodles` work:

        from bench.data.masks.files import FileMasks
        from bench.data.masks.source import mask_source

        @mask_source("doodles", "scanned doodles, black is hole")
        def doodles(request):
            folder = request.path or request.root / "doodles"
            return FileMasks.open(folder, "hole-black", request.digests)
    """

    def define(open_masks: Open) -> Open:
        found = MaskSet(
            name=name, summary=summary, takes_path=takes_path, families=families, open=open_masks
        )
        REGISTRY.add(name, found)
        return open_masks

    return define


def open_masks(
    spec: str,
    polarity: Polarity | Literal[""],
    root: Path,
    split: Split = "train",
    digests: FileDigests | None = None,
) -> MaskSource:
    """Return the masks of `spec`: comma-separated families, or a source `NAME` or `NAME:PATH`.

    A source that is unknown, missing or damaged is a `UserError`.
    """
    asked, sources = SourceName.parse(spec), REGISTRY.all()
    if asked.name in sources:
        asked.check_path(sources[asked.name].takes_path)
        request = MaskRequest(split, root, asked.path, polarity, digests or FileDigests())
        return sources[asked.name].open(request)
    families, known = [name.strip() for name in spec.split(",")], family.REGISTRY.all()
    for name in families:
        if name not in known:
            forms = [(source.name, source.takes_path) for source in sources.values()]
            never: TakesPath = "never"
            raise unknown_source("mask source", name, [*((n, never) for n in known), *forms])
    return family.GeneratedMasks(tuple(families))


def modules(spec: str) -> list[str]:
    """Return the names of the modules that define the masks of `spec`, for a run's fingerprint."""
    source = REGISTRY.all().get(SourceName.parse(spec).name)
    families = source.families if source else [name.strip() for name in spec.split(",")]
    drawn = [family.REGISTRY.module(name) for name in families]
    return [REGISTRY.module(source.name), *drawn] if source else drawn
