"""The paper's figures of pictures: methods side by side, failures, and maps inside networks.

They show the pictures that evaluation saved into the runs' folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.core.files import replacing
from bench.core.run_folder import PairPictures
from reports.pictures import Picture, read_picture

SIDE, TEXT = 1.75, 0.3
"""Side of a picture, and height of the text below or above it, in inches."""
SHEET_COLUMNS = 8
"""Most pictures in a row of a contact sheet."""
Shown = tuple[Picture, str]
"""A picture and its caption."""


def grid(
    pictures: Mapping[str, PairPictures], records: pd.DataFrame, pairs: Sequence[int], path: Path
) -> bool:
    """Draw input, each method's output and the truth, one row per test pair.

    This is the layout of the paper's figures 4, 5, 10 and 11. `pictures` holds each method's folder
    of saved pairs. A row is labelled with its bucket, an output with its composite PSNR in dB.
    Return whether there was a pair to draw; if not, nothing is written.
    """
    if not pairs:
        return False
    psnr = _psnr(records, "composite")
    values = psnr.drop_duplicates(["method", "pair"]).set_index(["method", "pair"])["value"]
    bucket = psnr.drop_duplicates("pair").set_index("pair")["bucket"]
    anywhere = next(iter(pictures.values()))  # input and truth are the same for all methods
    figure, axes = _frame(len(pairs), len(pictures) + 2)
    for row, pair in zip(axes, pairs, strict=True):
        _show(row[0], read_picture(anywhere.file(pair, "input")))
        row[0].set_ylabel(str(bucket[pair]), fontsize=8)
        for axis, (method, folder) in zip(row[1:], pictures.items(), strict=False):
            _show(axis, read_picture(folder.file(pair, "output")))
            axis.set_xlabel(f"{values[method, pair]:.2f} dB", fontsize=8)
        _show(row[-1], read_picture(anywhere.file(pair, "truth")))
    _title_columns(axes, ["input", *pictures, "ground truth"])
    _save(figure, path)
    return True


def first_pairs(
    pictures: Mapping[str, PairPictures], records: pd.DataFrame, per_bucket: int = 1
) -> list[int]:
    """Return the first `per_bucket` pairs of each bucket that all methods have pictures of."""
    saved = set.intersection(*(p.complete for p in pictures.values()))
    one_each = records[records["pair"].isin(saved)].drop_duplicates("pair").sort_values("pair")
    return sorted(
        one_each.groupby("bucket", sort=False, observed=True)["pair"].head(per_bucket).tolist()
    )


def worst_pairs(
    pictures: Mapping[str, PairPictures], records: pd.DataFrame, method: str
) -> list[int]:
    """Return the test pair of each bucket that `method` fills worst, for figure 12.

    The worst pair has the lowest PSNR in the hole, among the pairs that all methods have pictures
    of. A fixed rule selects the pairs, so that nobody chooses failures by eye.
    """
    saved = set.intersection(*(p.complete for p in pictures.values()))
    psnr = _psnr(records, "hole")
    own = psnr[(psnr["method"] == method) & psnr["pair"].isin(saved)]
    worst = own.sort_values(["value", "pair"]).drop_duplicates("bucket")
    return sorted(worst["pair"].tolist())


def maps(pictures: Mapping[str, PairPictures], kind: str, path: Path) -> bool:
    """Draw maps from inside the networks, one row per test pair (figures 7 and 8).

    `kind` is `features` (first encoder layer, 13th decoder layer) or `mask` (updated masks of
    encoder layers 1-3, decoder layers 13-11). Each map is scaled to its own values. Methods that
    saved no maps are left out. Return whether there was a map to draw; if not, nothing is written.
    """
    found = {method: _maps_of(folder, kind) for method, folder in pictures.items()}
    columns = [(method, name) for method, names in found.items() for name in names]
    if not columns:
        return False
    pairs = sorted(set.intersection(*(pictures[m].pairs_with("input", n) for m, n in columns)))
    figure, axes = _frame(len(pairs), len(columns) + 1, below=0.05, above=2 * TEXT)
    for row, pair in zip(axes, pairs, strict=True):
        _show(row[0], read_picture(pictures[columns[0][0]].file(pair, "input")))
        for axis, (method, name) in zip(row[1:], columns, strict=True):
            _show(axis, read_picture(pictures[method].file(pair, name)))
    # `mask-encoder-1` is titled "encoder layer 1".
    titles = [f"{m}\n{' layer '.join(name.rsplit('-', 2)[1:])}" for m, name in columns]
    _title_columns(axes, ["input", *titles])
    _save(figure, path)
    return True


def sheet(rows: Mapping[str, Sequence[Shown]], path: Path) -> None:
    """Draw a contact sheet: pictures with their captions, each group of `rows` on rows of its own.

    A group of more than SHEET_COLUMNS pictures goes on in the next row.
    """
    lines = [
        shown[first : first + SHEET_COLUMNS]
        for shown in rows.values()
        for first in range(0, len(shown), SHEET_COLUMNS)
    ]
    figure, axes = _frame(len(lines), max(map(len, lines)), below=1.5 * TEXT, above=0.05)
    for row, line in zip(axes, lines, strict=True):
        for axis in row[len(line) :]:
            axis.set_axis_off()
        for axis, (pixels, caption) in zip(row, line, strict=False):
            _show(axis, pixels)
            axis.set_xlabel(caption, fontsize=8)
    _save(figure, path)


def removal(pictures: Mapping[str, Picture], path: Path) -> None:
    """Draw a user's picture next to each method's removal of an object from it (figure 6).

    Each of the `pictures` stands below its name.
    """
    figure, axes = _frame(1, len(pictures), below=0.05)
    for axis, pixels in zip(axes[0], pictures.values(), strict=True):
        _show(axis, pixels)
    _title_columns(axes, list(pictures))
    _save(figure, path)


def _psnr(records: pd.DataFrame, region: str) -> pd.DataFrame:
    return records[(records["metric"] == "psnr") & (records["region"] == region)]


def _maps_of(pictures: PairPictures, kind: str) -> list[str]:
    """Return the names of a method's maps in the order of figures 7 and 8.

    The encoder's maps come first, by layer; then the decoder's, from the last layer backwards.
    """
    names = {name for name in pictures.names() if name.startswith(f"{kind}-")}
    split = {name: name.rsplit("-", 2)[1:] for name in names}

    def place(name: str) -> tuple[bool, int]:
        branch, layer = split[name]
        return branch == "decoder", -int(layer) if branch == "decoder" else int(layer)

    return sorted(names, key=place)


def _frame(
    rows: int, columns: int, below: float = TEXT / 2, above: float = TEXT
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure of `rows` x `columns` square places for pictures.

    `below` and `above` are the inches for text below each row and above the first.
    """
    height = (SIDE + below) * rows + above
    # Unlike pyplot's, it needs no backend: a notebook keeps its own.
    figure = Figure(figsize=(SIDE * columns, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes.tolist()


def _show(axis: Axes, pixels: Picture) -> None:
    axis.imshow(pixels)
    axis.set(xticks=[], yticks=[])


def _title_columns(axes: list[list[Axes]], titles: Sequence[str]) -> None:
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(
            temporary,
            dpi=140,
            bbox_inches="tight",  # pictures need not be square
            pil_kwargs={"compress_level": 3},  # photographs: 12 % more bytes than 6, half the time
        )
