"""The paper's own numbers: they stand next to measured ones, in columns of their own."""

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
"""Names of methods in the paper's Table 1, and the names of the same methods here."""


@dataclass(frozen=True)
class Reported:
    """One table of the paper."""

    title: str
    data: str
    """Data set that the paper measured on."""
    numbers: pd.DataFrame
    """One row per number: method, metric, bucket, reported."""
    caveat: str = ""
    """A sentence that a reader of these numbers needs as well; begins with a space."""

    @property
    def note(self) -> str:
        """Note for readers wherever these numbers stand next to measured ones."""
        return (
            f"Columns headed paper are the numbers of Xie et al. (2019), {self.title}, on "
            f"{self.data}. Data, training and masks differ from those here, so the numbers cannot "
            f"be compared one by one.{self.caveat}"
        )


@cache
def table1() -> Reported:
    """Return Table 1: LBAM and other methods on Places, in PSNR (dB), SSIM and mean L1 (%)."""
    # The file has a column per method.
    long = _read("table1.csv").melt(["metric", "bucket"], var_name="method", value_name="reported")
    long["method"] = long["method"].map(NAMES)
    caveat = " The paper prints PConv with an asterisk, PConv*: its caption tells what that means."
    return Reported("Table 1", "Places", long[["method", "metric", "bucket", "reported"]], caveat)


@cache
def table2() -> Reported:
    """Return Table 2: the variants on Paris StreetView, in PSNR (dB) and SSIM."""
    # The file has a column per metric and bucket, such as "psnr (0.1, 0.2]".
    long = _read("table2.csv").melt("variant", var_name="column", value_name="reported")
    long[["metric", "bucket"]] = long["column"].str.split(" ", n=1, expand=True)
    long = long.rename(columns={"variant": "method"})
    return Reported("Table 2", "Paris StreetView", long[["method", "metric", "bucket", "reported"]])


def _read(name: str) -> pd.DataFrame:
    with files("reports").joinpath(f"paper/{name}").open(encoding="utf-8") as file:
        return pd.read_csv(file)
