"""The suite in Python, for notebooks: what `import bench` offers.

Mistakes are a `UserError`, with the words of the command line: `--batch-size` there is the argument
`batch_size` here.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.config import Config, Model, override
from bench.core.errors import UserError
from bench.foreign.method import find
from bench.registry import Algorithm, ImportedWeights, Method, TrainedNetwork, discover

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from bench.core.digests import FileDigests
    from bench.data.masks.polarity import Polarity
    from bench.evaluation.arrays import Fill, Hole, Picture
    from bench.evaluation.picture import Filler
    from bench.runs.run import Run
    from bench.runs.sources import Source

NETWORKS = 4
"""Most networks of runs that `inpaint` keeps in memory."""
KINDS = {Algorithm: "algorithm", TrainedNetwork: "trained", ImportedWeights: "imported weights"}


@dataclass(frozen=True)
class Finished:
    """A finished run. A notebook shows its table."""

    path: Path
    """Folder of the run."""

    @property
    def table(self) -> str:
        """The tables of all metrics by hole ratio, as Markdown."""
        return (self.path / "table.md").read_text(encoding="utf-8")

    @property
    def records(self) -> pd.DataFrame:
        """The results per test pair, metric and region; floors of the tables are among them."""
        from bench.core.run_folder import RunFolder
        from bench.evaluation import records

        return records.read([RunFolder(self.path).records])

    def _repr_markdown_(self) -> str:
        return self.table


class Results(NamedTuple):
    """Frames of finished runs; `settings` tells runs apart that must not be compared."""

    records: pd.DataFrame
    """A row per test pair, metric and region, each once: see `bench.evaluation.records`."""
    differences: pd.DataFrame
    """Every method against the reference: see `reports.analysis.differences.paired`."""
    costs: pd.DataFrame
    """Costs of filling an image: see `bench.profiling.cost`; empty if nothing was measured."""
    distances: pd.DataFrame
    """FID, KID, P-IDS and U-IDS by bucket: see `bench.evaluation.distances.table`."""


def methods() -> pd.DataFrame:
    """Return all methods, a row each.

    Columns are name, family, summary, kind (`trained`, `algorithm` or `imported weights`), differs
    (what a variant changes, as a mapping) and parameters (at the paper's size; missing where they
    cannot be counted, which is a warning).

    >>> import bench
    >>> bench.methods().query("kind == 'algorithm'")["name"].tolist()[:2]
    ['mean-colour', 'telea']
    """
    import pandas as pd

    rows = [
        {
            "name": method.name,
            "family": method.family,
            "summary": method.summary,
            "kind": next(kind for of, kind in KINDS.items() if isinstance(method, of)),
            "differs": dict(method.differs),
            "parameters": _parameters(method),
        }
        for method in discover().values()
    ]
    return pd.DataFrame(rows).astype({"parameters": "Int64"})


def run(
    method: str,
    *,
    preset: str = "quick",
    out: str | Path = "runs",
    name: str = "",
    objective: str = "paper",
    redo: bool = False,
    cost: bool = False,
    **options: Any,
) -> Finished:
    """Train and measure a method, and return its run, as `python -m bench run` does.

    `options` are those of `run --help-all`, such as `seed=1` or `data_root="DATA"`. A run that is
    finished is skipped, whether the command line made it or this function; `redo` replaces it.
    Options without effect on the method are a `UserError`, as all that cannot work.

    >>> import bench
    >>> options = {"size": 64, "resize": 88, "pairs": 1, "lpips": "off", "pictures": "none"}
    >>> done = bench.run("telea", **options)
    >>> done.path.name, len(done.records.query("method == 'telea' and metric == 'psnr'"))
    ('telea-quick', 12)
    """
    from bench.cli import methods as chosen
    from bench.cli.run import make

    args = _options(preset, objective, options)
    found, config = chosen.runnable(find(method)), _config(args)
    chosen.check(found, config, args)
    from bench.core.device import tune_cpu
    from bench.runs.case import Case

    tune_cpu()
    case = Case(found, config, Path(out), name)
    make(case, redo, cost)
    return Finished(case.run.path)


def load(*places: str | Path) -> Results:
    """Return records, differences, costs and distances of finished runs, as reports compute them.

    A place is a folder of runs, a run, the folder of a sweep, or a file of `pack`. A damaged run,
    and one that a sweep lacks, is left out with a warning; no finished run is a `UserError`. The
    column `settings` of each frame names the group of runs that may be compared, as the folders of
    a report do; a run that fits into several groups, as algorithms do, stands in each.

    >>> import bench
    >>> results = bench.load("runs")
    >>> results.records.groupby("method", observed=True)["seed"].nunique().to_dict()
    {'mean-colour': 1, 'telea': 1}
    """
    import pandas as pd

    from bench.runs.sources import merged, opened
    from reports import build, provenance
    from reports.measured import distances_of, records_of

    with opened([Path(place) for place in places or ("runs",)]) as sources:
        runs, problems = merged([_of_sweep(source) for source in sources])
        for problem in problems:
            warnings.warn(f"left out: {problem}", stacklevel=2)
        if not runs:
            raise UserError("; ".join(problems))
        frames: list[list[pd.DataFrame]] = []
        for settings, group in provenance.groups(runs).items():
            measured = records_of(group)
            compared = build.against_reference(measured, group)
            found = [measured, compared, pd.DataFrame(build.costs_of(group))]
            found.append(distances_of(group))
            frames.append([frame.assign(settings=settings) for frame in found])
    return Results(*(pd.concat(kind, ignore_index=True) for kind in zip(*frames, strict=True)))


def inpaint(
    image: Picture,
    mask: Hole,
    method: str | None = None,
    *,
    run: str | Path | Finished | None = None,
    polarity: Polarity = "hole-white",
    device: str = "auto",
) -> Picture:
    """Return an image, or a batch of them, with its hole filled; known pixels stay bit for bit.

    The image is an array [H,W,3], a PIL image in RGB, or a tensor [3,H,W] or [B,3,H,W], of 16
    pixels or more on a side, in uint8 or floats in [0,1]; the result is of the same kind. The mask
    [H,W] may be of another kind; its hole is True, non-zero or white, or the opposite with the
    polarity `hole-black`. A batch may have a mask [B,1,H,W]. The hole is filled by an algorithm,
    `method`, or by the weights of a `run`, which stay in memory for the next calls. A large image
    is filled in crops: see `bench.evaluation.crops`. What does not fit is a `UserError`.

    >>> import bench, numpy as np
    >>> image, mask = np.full((32, 48, 3), 200, np.uint8), np.zeros((32, 48), bool)
    >>> mask[8:16, 8:16] = True
    >>> bench.inpaint(image, mask, "telea")[12, 12].tolist()
    [200, 200, 200]
    """
    from bench.core.device import choose, tune_cpu
    from bench.evaluation import arrays, picture

    if (method is None) == (run is None):
        raise UserError("say what fills the hole: the name of an algorithm, or run=FOLDER")
    config = override(Config("paper"), {"device": device})  # checks it
    tune_cpu()
    pixels = arrays.to_tensor(image)
    known = arrays.known_pixels(mask, pixels, polarity)
    for one in known[:, 0].byte().numpy():
        picture.check(one, "image", "mask", polarity)
    where = choose(config.training.device)
    if method is not None:
        filler = picture.Filler(_algorithm(method).build(config.model), where)
    else:
        filler = _filler_of(run.path if isinstance(run, Finished) else Path(str(run)), where)
    return arrays.into(image, filler(pixels.clone(), known), known)


def evaluate(
    function: Fill,
    manifest: str | Path | None = None,
    *,
    name: str = "function",
    preset: str = "quick",
    out: str | Path = "runs",
    **options: Any,
) -> pd.DataFrame:
    """Measure a function on frozen test pairs like any method, and return its records.

    The function gets numpy arrays: an image [H,W,3], uint8, whose hole is black, and its hole
    [H,W], True. It returns the filled image [H,W,3], as uint8 or floats in [0,1]; anything else is
    a `UserError`. Outputs are rounded to 8 bits and composited by the suite's evaluator.

    `manifest` is the file of the pairs, such as `manifest.json` of a run; size and resize are its
    own. Without one the pairs are those of preset and options. `options` are those of `evaluate
    --help-all`, such as `data_root` and `images`. `name` stands in the records. Nothing is written
    but the cache of decoded photographs, below `out`.

    >>> import bench
    >>> def grey(image, hole):
    ...     image[hole] = 128
    ...     return image
    >>> records = bench.evaluate(grey, "runs/telea-quick/manifest.json", lpips="off")
    >>> records["metric"].unique().tolist()[:2], len(records.query("metric == 'psnr'"))
    (['psnr', 'ssim'], 12)
    """
    from bench.core.device import tune_cpu
    from bench.data.pairs import Manifest
    from bench.evaluation import records
    from bench.runs.experiment import inputs_of
    from bench.runs.measurement import Bench

    tune_cpu()
    if manifest is not None:
        frozen = Manifest.read(Path(manifest))
        options = {**options, "size": frozen.size, "resize": frozen.resize, "manifest": manifest}
    config = _config(_options(preset, "paper", {"references": "", "distances": "off", **options}))
    method = Algorithm(
        name=name,
        family="baseline",
        summary="a function",
        network="bench.evaluation.arrays:Function",
        arguments={"function": function},
    )
    bench = Bench.prepare(config, inputs_of(config, Path(out)))
    return bench.records(method, method.build(config.model), mark="")[list(records.COLUMNS)]


def _options(preset: str, objective: str, options: Mapping[str, Any]) -> argparse.Namespace:
    """Return options as the command line has them after parsing."""
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in options.items()}
    given = {f"set_{name}": value for name, value in plain.items()}
    return argparse.Namespace(preset=preset, objective=objective, **given)


def _config(args: argparse.Namespace) -> Config:
    from bench.cli import options

    return options.config(args)


def _parameters(method: Method) -> int | None:
    try:
        return method.count(Model())
    except UserError as error:
        warnings.warn(str(error), stacklevel=3)
        return None


def _algorithm(name: str) -> Method:
    method = find(name)
    if not isinstance(method, Algorithm):
        raise UserError(f"{name} needs weights; give run=FOLDER, a run of {name}")
    return method


def _filler_of(path: Path, device: torch.device) -> Filler:
    """Return a run's network ready to fill, loaded again only if the run has changed."""
    from bench.runs.run import Run

    run = Run(path.resolve())
    files = [file for file in (run.identity, run.config, run.weights) if file.exists()]
    return _load_filler(run, tuple(_digests().of_all(files)), device)


@cache
def _digests() -> FileDigests:
    """Return the digests of files that this process has hashed."""
    from bench.core.digests import FileDigests

    return FileDigests()


@lru_cache(maxsize=NETWORKS)
def _load_filler(run: Run, digests: tuple[str, ...], device: torch.device) -> Filler:
    """Load a run's network; `digests` of its files tell it from what it was before."""
    from bench.evaluation.picture import Filler
    from bench.runs.experiment import load_run, network_of

    return Filler(network_of(*load_run(run), run), device)


def _of_sweep(source: Source) -> Source:
    """Return the source; that of a sweep has the runs that the sweep describes."""
    from bench.sweeps.sweep import entries, is_sweep, run_of

    if source.packed or not is_sweep(source.place):
        return source
    runs = [run_of(source.place, entry) for entry in entries(source.place)]
    for run in runs:
        if run.progress != "finished":
            warnings.warn(f"left out: {run.path} is {run.progress}", stacklevel=3)
    return source._replace(runs=runs)
