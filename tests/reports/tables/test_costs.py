import pytest

from reports.tables.costs import cost_table

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


def test_row_holds_the_costs_of_a_method() -> None:
    table = cost_table([NETWORK, ALGORITHM])
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["full", "2,963,884", "0.65", "35.7", "52"],
        ["patchmatch", "-", "-", "35.7", "unknown"],
    ]
    assert table.rows[0][2].value == pytest.approx(0.650117120)
    assert [cell.kind for cell in table.rows[1]] == [
        "label", "missing", "missing", "measured", "missing"
    ]  # fmt: skip
    assert {cell.mark for row in table.rows for cell in row} == {""}
    assert "ms per 256x256 image" in table.header
    assert table.note.startswith("On CPU, 2 threads:")


def test_seeds_of_a_method_stand_in_one_row() -> None:
    table = cost_table([NETWORK, NETWORK | {"milliseconds": 36.0}])
    assert table is not None
    assert len(table.rows) == 1


def test_plain_numbers_stand_behind() -> None:
    table = cost_table([NETWORK])
    assert table is not None
    assert table.data.to_dict("records") == [NETWORK]


def test_runs_without_costs_have_no_table() -> None:
    assert cost_table([]) is None
