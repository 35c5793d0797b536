from pathlib import Path

import pytest

from bench.profiling import report_speed
from reports import build


def test_a_made_up_run_can_be_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_speed, "PAIRS", 40)
    run = report_speed._run(tmp_path, "full", 0)
    table = build.run_report(run)
    assert "| full" in table and "all n=40" in table
    assert "over 10 images" in table  # pair k has the same photograph in each of four buckets
