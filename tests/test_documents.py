"""Everything that the documents show works as it stands: examples of code, commands, links."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bench import registry
from bench.cli.parser import build_parser
from bench.core.registry import Registry
from bench.data.images import source as images
from bench.data.masks import family
from bench.data.masks import source as masks
from bench.evaluation.metrics import metric

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    path for path in ROOT.rglob("*.md") if not {".ci", ".venv", "runs"} & {*path.parts, "-"}
]
CONTRACTS = [
    registry.Method, images.image_source, masks.mask_source, family.mask_family, metric.metric,
]  # fmt: skip
"""Definitions whose docstrings show an example."""
REGISTRIES: list[Registry] = [
    registry.REGISTRY, images.REGISTRY, masks.REGISTRY, family.REGISTRY, metric.REGISTRY,
]  # fmt: skip


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """The code blocks of a language in all documents, with the document's name."""
    for path in DOCUMENTS:
        for found in re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL):
            yield path.relative_to(ROOT).as_posix(), found


def example(docstring: str) -> str:
    """The indented example in a docstring."""
    lines = docstring.splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith(":") and not lines[i + 1])
    code = "\n".join(lines[start + 1 :])
    indent = re.search(r"^( +)(?:from|import|register)", code, re.MULTILINE)
    assert indent
    kept = (line for line in code.splitlines() if not line or line.startswith(indent[1]))
    return "\n".join(line.removeprefix(indent[1]) for line in kept)


EXAMPLES = [
    *blocks("python"),
    *((contract.__name__, example(contract.__doc__ or "")) for contract in CONTRACTS),
]


@contextmanager
def nothing_kept() -> Iterator[list[set[str]]]:
    """Forget what is defined inside; the names that each registry had before."""
    before = [dict(kept.all()) for kept in REGISTRIES]
    modules = [dict(kept._modules) for kept in REGISTRIES]
    try:
        yield [set(kept) for kept in before]
    finally:
        for kept, items, of in zip(REGISTRIES, before, modules, strict=True):
            kept._items, kept._modules = items, of
        family._drawing.cache_clear()


@pytest.mark.parametrize(("where", "code"), EXAMPLES, ids=[where for where, _ in EXAMPLES])
def test_an_example_defines_what_works(where: str, code: str) -> None:
    assert len(code.strip().splitlines()) <= 15
    with nothing_kept() as before:
        names: dict[str, object] = {"__name__": "example"}
        names |= {"register": registry.register, "TrainedNetwork": registry.TrainedNetwork}
        exec(compile(code, where, "exec"), names)
        added = [set(r._items) - old for r, old in zip(REGISTRIES, before, strict=True)]
        assert sum(map(len, added)) == 1
        works(*added)


def works(
    methods: set[str], sources: set[str], sets: set[str], families: set[str], metrics: set[str]
) -> None:
    """Use what was added, whatever it is."""
    for name in methods:
        assert registry.find(name).parameters(registry.Model()) > 0
    for name in sources:
        with pytest.raises(images.UserError, match="no folder /nowhere"):
            images.pictures(name, "train", Path("/nowhere"))
    for name in sets:
        with pytest.raises(images.UserError, match="no folder /nowhere"):
            masks.open_masks(name, "", Path("/nowhere"))
    for name in families:
        drawn = masks.open_masks(name, "", Path()).training(64, (0.1, 0.3), 0, 0)
        assert drawn.shape == (64, 64) and 0.7 <= np.mean(drawn) < 0.9
    for name in metrics:
        function = metric.find(name).load(None, None)  # type: ignore[arg-type]
        import torch

        assert function(torch.full((2, 3, 8, 8), 3.0), torch.zeros(2, 3, 8, 8)).tolist() == [3, 3]


COMMANDS = sorted(
    {
        command.strip().removeprefix("python -m bench")
        for path in DOCUMENTS
        for command in re.findall(
            r"[`\n](python -m bench [^`\n]+)", path.read_text().replace("\\\n", "")
        )
        if not re.search(r"NAME|\.\.\.|COMMAND", command)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_in_the_documents_is_understood(command: str) -> None:
    try:
        build_parser()[0].parse_args(shlex.split(command))
    except SystemExit as left:
        assert left.code == 0  # --help and --version leave at once


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_files_that_the_documents_name_exist() -> None:
    for path in DOCUMENTS:
        if path.name != "CHANGELOG.md":
            for name in re.findall(r"`((?:bench|tests|reports|variants|baselines)/[\w/.]+)`",
                                   path.read_text()):  # fmt: skip
                new = {"softplus.py", "rmse.py", "celeba.py", "stripes.py", "doodles.py"}
                assert (ROOT / name).exists() or Path(name).name in new, f"{path.name}: {name}"
