"""From records to the units of replication: values by seed and image.

A record is a test pair. Pairs that share an image are not independent: crops of one image are
alike, and pair k has the same crop in every bucket. So pairs are averaged within their image first,
and everything is computed over images.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports.analysis.crossed import Array

ALL = "all"
"""The bucket that stands for all buckets together."""
UNIT = ["manifest", "method", "seed", "pair", "metric", "region"]
"""Columns that make a record unique; methods measured next to several runs appear in each."""
PAIR = ["manifest", "bucket", "image", "pair"]


class Block(NamedTuple):
    """The values of one metric on one region in one bucket."""

    metric: str
    region: str
    bucket: str
    values: pd.DataFrame
    """A row per test pair (index `PAIR`), a column per (method, seed); infinite where perfect."""

    def of(self, method: str) -> pd.DataFrame:
        """Return a method's columns by seed, without the seeds that have no value at all."""
        if method not in self.values.columns.get_level_values("method"):
            return pd.DataFrame(index=self.values.index)
        own = pd.DataFrame(self.values[method])
        return own.dropna(axis="columns", how="all")


def blocks(records: pd.DataFrame) -> Iterator[Block]:
    """Yield the values of each metric, region and bucket in order of appearance, ALL at the end."""
    unique = records.drop_duplicates(UNIT)
    for (metric, region), rows in unique.groupby(["metric", "region"], sort=False, observed=True):
        wide = rows.pivot(index=PAIR, columns=["method", "seed"], values="value")
        bucket = wide.index.get_level_values("bucket")
        for name in rows["bucket"].unique():
            yield Block(str(metric), str(region), str(name), wide[bucket == name])
        yield Block(str(metric), str(region), ALL, wide)


def complete(by_seed: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with a finite value under every seed: a mean over fewer would be biased."""
    if by_seed.columns.empty:
        return by_seed.iloc[:0]
    kept: pd.DataFrame = by_seed.loc[np.isfinite(by_seed.to_numpy(float)).all(axis=1)]
    return kept


def by_image(by_seed: pd.DataFrame) -> Array:
    """Return means over the pairs of each image, [seeds, images]."""
    means: pd.DataFrame = by_seed.groupby(level="image", sort=False, observed=True).mean()
    return means.to_numpy(float).T


def paired_seeds(
    block: Block, method: str, reference: str, algorithms: Collection[str]
) -> pd.DataFrame:
    """Return method - reference for each pair and each seed that both have.

    An algorithm has no seeds: its one value stands under each seed of the other.
    """
    one, other = block.of(method), block.of(reference)
    if method in algorithms and one.shape[1]:
        one = pd.DataFrame(dict.fromkeys(other.columns, one.iloc[:, 0]), index=one.index)
    if reference in algorithms and other.shape[1]:
        other = pd.DataFrame(dict.fromkeys(one.columns, other.iloc[:, 0]), index=other.index)
    seeds = [seed for seed in one.columns if seed in other.columns]
    with np.errstate(invalid="ignore"):  # both are perfect: inf - inf is no difference
        difference: pd.DataFrame = one[seeds] - other[seeds]
    return difference
