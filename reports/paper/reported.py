"""The paper's own numbers; they stand beside measured ones and never in their cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

NAMES = {
    "GL": "global-local",
    "PM": "patchmatch",
    "CA": "contextual-attention",
    "PConv": "pconv",
    "LBAM": "full",
}
"""The paper's Table 1 names, to those of the methods here."""


@dataclass(frozen=True)
class Reported:
    """One table of the paper."""

    title: str
    data: str
    """What the paper measured it on."""
    numbers: pd.DataFrame
    """Long: method, metric, bucket, reported."""

    @property
    def note(self) -> str:
        """What must be said where its numbers stand beside measured ones."""
        return (
            f"Columns headed paper are what Xie et al. (2019), {self.title}, report on "
            f"{self.data}: other data, training and masks, so not comparable number by number."
        )


@cache
def table1() -> Reported:
    """Table 1: LBAM against other methods on Places, PSNR, SSIM and mean L1 in %."""
    long = _read("table1.csv").melt(["metric", "bucket"], var_name="method", value_name="reported")
    long["method"] = long["method"].map(NAMES)
    return Reported("Table 1", "Places", long[["method", "metric", "bucket", "reported"]])


@cache
def table2() -> Reported:
    """Table 2: the variants on Paris StreetView, PSNR and SSIM."""
    long = _read("table2.csv").melt("variant", var_name="column", value_name="reported")
    long[["metric", "bucket"]] = long["column"].str.split(" ", n=1, expand=True)
    long = long.rename(columns={"variant": "method"})
    return Reported("Table 2", "Paris StreetView", long[["method", "metric", "bucket", "reported"]])


def _read(name: str) -> pd.DataFrame:
    with files("reports").joinpath(f"paper/{name}").open(encoding="utf-8") as file:
        return pd.read_csv(file)
