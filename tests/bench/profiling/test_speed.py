import pytest

from bench.cli.parser import main


@pytest.mark.slow
def test_every_section_gives_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "--repeats", "1"]) == 0
    out = capsys.readouterr().out
    for row in (
        "plain step",
        "quick preset",
        "one mask's maps kept",
        "PSNR + SSIM + L1",
        "strokes masks",
        "bench list",
    ):
        assert row in out
