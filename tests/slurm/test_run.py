"""The first scenario of the script `run`, where there is a Slurm."""

import subprocess
from pathlib import Path

import pytest


@pytest.mark.slow
def test_an_array_of_all_variants_finishes_on_a_real_slurm() -> None:
    script = Path(__file__).with_name("run")
    result = subprocess.run([script, "array"], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode == 77:
        pytest.skip(result.stdout.strip())
    assert result.returncode == 0, result.stdout
