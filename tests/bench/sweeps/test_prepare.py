import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.config import Config, override
from bench.core.errors import MissingWeightsError, UserError
from bench.data import cache, pairs
from bench.data.pairs import Manifest
from bench.networks import vgg_features, weights
from bench.presets import preset
from bench.registry import find
from bench.runs.case import Case
from bench.runs.experiment import Experiment
from bench.sweeps.prepare import prepare
from bench.sweeps.sweep import Sweep
from bench.training import precision
from tests.bench.runs.test_experiment import SMALL

TINY = override(preset("quick"), SMALL | {"lpips": "off"})


def sweep(root: Path, cases: list[tuple[str, Config]]) -> Sweep:
    made = tuple(Case(find(name), find(name).relevant(config), root) for name, config in cases)
    return Sweep(root / "ablation", made)


def seeds(*numbers: int, **options: Any) -> list[Config]:
    return [override(TINY, {"seed": number, **options}) for number in numbers]


def counted(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> Counter[str]:
    """Calls of a function, which are still made."""
    calls: Counter[str] = Counter()
    original: Callable[..., Any] = getattr(module, name)

    def call(*arguments: Any, **named: Any) -> Any:
        calls[name] += 1
        return original(*arguments, **named)

    monkeypatch.setattr(module, name, call)
    return calls


def test_runs_find_decoded_data_and_frozen_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, filled = (counted(monkeypatch, pairs, "make"), counted(monkeypatch, cache, "_fill"))
    one, two = seeds(0, 1)
    given = sweep(tmp_path, [("no-gan", one), ("forward", one), ("no-gan", two), ("telea", one)])
    found = prepare(given)
    assert drawn["make"] == 2  # test pairs and validation pairs
    assert filled["_fill"] == 3  # training, validation and test photographs
    (file,) = {case.config.data.manifest for case in found.cases}
    manifest = Manifest.read(Path(file))
    assert file == str(tmp_path / "ablation" / f"pairs-{manifest.hash}.json")
    assert [c.run.name for c in found.cases] == [c.run.name for c in given.cases]
    assert f"--manifest={file}" in found.words(found.cases[0])
    case = found.cases[0]
    run = Experiment(case.method, case.config, case.root).execute()
    assert (drawn["make"], filled["_fill"]) == (3, 3)  # the run drew its validation pairs
    assert run.read_identity()["test pairs"] == manifest.hash
    alone = Experiment(case.method, one, tmp_path / "alone").execute()
    assert alone.read_identity() == run.read_identity()
    assert alone.records.read_text().count("\n") == run.records.read_text().count("\n")


def test_other_data_have_pairs_of_their_own(tmp_path: Path) -> None:
    more = override(TINY, {"pairs": 2})
    found = prepare(sweep(tmp_path, [("telea", TINY), ("mean-colour", more)]))
    sizes = [len(Manifest.read(Path(c.config.data.manifest)).pairs) for c in found.cases]
    assert sizes == [4, 8]


def test_mask_files_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "masks").mkdir()
    for rows in (10, 16, 22, 29):  # one mask for each bucket
        mask = np.repeat(np.arange(64) < rows, 64).reshape(64, 64)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{rows}.png")
    files = {"masks": f"masks:{tmp_path / 'masks'}", "polarity": "hole-white"}
    filled = counted(monkeypatch, cache, "_fill")
    case, _ = prepare(sweep(tmp_path, [("no-gan", c) for c in seeds(0, 1, **files)])).cases
    assert filled["_fill"] == 4  # three splits of photographs, and the masks
    Experiment(case.method, case.config, case.root).execute()
    assert filled["_fill"] == 4


def test_wrong_settings_are_told_before_anything_is_made(tmp_path: Path) -> None:
    odd = override(TINY, {"size": 72})
    with pytest.raises(UserError, match=r"forward-quick-seed0: .*the critic's 6 strides of 2"):
        prepare(sweep(tmp_path, [("telea", TINY), ("forward", odd)]))
    with pytest.raises(UserError, match="--batch-size 2 cannot be divided among 4 processes"):
        prepare(sweep(tmp_path, [("forward", TINY)]), processes=4)
    with pytest.raises(UserError, match=r"two runs would be .*telea-quick.*names of their own"):
        prepare(sweep(tmp_path, [("telea", TINY), ("telea", override(TINY, {"pairs": 2}))]))
    with pytest.raises(UserError, match="unknown method 'nobody'"):
        prepare(sweep(tmp_path, [("telea", override(TINY, {"references": "nobody"}))]))
    assert not (tmp_path / "ablation").exists()


def test_vgg16_is_found_once_where_a_method_trains_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, vgg_features, "vgg16")
    config = override(TINY, {"features": "vgg16", "download": False})
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    prepare(sweep(tmp_path, [("telea", config), ("global-local", config)]))
    assert calls["vgg16"] == 0
    with pytest.raises(MissingWeightsError, match="no ImageNet weights of VGG-16"):
        prepare(sweep(tmp_path, [("forward", config)]))
    monkeypatch.setattr(vgg_features, "vgg16", lambda *_: vgg_features.random_vgg())
    calls = counted(monkeypatch, vgg_features, "vgg16")
    prepare(sweep(tmp_path, [("forward", config), ("no-gan", config), ("pconv", config)]))
    assert calls["vgg16"] == 1


def test_lpips_is_looked_for_once_and_its_absence_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    calls = counted(monkeypatch, weights, "torchvision_state")
    config = override(TINY, {"lpips": "alex", "download": False})
    with caplog.at_level(logging.INFO):
        prepare(sweep(tmp_path, [("telea", config), ("mean-colour", config)]))
    assert calls["torchvision_state"] == 1
    assert "LPIPS, AlexNet will not be measured: no ImageNet weights" in caplog.text
    with pytest.raises(UserError, match=r"no weights file absent\.pth"):
        prepare(sweep(tmp_path, [("telea", override(config, {"lpips_weights": "absent.pth"}))]))


def test_runs_on_this_machine_have_one_precision_and_those_elsewhere_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [{"fp32": 2.0, "bf16": 1.0}]
    monkeypatch.setattr(precision, "trial", trials.pop)  # a second trial would fail
    auto = override(TINY, {"precision": "auto"})
    given = sweep(tmp_path, [("no-gan", auto), ("forward", auto), ("telea", auto)])
    found = prepare(given)
    assert [c.config.training.precision for c in found.cases] == ["bf16", "bf16", "auto"]
    for elsewhere, case in zip(prepare(given, here=False).cases, given.cases, strict=True):
        assert replace(elsewhere.config, data=case.config.data) == case.config
    begun = Experiment(find("no-gan"), TINY, tmp_path).execute()
    assert begun.read_identity()["training.precision"] == "fp32"
    kept, other, _ = prepare(given).cases
    assert (kept.config.training.precision, other.config.training.precision) == ("fp32", "bf16")
    redone = prepare(given, redo=True).cases[0]
    assert redone.config.training.precision == "bf16"
    before = begun.read_identity()
    Experiment(kept.method, kept.config, kept.root).execute()
    assert begun.read_identity() == before
