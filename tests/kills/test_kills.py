import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_sweeps_end_as_if_nothing_had_happened(tmp_path: Path) -> None:
    script = Path(__file__).parent / "run"
    result = subprocess.run(
        [sys.executable, str(script), "--kills", "3", "--seed", "1", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    targets = re.findall(r"^ *(\d+) (?:a run|the launcher|all)$", result.stdout, re.MULTILINE)
    assert sum(map(int, targets)) == 3
