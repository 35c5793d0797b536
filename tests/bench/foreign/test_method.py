"""Methods that are named by what they are made of: `KIND:FILE` with options."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import registry
from bench.core.errors import UserError
from bench.foreign.method import ModelFile, Text, find, given_as
from bench.presets import preset
from bench.runs.case import Case
from bench.runs.identity import method_code

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
LAMA = ":polarity=hole-white:multiple=8"


def test_a_text_is_split_from_its_end() -> None:
    assert Text.parse("onnx:a:b.onnx:size=8:name=x") == (
        "onnx", "a:b.onnx", {"size": "8", "name": "x"}
    )  # fmt: skip
    with pytest.raises(UserError, match="size stands there twice"):
        Text.parse("onnx:a.onnx:size=8:size=9")


def test_a_file_is_a_method_of_this_process_under_the_name_of_its_stem(script: Path) -> None:
    text = f"torchscript:{script}{LAMA}"
    method = find(text)
    assert isinstance(method, ModelFile) and method.name == "grey-lama"
    assert find(text) == method == registry.find("grey-lama", "baseline")
    assert given_as(method) == text and given_as(registry.find("telea")) == "telea"
    assert Case(method, preset("quick"), Path("runs")).words()[:3] == ["run", "--baseline", text]


def test_the_identity_has_the_bytes_of_the_file_and_the_convention_but_not_its_place(
    script: Path, tmp_path: Path
) -> None:
    def code(file: Path, options: str = LAMA) -> str:
        name = f"n{len(registry.REGISTRY.all())}"
        return method_code(find(f"torchscript:{file}{options}:name={name}"), preset("quick"))

    moved, changed = tmp_path / "a.pt", tmp_path / "b.pt"
    moved.write_bytes(script.read_bytes())
    changed.write_bytes(script.read_bytes() + b" ")
    own = code(script)
    assert code(moved) == own and code(script, f"{LAMA}:range=0..1") == own
    assert own.endswith(LAMA) and len({own, code(changed), code(script, "")}) == 3


def test_large_weights_of_an_onnx_model_in_a_second_file_count(
    pipeline: Path, tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(pipeline.read_bytes())
    method = find(f"onnx:{file}")
    assert isinstance(method, ModelFile)
    before = method.origin
    (tmp_path / "model.onnx.data").write_bytes(b"weights")
    assert method.origin != before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("onx:FILE", "unknown kind of model 'onx'; did you mean onnx"),
        ("onnx:gone.onnx", "onnx:gone.onnx: no such file"),
        ("onnx:FILE:name=telea", "another method is called telea; choose a name by :name=NAME"),
        ("onnx:FILE:name=a/b", "the name 'a/b' cannot name a folder"),
        ("onnx:FILE:siz=8", "FILE:siz=8: unknown option of a model 'siz'; did you mean size"),
    ],
)
def test_what_cannot_be_a_model_is_refused(pipeline: Path, text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        find(text.replace("FILE", str(pipeline)))
    assert told in str(error.value).replace(str(pipeline), "FILE")


def test_a_model_is_a_baseline(pipeline: Path) -> None:
    with pytest.raises(UserError, match=r"is a baseline, no variant; use --baseline onnx:"):
        find(f"onnx:{pipeline}", "variant")
