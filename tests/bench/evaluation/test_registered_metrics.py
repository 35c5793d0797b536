"""The definitions of the metrics."""

import subprocess
import sys

import pytest

from bench.core.errors import UserError
from bench.evaluation.metrics.metric import all_metrics, find, headline_metrics


def test_tables_have_the_metrics_in_this_order_and_under_these_names() -> None:
    assert [metric.title for metric in headline_metrics()] == [
        "PSNR, dB", "SSIM", "mean L1, %", "LPIPS, AlexNet", "LPIPS, VGG-16", "LPIPS"
    ]  # fmt: skip


def test_the_released_codes_metrics_are_measured_and_not_shown() -> None:
    hidden = [metric for metric in all_metrics() if metric not in headline_metrics()]
    assert [metric.name for metric in hidden] == ["legacy_psnr_mse", "legacy_ssim"]
    assert all_metrics() == [*headline_metrics(), *hidden]


@pytest.mark.parametrize(
    ("name", "higher"),
    [("psnr", True), ("ssim", True), ("l1_percent", False), ("lpips_alex", False)],
)
def test_direction_of_metrics(name: str, higher: bool) -> None:
    assert find(name).higher_is_better is higher
    assert find(name).direction.startswith("higher" if higher else "lower")


def test_an_unknown_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown metric 'pnsr'; did you mean psnr"):
        find("pnsr")


def test_definitions_import_no_torch() -> None:
    code = (
        "import sys\nfrom bench.evaluation.metrics.metric import all_metrics\n"
        "all_metrics()\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
