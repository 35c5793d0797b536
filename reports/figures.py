"""The paper's figures of pictures: methods side by side, failures, and what networks look at.

All are made from the pictures that evaluation saved into the runs' folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from bench.core.files import replacing
from bench.core.run_folder import PairPictures

mpl.use("Agg")
import matplotlib.pyplot as plt

SIDE, TEXT = 1.75, 0.3
"""Inches of a picture, and of what is written below or above it."""
WORST_RULE = "in each bucket, the test pair with the lowest PSNR of {method} in the hole"


def grid(
    pictures: Mapping[str, PairPictures], records: pd.DataFrame, pairs: Sequence[int], path: Path
) -> bool:
    """Figures 4, 5, 10, 11: input, each method's output and the truth, a row per test pair.

    `pictures` are the methods' folders of saved pairs; each row has its bucket and each output its
    composite PSNR in dB. Without a pair nothing is written and the answer is False.
    """
    if not pairs:
        return False
    psnr = _psnr(records, "composite")
    values = psnr.drop_duplicates(["method", "pair"]).set_index(["method", "pair"])["value"]
    bucket = psnr.drop_duplicates("pair").set_index("pair")["bucket"]
    anywhere = next(iter(pictures.values()))
    figure, axes = _frame(len(pairs), len(pictures) + 2)
    for row, pair in zip(axes, pairs, strict=True):
        _show(row[0], anywhere.file(pair, "input"))
        row[0].set_ylabel(str(bucket[pair]), fontsize=8)
        for axis, (method, folder) in zip(row[1:], pictures.items(), strict=False):
            _show(axis, folder.file(pair, "output"))
            axis.set_xlabel(f"{values[method, pair]:.2f} dB", fontsize=8)
        _show(row[-1], anywhere.file(pair, "truth"))
    _title_columns(axes, ["input", *pictures, "ground truth"])
    _save(figure, path)
    return True


def first_pairs(
    pictures: Mapping[str, PairPictures], records: pd.DataFrame, per_bucket: int = 1
) -> list[int]:
    """The first pairs of each bucket that all methods have pictures of."""
    saved = set.intersection(*(p.pairs_with("output") for p in pictures.values()))
    one_each = records[records["pair"].isin(saved)].drop_duplicates("pair").sort_values("pair")
    return sorted(one_each.groupby("bucket", sort=False)["pair"].head(per_bucket).tolist())


def worst_pairs(
    pictures: Mapping[str, PairPictures], records: pd.DataFrame, method: str
) -> list[int]:
    """Figure 12, by a rule instead of by choice: see `WORST_RULE`."""
    saved = set.intersection(*(p.pairs_with("output") for p in pictures.values()))
    psnr = _psnr(records, "hole")
    own = psnr[(psnr["method"] == method) & psnr["pair"].isin(saved)]
    worst = own.sort_values(["value", "pair"]).drop_duplicates("bucket")
    return sorted(worst["pair"].tolist())


def maps(pictures: Mapping[str, PairPictures], kind: str, path: Path) -> bool:
    """Figures 7 and 8: what networks look at, a row per test pair.

    `kind` is `features` (first encoder layer, 13th decoder layer) or `mask` (updated masks of
    encoder layers 1-3, decoder layers 13-11). Each map is scaled to its own values. Methods that
    saved none are left out; without any, nothing is written and the answer is False.
    """
    found = {method: _maps_of(folder, kind) for method, folder in pictures.items()}
    columns = [(method, name) for method, names in found.items() for name in names]
    if not columns:
        return False
    pairs = sorted(set.intersection(*(pictures[m].pairs_with(n) for m, n in columns)))
    figure, axes = _frame(len(pairs), len(columns) + 1, below=0.05, above=2 * TEXT)
    for row, pair in zip(axes, pairs, strict=True):
        _show(row[0], pictures[columns[0][0]].file(pair, "input"))
        for axis, (method, name) in zip(row[1:], columns, strict=True):
            _show(axis, pictures[method].file(pair, name))
    titles = [f"{method}\n{_layer(name)}" for method, name in columns]
    _title_columns(axes, ["input", *titles])
    _save(figure, path)
    return True


def removal(image: Path, filled: Mapping[str, Path], path: Path) -> None:
    """Figure 6: an object removed from a user's picture, by each method."""
    figure, axes = _frame(1, len(filled) + 1, below=0.05)
    for axis, file in zip(axes[0], [image, *filled.values()], strict=True):
        _show(axis, file)
    _title_columns(axes, ["input", *filled])
    _save(figure, path)


def _psnr(records: pd.DataFrame, region: str) -> pd.DataFrame:
    return records[(records["metric"] == "psnr") & (records["region"] == region)]


def _maps_of(pictures: PairPictures, kind: str) -> list[str]:
    """Names of a method's maps: the encoder's by layer, then the decoder's backwards."""
    names = {name for name in pictures.names() if name.startswith(f"{kind}-")}
    split = {name: name.rsplit("-", 2)[1:] for name in names}

    def place(name: str) -> tuple[bool, int]:
        branch, layer = split[name]
        return branch == "decoder", -int(layer) if branch == "decoder" else int(layer)

    return sorted(names, key=place)


def _layer(name: str) -> str:
    """`mask-encoder-1` to `encoder layer 1`."""
    _, branch, layer = name.rsplit("-", 2)
    return f"{branch} layer {layer}"


def _frame(
    rows: int, columns: int, below: float = TEXT / 2, above: float = TEXT
) -> tuple[Figure, list[list[Axes]]]:
    """Square places for pictures, with inches for text below each row and above the first."""
    height = (SIDE + below) * rows + above
    figure, axes = plt.subplots(
        rows, columns, figsize=(SIDE * columns, height), layout="constrained", squeeze=False
    )
    return figure, axes.tolist()


def _show(axis: Axes, file: Path) -> None:
    with Image.open(file) as picture:
        axis.imshow(picture)
    axis.set(xticks=[], yticks=[])


def _title_columns(axes: list[list[Axes]], titles: Sequence[str]) -> None:
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=140, bbox_inches="tight")  # pictures may be flat or tall
    plt.close(figure)
