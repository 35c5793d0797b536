"""A TOML file describes a run or a sweep, and its mistakes are told."""

from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.sweeps.file import read


def written(folder: Path, text: str) -> Path:
    file = folder / "sweep.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_options_axes_and_methods(tmp_path: Path) -> None:
    found = read(
        written(
            tmp_path,
            """
            preset = "small"
            seeds = [0, 1]
            dry-run = true
            [training]
            batch-size = 3
            [data]
            ratio = [0.1, 0.3]
            [axes]
            lr = [1e-3, 2e-5]
            ratio = [[0.1, 0.2], [0.2, 0.5]]
            images = ["folder:a/b", "bsds500"]
            [axes.set.a]
            batch-size = 4
            betas = [0.1, 0.2]
            [for.no-gan]
            lr = 1
            """,
        )
    )
    assert found.options == {
        "preset": "small", "seeds": [0, 1], "dry_run": True, "batch_size": 3, "ratio": [0.1, 0.3]
    }  # fmt: skip
    assert found.axes == {
        "lr": {"lr0.001": {"lr": 1e-3}, "lr2e-05": {"lr": 2e-5}},
        "ratio": {"ratio0.1-0.2": {"ratio": (0.1, 0.2)}, "ratio0.2-0.5": {"ratio": (0.2, 0.5)}},
        "images": {
            "imagesfolder-a-b": {"images": "folder:a/b"}, "imagesbsds500": {"images": "bsds500"}
        },
        "set": {"a": {"batch_size": 4, "betas": (0.1, 0.2)}},
    }  # fmt: skip
    assert found.methods == {"no-gan": {"lr": 1}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a =", "is no TOML: Invalid value"),
        ("[trainin]\nlr = 1", "unknown table 'trainin'; did you mean training"),
        ("[training]\nwidth = 1", "unknown option in [training] 'width'"),
        ("[axes]\nlr = 3", "axis 'lr': give a list of values, or a table"),
        ("[axes]\nlr = []", "axis 'lr': give a list of values"),
        ("[axes]\nlearning = [1]", "unknown option in [axes] 'learning'"),
        ("[axes]\nseed = [1]", "has a seed; give `seeds`"),
        ("[axes.set]\na = 1", "[axes.set.a] is 1; it must be a table"),
        ("[axes.set.'a/b']\nlr = 1", "'a/b': use letters, digits"),
        ("[axes.'..'.a]\nlr = 1", "'..': use letters, digits"),
        ("axes = 3", "[axes] is 3; it must be a table"),
        ("[for]\nfull = 3", "[for.full] is 3; it must be a table"),
        ("[for.full]\nlearning = 3", "unknown option in [for.full] 'learning'"),
        ("[for.full]\nseed = 3", "[for.full] has a seed"),
    ],
)
def test_mistakes_are_one_line_that_names_the_file(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        read(written(tmp_path, text))
    assert expected in str(caught.value) and "sweep.toml" in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read --config .*missing\.toml: No such file"):
        read(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"binary\.toml is no TOML"):
        read(tmp_path / "binary.toml")


def test_a_json_file_has_the_same_tables(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"preset": "small", "training": {"betas": [0.0, 0.9]}}')
    assert read(file).options == {"preset": "small", "betas": [0.0, 0.9]}
    for text, expected in (("[]", r"the file is \[\]; it must be a table"), ("{", "is no JSON")):
        file.write_text(text)
        with pytest.raises(UserError, match=expected):
            read(file)
