"""The arrows between the rooms: which room may import which, imports inside functions included."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "variants", "baselines", "reports")
CORE = {"bench.core", "bench.config"}
ENGINE = CORE | {"bench.registry", "bench.data", "bench.networks", "bench.evaluation"}
METHODS = CORE | {"bench.registry", "bench.networks", "bench.training"}
MAY_IMPORT = {
    "bench": set(),
    "bench.core": set(),
    "bench.config": {"bench.core"},
    "bench.presets": CORE,
    "bench.registry": CORE,
    "bench.data": CORE,
    "bench.networks": CORE,
    "bench.evaluation": CORE | {"bench.data", "bench.networks"},
    "bench.training": CORE | {"bench.data", "bench.networks", "bench.evaluation"},
    "bench.runs": ENGINE | {"bench.training"},
    "bench.profiling": ENGINE | {"bench.presets", "bench.training", "bench.runs"},
    "bench.cli": ENGINE
    | {"bench", "bench.presets", "bench.training", "bench.runs", "bench.profiling", "reports"},
    "bench.__main__": {"bench.cli"},
    "variants": METHODS,
    "baselines": METHODS,
    "reports": CORE | {"bench.presets", "bench.registry", "bench.runs", "bench.evaluation"},
}
"""Every room, and the other rooms it may import."""


def modules() -> dict[str, Path]:
    """All modules of the project by dotted name."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    parts = {file: file.relative_to(ROOT).with_suffix("").parts for file in files}
    return {".".join(p[:-1] if p[-1] == "__init__" else p): f for f, p in parts.items()}


def room(module: str) -> str:
    """The room that a module lies in: the longest one that its name begins with."""
    return max((r for r in MAY_IMPORT if f"{module}.".startswith(f"{r}.")), key=len)


def imports(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The project's modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            # `from bench.networks import layers` names a module, other names are its contents.
            names = [name if name in known else node.module for name in inside]
        yield from (name for name in names if name in known)


@pytest.mark.xfail(reason="rooms are being moved")
def test_rooms_import_one_way() -> None:
    known = modules()
    for module, file in known.items():
        for name in imports(file, known):
            here, there = room(module), room(name)
            assert here == there or there in MAY_IMPORT[here], f"{module} imports {name}"


@pytest.mark.parametrize("reports_module", ["reports", "reports.study"])
def test_reports_import_no_torch(reports_module: str) -> None:
    """Nothing of `reports` names torch; test_registry runs `list` without it."""
    for module, file in modules().items():
        if f"{module}.".startswith(f"{reports_module}."):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            named = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
            assert "torch" not in named, module


@pytest.mark.xfail(reason="circles are being opened")
def test_no_module_imports_itself_through_others() -> None:
    known = modules()
    graph = {module: set(imports(file, known)) - {module} for module, file in known.items()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for name in sorted(graph[module]):
                visit(name, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())
