from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.core.files import write_json
from reports.costs import cost_table

NETWORK = {
    "method": "full",
    "parameters": 2963884,
    "multiply_adds": 650117120,
    "milliseconds": 35.73,
    "peak_mib": 52.07,
    "device": "CPU, 2 threads",
    "size": 256,
}
ALGORITHM = NETWORK | {
    "method": "patchmatch", "parameters": 0, "multiply_adds": 0, "peak_mib": None
}  # fmt: skip


def folders(tmp_path: Path, *costs: dict[str, object]) -> list[Path]:
    for number, cost in enumerate(costs):
        write_json(tmp_path / str(number) / "cost.json", cost)
    return [tmp_path / str(number) for number in range(len(costs))]


def test_row_holds_the_costs_of_a_method(tmp_path: Path) -> None:
    table = cost_table(folders(tmp_path, NETWORK, ALGORITHM))
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["full", "2,963,884", "0.65", "35.7", "52"],
        ["patchmatch", "-", "-", "35.7", "not told"],
    ]
    assert table.rows[0][2].value == pytest.approx(0.650117120)
    assert [cell.kind for cell in table.rows[1]] == [
        "label", "missing", "missing", "measured", "missing"
    ]  # fmt: skip
    assert {cell.mark for row in table.rows for cell in row} == {""}
    assert "ms per 256x256 image" in table.header
    assert table.note.startswith("On CPU, 2 threads:")


def test_seeds_of_a_method_stand_in_one_row(tmp_path: Path) -> None:
    table = cost_table(folders(tmp_path, NETWORK, NETWORK | {"milliseconds": 36.0}))
    assert table is not None
    assert len(table.rows) == 1


def test_plain_numbers_stand_behind(tmp_path: Path) -> None:
    table = cost_table(folders(tmp_path, NETWORK))
    assert table is not None
    assert table.data.to_dict("records") == [NETWORK]


def test_runs_without_costs_have_no_table(tmp_path: Path) -> None:
    assert cost_table([tmp_path]) is None


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cost.json").write_text("{")
    with pytest.raises(UserError, match=r"cost\.json"):
        cost_table([tmp_path])
