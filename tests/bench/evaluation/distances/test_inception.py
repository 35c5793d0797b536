"""The loading of Inception. The weights here are made up: no number of theirs is a distance."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

from bench.config import Evaluation
from bench.core.errors import MissingWeightsError, UserError
from bench.evaluation.distances import inception
from bench.networks import weights
from tests.gpu.pretended import DEVICE, READ_BACK, Watch

CPU = torch.device("cpu")
DIGEST = "6726825d"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that are zero but for a bias of the last block: its 320 features are 2, others 0."""
    # Without storage, since their 24 million random numbers would take seconds.
    with (
        torch.device("meta"),
        patch.object(fidelity, "load_state_dict_from_url"),
        patch.object(fidelity.FeatureExtractorInceptionV3, "load_state_dict"),
    ):
        shapes = fidelity.FeatureExtractorInceptionV3("any", ["2048"]).state_dict()
    state = {name: torch.zeros((), dtype=x.dtype).expand(x.shape) for name, x in shapes.items()}
    state |= {name: torch.ones(x.shape) for name, x in state.items() if name.endswith("var")}
    state["Mixed_7c.branch1x1.bn.bias"] = torch.full((320,), 2.0)
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take any file for the published one, by its digest."""
    for module in (inception, weights):
        monkeypatch.setattr(module, "sha256", lambda _: DIGEST + "0" * 56)


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path


def of_file(path: Path) -> Evaluation:
    return Evaluation(inception_weights=str(path), download=False)


@pytest.mark.usefixtures("trusted")
def test_features_are_read_back_when_all_are_computed(file: Path) -> None:
    features, _ = inception.load(of_file(file), DEVICE)
    with Watch(), pytest.raises(NotImplementedError, match=READ_BACK) as stopped:
        features(torch.zeros(2, 3, 20, 30, dtype=torch.uint8))
    assert str(stopped.traceback[1].statement).strip() == "return found.cpu()"


@pytest.mark.usefixtures("trusted")
def test_features_are_those_of_the_files_weights(file: Path) -> None:
    features, digest = inception.load(of_file(file), CPU)
    found = features(torch.randint(256, (2, 3, 20, 30), dtype=torch.uint8))
    assert digest == DIGEST
    assert found.shape == (2, 2048) and found.dtype == torch.float32
    expected: Tensor = torch.cat([torch.full((320,), 2.0), torch.zeros(2048 - 320)])
    assert torch.equal(found, expected.expand(2, -1))


def test_other_weights_are_refused(file: Path) -> None:
    with pytest.raises(UserError, match=rf"weights\.pth is not .*-{DIGEST}\.pth: its SHA-256"):
        inception.load(of_file(file), CPU)


@pytest.mark.usefixtures("trusted")
def test_a_file_that_runs_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    class Code:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("touch ran",)

    torch.save({"a": Code()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"evil\.pth is not a readable weights file"):
        inception.load(of_file(tmp_path / "evil.pth"), CPU)
    assert not Path("ran").exists()


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no weights file .*absent\.pth"):
        inception.load(of_file(tmp_path / "absent.pth"), CPU)


@pytest.mark.usefixtures("empty_hub")
def test_weights_that_may_not_be_fetched_are_missing_with_the_way_out() -> None:
    with pytest.raises(
        MissingWeightsError, match=r"of Inception .*--inception-weights FILE .*--download true"
    ):
        inception.load(Evaluation(download=False), CPU)


@pytest.mark.usefixtures("trusted")
def test_weights_in_the_hub_are_used(file: Path, empty_hub: Path) -> None:
    (empty_hub / "checkpoints").mkdir()
    name = Path(fidelity.URL_INCEPTION_V3).name
    (empty_hub / "checkpoints" / name).write_bytes(file.read_bytes())
    features, _ = inception.load(Evaluation(download=False), CPU)
    assert features(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))[0, 0] == 2


@pytest.mark.parametrize("module", ["torch_fidelity", "sklearn"])
def test_a_missing_package_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "find_spec", lambda name: None if name == module else object())
    with pytest.raises(
        MissingWeightsError, match=rf"no package {inception.PACKAGES[module]};.*\[fidelity\]"
    ):
        inception.load(Evaluation(), CPU)
