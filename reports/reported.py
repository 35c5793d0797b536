"""The paper's own numbers; they stand beside measured ones and never in their cells."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pandas as pd


@cache
def table2() -> pd.DataFrame:
    """Table 2 (Xie et al. 2019, Paris StreetView), long: method, metric, bucket, reported."""
    with files("reports").joinpath("paper/table2.csv").open(encoding="utf-8") as file:
        wide = pd.read_csv(file)
    long = wide.melt("variant", var_name="column", value_name="reported")
    long[["metric", "bucket"]] = long["column"].str.split(" ", n=1, expand=True)
    return long.rename(columns={"variant": "method"})[["method", "metric", "bucket", "reported"]]
