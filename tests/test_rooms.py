"""The arrows between the rooms: which room may import which, imports inside functions included."""

import ast
from collections.abc import Iterator
from pathlib import Path

from bench.registry import discover

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "variants", "baselines", "reports")
CORE = {"bench.core", "bench.config"}
DATA = CORE | {"bench.data"}
MEASURING = DATA | {"bench.networks", "bench.evaluation"}
ENGINE = MEASURING | {"bench.presets", "bench.registry", "bench.foreign", "bench.training"}
METHODS = CORE | {"bench.registry", "bench.networks", "bench.training"}
RECORDS = CORE | {"bench.evaluation"}
DRAWING = RECORDS | {"reports.analysis", "reports.style"}
MAY_IMPORT = {
    "bench": {"bench.interface"},
    "bench.core": set(),
    "bench.config": {"bench.core"},
    "bench.presets": CORE,
    "bench.registry": CORE | {"bench.presets", "bench.networks"},
    "bench.data": CORE,
    "bench.networks": CORE,
    "bench.evaluation": DATA | {"bench.networks"},
    "bench.inpainting": MEASURING,
    "bench.training": MEASURING,
    "bench.foreign": MEASURING | {"bench.registry"},
    "bench.runs": ENGINE,
    "bench.sweeps": ENGINE | {"bench.runs", "bench.profiling"},
    "bench.profiling": ENGINE | {"bench.runs"},
    "bench.conformance": ENGINE,
    "bench.exporting": ENGINE | {"bench", "bench.runs"},
    "bench.painting": ENGINE | {"bench.runs"},
    "bench.cli": ENGINE
    | {"bench", "bench.runs", "bench.sweeps", "bench.profiling", "bench.conformance"}
    | {"bench.exporting", "bench.inpainting", "bench.painting"}
    | {"reports", "reports.tables", "reports.study"},
    "bench.interface": ENGINE | {"bench.cli", "bench.runs", "bench.sweeps", "reports"},
    "bench.__main__": {"bench.cli", "bench.core"},
    "variants": METHODS,
    "baselines": METHODS,
    "reports.style": set(),
    "reports.pictures": {"bench.core"},
    "reports.analysis": RECORDS | {"bench.data"},
    "reports.paper": set(),
    "reports.tables": DRAWING | {"bench.data", "bench.registry"},
    "reports.plots": DRAWING,
    "reports.page": DRAWING | {"reports.pictures", "reports.tables"},
    "reports.study": RECORDS | {"reports.pictures", "reports.tables"},
    "reports": RECORDS
    | {"bench.presets", "bench.registry", "reports.analysis", "reports.style", "reports.paper"}
    | {"reports.pictures", "reports.tables", "reports.plots", "reports.page"},
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


def test_rooms_import_one_way() -> None:
    known = modules()
    for module, file in known.items():
        for name in imports(file, known):
            here, there = room(module), room(name)
            assert here == there or there in MAY_IMPORT[here], f"{module} imports {name}"


def test_reports_import_no_torch() -> None:
    """No module of `reports` names torch; test_registry runs `list` without it."""
    for module, file in modules().items():
        if module.partition(".")[0] == "reports":
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                named = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert "torch" not in {name.partition(".")[0] for name in named}, module


def test_slow_libraries_are_imported_where_they_are_used() -> None:
    """Each takes a quarter of a second or more, and most commands need none of them."""
    slow = ("torch._dynamo", "torchvision", "lpips", "skimage", "cv2", "scipy.stats",
            "scipy.optimize")  # fmt: skip
    for module, file in modules().items():
        if room(module) == "reports.study":  # its command alone imports it, and needs them
            continue
        named = set()
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            named |= {a.name for a in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom) and node.module:
                named |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
        assert not [n for n in named for s in slow if f"{n}.".startswith(f"{s}.")], module


def test_the_engine_names_no_method() -> None:
    """Only the examples of the commands' help do, and test_parser runs these."""
    names = set(discover())
    for module, file in modules().items():
        if module.partition(".")[0] == "bench":
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if not (isinstance(node, ast.Assign) and ast.unparse(node.targets) == "EXAMPLES"):
                    found = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)} & names
                    # A critic's last layer may be a sigmoid, and an objective the released code's:
                    # these words name no variant there.
                    assert not found - {"sigmoid", "released"}, f"{module} names {found}"


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
