from pathlib import Path

import pytest
import torch

from bench.cli.parser import main
from bench.cli.speed import SECTIONS
from bench.config import override
from bench.core.errors import UserError
from bench.data.inputs import Inputs
from bench.presets import preset
from bench.profiling import data, released, speed, timing, training
from bench.profiling.timing import Row

MODELS = """
from torch import nn

class VGG16FeatureExtractor(nn.Module):
    def __init__(self):
        super().__init__()
        import torch
        assert "features.0.weight" in torch.load("./vgg16-397923af.pth")

class LBAMModel(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, 1)

    def forward(self, image, mask):
        assert image.shape[1] == 4 and mask.shape[1] == 3
        return self.layer(image)
"""
LOSS = """
import torch
from tensorboardX import SummaryWriter
from torch import nn

class InpaintingLossWithGAN(nn.Module):
    def __init__(self, logPath, extractor, Lamda, lr, betasInit):
        super().__init__()
        self.critic, self.writer = nn.Conv2d(3, 1, 1), SummaryWriter(logPath)
        self.D_optimizer = torch.optim.Adam(self.critic.parameters(), lr=lr, betas=betasInit)

    def forward(self, image, mask, output, truth, count, epoch):
        score = self.critic(output).mean().square()
        self.D_optimizer.zero_grad()
        score.backward(retain_graph=True)
        self.D_optimizer.step()  # before the generator goes back through these weights
        self.writer.add_scalar("loss", score.item(), count)
        return (output - truth).abs().mean() + score
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the file and class names of the released code, and nothing of it."""
    for name, content in (("models/LBAMModel.py", MODELS), ("loss/InpaintingLoss.py", LOSS)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    return tmp_path


def test_a_share_is_that_of_the_matrix_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"fp32": 100e9, "bf16": 400e9}
    monkeypatch.setattr(speed, "matrix_rate", rates.__getitem__)
    assert speed.share(Row("step", 2.0, flops=50 * 10**9)) == 0.25
    assert speed.share(Row("step", 2.0, flops=200 * 10**9, precision="bf16")) == 0.25
    assert speed.share(Row("masks", 2.0)) is None


def test_a_delivery_states_its_share_of_the_wanted_rate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(data, "DELIVERED", 4)
    config = override(preset("quick"), {"images": "sample", "size": 64, "resize": 64})
    batches = Inputs(override(config, {"batch_size": 2}), tmp_path).train
    row = data.delivery(batches, 1, 1)
    assert row.images == 8
    assert row.what.startswith("1 worker, 64 px: ") and row.what.endswith(" ms CPU")
    assert f" {8 / row.seconds / 1500:.0%} of 1,500/s" in row.what


def test_the_help_names_every_section() -> None:
    assert (*speed.sections(), "reports") == SECTIONS


def test_another_folder_is_not_the_released_code(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file models/LBAMModel\.py; give a clone of https"):
        released.check(tmp_path)
    assert main(["speed", "--released", str(tmp_path)]) == 2


def test_a_gpu_is_timed_with_the_papers_batch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_at_256", lambda batch, *_: [Row("step", 1.0, batch)])
    monkeypatch.setattr(training.samples, "precisions", list)
    for kind, batches in (("cpu", [4]), ("cuda", [4, 48])):
        monkeypatch.setattr(training.device, "choose", lambda _, kind=kind: torch.device(kind))
        assert [row.images for row in training.training(1)] == batches


def test_the_median_is_that_of_calls_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = [0.0], iter([9.0, 9.0, 9.0, 1.0, 2.0, 3.0])

    def work() -> None:
        now[0] += next(calls)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    assert timing.median(work, 3, timing.STEPS_TO_WARM_UP) == 2.0
    assert not list(calls)


@pytest.mark.slow
def test_the_released_code_is_timed_where_it_is(clone: Path) -> None:
    released.check(clone)
    assert released.step_seconds(clone, 1, 2) > 0
    assert released.filling_seconds(clone, 1, 2) > 0


@pytest.mark.slow
def test_every_section_gives_its_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compiling takes minutes; test_compiled does it once.
    monkeypatch.setattr(torch, "compile", lambda network, **_: network)
    assert main(["speed", "--repeats", "1"]) == 0
    out = capsys.readouterr().out
    for row in (
        "plain step",
        "quick preset",
        "one mask's maps kept",
        "compiled, batch 8",
        "compiled step",
        "PSNR + SSIM + L1",
        "strokes masks",
        "3 workers, 256 px",
        "bench list",
        "bench run, finished",
        "bench report",
    ):
        assert row in out
    assert "GFLOP/s in fp32" in out and "x released" not in out
