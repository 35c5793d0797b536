from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.core.errors import UserError
from bench.evaluation.distances.table import COLUMNS, read, write


def rows(value: float, method: str = "a", reason: str = "") -> pd.DataFrame:
    row = {
        "family": "variant", "method": method, "seed": 0, "bucket": "all", "metric": "fid",
        "value": value, "n": 5, "reason": reason, "manifest": "0123",
    }  # fmt: skip
    return pd.DataFrame([row])


def test_what_was_written_is_read_to_the_last_bit(tmp_path: Path) -> None:
    values = pd.concat([rows(1 / 3), rows(np.nan, "NA", "no weights")], ignore_index=True)
    write(tmp_path / "distances.csv", values)
    pd.testing.assert_frame_equal(read([tmp_path / "distances.csv"]), values)


def test_a_row_of_several_files_stands_once_with_its_value(tmp_path: Path) -> None:
    """A reference is measured next to every run, here on a machine without weights first."""
    write(tmp_path / "a.csv", pd.concat([rows(1.0), rows(np.nan, "floor", "no weights")]))
    write(tmp_path / "b.csv", pd.concat([rows(2.0, "b"), rows(9.0, "floor")]))
    found = read([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert found.set_index("method")["value"].to_dict() == {"a": 1.0, "b": 2.0, "floor": 9.0}
    assert (found["reason"] == "").all()


def test_no_files_are_no_rows() -> None:
    assert read([]).empty and list(read([])) == list(COLUMNS)


@pytest.mark.parametrize("text", ["method,value\na,1\n", "\x00", "", "method,value\na,many\n"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "distances.csv").write_text(text)
    with pytest.raises(UserError, match=r"distances .*distances\.csv (are damaged|lack)"):
        read([tmp_path / "distances.csv"])
