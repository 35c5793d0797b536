"""Missing runs of a sweep stand in its report."""

from pathlib import Path

from bench.core.run_folder import RunFolder
from reports.expected import Expected, missing_in, rows


def runs(*names: str) -> list[RunFolder]:
    return [RunFolder(Path(name)) for name in names]


def test_a_missing_run_stands_with_the_runs_of_its_tag() -> None:
    expected = [
        Expected("a", "full", "photos"),
        Expected("b", "forward", "photos", "failed"),
        Expected("c", "full", "paris"),
        Expected("d", "forward", "paris", "queued"),
    ]
    assert missing_in(runs("a"), expected) == [expected[1]]
    assert missing_in(runs("c"), expected) == [expected[3]]
    assert missing_in(runs("a", "c"), expected) == [expected[1], expected[3]]


def test_a_missing_run_whose_tag_no_run_has_stands_everywhere() -> None:
    expected = [
        Expected("a", "full", "photos"),
        Expected("b", "full", "paris"),
        Expected("c", "full", "places", "failed"),
    ]
    assert missing_in(runs("a"), expected) == missing_in(runs("b"), expected) == [expected[2]]


def test_rows_of_missing_methods_are_where_they_will_be() -> None:
    expected = [Expected(name, name, "") for name in ("forward", "relu", "full", "3x3", "lrelu")]

    def row_order(shown: list[str], *absent: str) -> list[str]:
        return rows(shown, [Expected(name, name, "", "?") for name in absent], expected, "full")

    complete = ["full", "forward", "relu", "3x3", "lrelu", "mean-colour"]
    assert row_order(complete) == complete
    for absent in (["full"], ["relu"], ["full", "forward", "3x3"], ["3x3", "lrelu"]):
        assert row_order([name for name in complete if name not in absent], *absent) == complete
    assert row_order(["full", "relu"], "relu", "3x3") == ["full", "relu", "3x3"]
