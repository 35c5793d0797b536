"""The identity of a run: everything that can change its result, and its fingerprint.

A fingerprint is the digest of an identity: equal fingerprints mean equal results (on one kind of
processor, see `bench.runs.environment`). It covers

- the options that can change a result, with precision and number of processes as resolved on this
  machine;
- the bytes of the training images, the masks, the test pairs and pretrained weights, by digests;
- the code that runs: the syntax trees of the modules that define the method, its training and its
  measurement, and of the project's modules that they import.

Comments, docstrings, formatting, imports for the type checker, and the names and places of modules
are left out, so that moving or rewording code keeps every finished run.

An identity has two parts. The training's part says nothing of what the weights are measured on: a
finished run that is asked for with other test pairs or metrics is measured again, not trained.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from bench.config import Config, identity
from bench.core import plugins
from bench.core.references import Reference, attribute_of, module_of
from bench.data.masks.source import modules
from bench.evaluation.metrics.metric import REGISTRY
from bench.foreign.method import Foreign
from bench.registry import ImportedWeights, Method, TrainedNetwork

OWN_PACKAGES = ("bench", "variants", "baselines")
MEASUREMENT_CODE = ("bench.evaluation.evaluator", "bench.data.inputs")
DISTANCES_CODE = ("bench.evaluation.distances.measure",)
TRAINING_CODE = ("bench.training.trainer", "bench.data.inputs")
OF_MEASUREMENT = frozenset(
    {"test pairs", "lpips weights", "measurement code", "metrics", "references", "distances"}
    | {"network code", "data.pairs", "data.test_images", "data.test_masks"}
)
"""Parts of an identity that concern the measurement alone, besides `evaluation.*`."""
SOURCES = ("data.images", "data.test_images", "data.masks", "data.test_masks")
"""Options of the form KIND or KIND:PATH."""


def fingerprint(values: Mapping[str, Any]) -> str:
    """Return the digest of a run's identity, 16 hexadecimal digits."""
    return _short(json.dumps(values, sort_keys=True))


def of_measurement(name: str) -> bool:
    """Return whether a part of an identity concerns the measurement alone, not the training."""
    return name in OF_MEASUREMENT or name.startswith("evaluation.")


def relevant_options(method: Method, config: Config) -> dict[str, Any]:
    """Return the options that can change the method's result, as `section.option`: value.

    Paths are left out: what lies there is part of the identity by its digest. For a method without
    training, images and masks show in the test pairs alone.
    """
    options = {
        name: value.partition(":")[0] if name in SOURCES else value
        for name, value in identity(config).items()
        if name.partition(".")[2] not in method.ignores
    }
    if isinstance(method, TrainedNetwork):
        return options
    return {name: value for name, value in options.items() if name.startswith("evaluation.")}


def method_code(method: Method, config: Config) -> str:
    """Return the digest of the code that builds a method and trains it, with its arguments."""
    references, fixed = [method.network], {}
    if isinstance(method, TrainedNetwork):
        # Drawn masks are known by the names of their families alone, so their code counts here.
        references += [method.learner, *TRAINING_CODE, *modules(config.data.masks)]
        fixed = dict(method.objective)
    elif isinstance(method, ImportedWeights):
        references.append(method.load)
    code = _short(repr((_digests(references), _plain(method.arguments), _plain(fixed))))
    return f"{code}, {method.origin}" if isinstance(method, Foreign) else code


def network_code(method: Method) -> str:
    """Return the digest of the code that builds a method's network, with its arguments.

    An evaluation runs it as it is now; the code of the training may be older.
    """
    return _short(repr((_digests([method.network]), _plain(method.arguments))))


def measurement(
    config: Config, metrics: Iterable[str], references: Iterable[Method]
) -> dict[str, Any]:
    """Return the code of a measurement, for a run's identity: evaluator, metrics and references.

    `metrics` are the names of those that are measured, `references` the algorithms next to them.
    """
    return {
        "measurement code": _short(repr(_digests(MEASUREMENT_CODE))),
        "metrics": {name: module_digest(REGISTRY.module(name)) for name in metrics},
        "references": {method.name: method_code(method, config) for method in references},
    }


def distances(digest: str) -> dict[str, Any]:
    """Return the weights and the code of distances, for a run's identity.

    `digest` is that of the weights. Where it is empty nothing was measured, and such a run is what
    it was before there were distances.
    """
    if not digest:
        return {}
    return {"distances": {"weights": digest, "code": _short(repr(_digests(DISTANCES_CODE)))}}


def _digests(references: Iterable[Reference]) -> list[tuple[str, str]]:
    """Return what each reference names, as (digest of its module, attribute), in no special order.

    Sorted by digest and not by name, since the names of modules do not count.
    """
    found = list(references)
    own = owners(found)
    return sorted({(module_digest(module_of(r), own), attribute_of(r)) for r in found})


def owners(references: Iterable[Reference]) -> tuple[str, ...]:
    """Return the packages whose modules are followed: the suite's own, and the method's."""
    packages = {module_of(reference).partition(".")[0] for reference in references}
    return tuple(sorted({*OWN_PACKAGES, *packages}))


@cache
def module_digest(name: str, own: tuple[str, ...] = OWN_PACKAGES) -> str:
    """Return the digest of a module and of the modules of the `own` packages that it imports.

    An import stands in the digest as the digest of the imported module, whatever its name is.
    """
    return _Modules(own).digest(name)


class _Modules:
    """Digests of modules, each computed once, from the words that can change what they compute."""

    def __init__(self, own: tuple[str, ...]) -> None:
        self.own = own
        self.digests: dict[str, str] = {}

    def digest(self, name: str) -> str:
        """Return the digest of one module."""
        if name not in self.digests:
            self.digests[name] = "circle"  # for modules that import each other
            self.digests[name] = _short(" ".join(map(self._written, _words(name, self.own))))
        return self.digests[name]

    def _written(self, words: str | _Named) -> str:
        if isinstance(words, str):
            return words
        return f"{words.before}{self.digest(words.module)}{words.after}"


class _Named(NamedTuple):
    """A word that names a followed module, whose digest stands between `before` and `after`."""

    before: str
    module: str
    after: str


@cache
def _words(name: str, own: tuple[str, ...]) -> tuple[str | _Named, ...]:
    """Return the words of a module, with those between two followed modules as one string.

    They are kept, since many modules are in the digests of several others. A module without source
    has its name as its only word.
    """
    spec = _find(name)
    if spec is None or spec.origin is None:
        return (name,)
    tree = ast.parse(Path(spec.origin).read_bytes())
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    spelled = _Spelling(own).spell(_absolute(tree, package))
    runs = groupby(spelled, key=lambda word: isinstance(word, _Named))
    return tuple(
        word for named, run in runs for word in (run if named else [" ".join(map(str, run))])
    )


class _Spelling:
    """The words of syntax trees, in which modules of the `own` packages are named."""

    def __init__(self, own: tuple[str, ...]) -> None:
        self.own = own

    def spell(self, value: Any) -> Iterator[str | _Named]:
        """Yield node names, field names and constants, in the order of the source."""
        if isinstance(value, list):
            yield from (word for item in value if not _is_silent(item) for word in self.spell(item))
        elif isinstance(value, ast.Import | ast.ImportFrom):
            yield from self._import(value)
        elif isinstance(value, ast.AST):
            yield type(value).__name__
            for name, child in ast.iter_fields(value):
                if child is not None and child != []:  # absent: newer Pythons have more fields
                    yield name
                    yield from self.spell(child)
        elif isinstance(value, str) and self._module(value.partition(":")[0]):
            module, _, attribute = value.partition(":")  # a reference, or a module's name
            yield _Named("", module, f":{attribute}")
        else:
            yield repr(value)

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[str | _Named]:
        for alias in node.names:
            local = alias.asname or alias.name
            inside = f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else ""
            if self._followed(inside):  # `from package import module`
                words = _Named("import ", inside, f" as {local}")
            elif isinstance(node, ast.ImportFrom):
                words = _Named("from ", node.module or "", f" import {alias.name} as {local}")
            else:
                words = _Named("import ", alias.name, f" as {local}")
            yield words if self._followed(words.module) else "".join(words)

    def _followed(self, name: str) -> bool:
        """Whether an import is followed; one beside a plug-in need not lie in a package."""
        return self._module(name) or _beside_plugin(name)

    def _module(self, name: str) -> bool:
        """Whether a dotted name is a module of the packages that are followed."""
        package, dot, _ = name.partition(".")
        if not dot or package not in self.own or not name.replace(".", "").isidentifier():
            return False
        return _find(name) is not None


def _absolute(tree: ast.Module, package: str) -> ast.Module:
    """Write relative imports of a module as absolute ones, so that they are followed as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            name = "." * node.level + (node.module or "")
            node.module, node.level = importlib.util.resolve_name(name, package), 0
    return tree


def _find(name: str) -> ModuleSpec | None:
    """Find a module without importing more than the packages above it."""
    above = name.rpartition(".")[0]
    parent = _find(above) if above else None
    if above and (parent is None or parent.submodule_search_locations is None):
        return None  # `above` is a module, and the last part of the name a thing inside it
    return importlib.util.find_spec(name)


def _beside_plugin(name: str) -> bool:
    """Return whether a dotted name is a module that lies in the folder of a plug-in."""
    if not name or name.partition(".")[0] in OWN_PACKAGES or not plugins.lies_beside(name):
        return False
    return _find(name) is not None


def _is_silent(node: Any) -> bool:
    """Whether a statement computes nothing: a docstring, or imports for the type checker."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    checks_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    return checks_types and node.test.id == "TYPE_CHECKING"


def _plain(value: Any) -> Any:
    """Return a value without memory addresses: callables stand by their code and their name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f.name, _plain(getattr(value, f.name))) for f in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return [(key, _plain(value[key])) for key in sorted(value)]
    if callable(value):
        return module_digest(value.__module__, owners([value])), value.__qualname__
    return value


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
