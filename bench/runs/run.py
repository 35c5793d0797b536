"""A run is a folder: what was asked for, what came of it, and whether it is whole.

States: no folder (absent), `running` (in work, killed or interrupted: resumed from its last
checkpoint), `failed` (the same, with the reason), `finished` (skipped). One process at a time holds
a run's lock; a killed process leaves none behind.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench.core.errors import UserError
from bench.core.files import read_json, write_json

OWN_PACKAGES = ("bench", "variants", "baselines")
REPORTED_PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "scikit-image", "lpips")


@dataclass(frozen=True)
class Run:
    """The folder of one method under one config and seed."""

    folder: Path

    @property
    def state(self) -> str:
        """`absent`, `running`, `failed` or `finished`."""
        path = self.folder / "state.json"
        return str(read_json(path)["state"]) if path.exists() else "absent"

    @property
    def weights(self) -> Path:
        """Where its trained weights lie."""
        return self.folder / "weights.safetensors"

    @property
    def pictured(self) -> bool:
        """Whether every test pair's picture is there."""
        pairs = read_json(self.folder / "manifest.json")["pairs"]
        return len(list((self.folder / "pictures").glob("*_output.png"))) >= len(pairs)

    def read_identity(self) -> dict[str, Any]:
        """What was asked for when it was begun."""
        identity: dict[str, Any] = read_json(self.folder / "identity.json")
        return identity

    def begin(self, identity: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Write down what is asked for, and that the work begins."""
        write_json(self.folder / "identity.json", identity)
        write_json(self.folder / "config.json", config)
        write_json(self.folder / "environment.json", environment())
        self.set_state("running")

    def check_same(self, identity: Mapping[str, Any]) -> None:
        """Raise an error that shows the difference, if the run was begun with another identity."""
        difference = [
            f"{name}: {old} -> {new}"
            for name, old, new in _differences(
                self.read_identity(), json.loads(json.dumps(identity))
            )
        ]
        if difference:
            raise UserError(
                f"{self.folder} is a {self.state} run with other settings: "
                f"{'; '.join(difference)}. Use --redo to replace it, or another --out"
            )

    def set_state(self, state: str, reason: str = "") -> None:
        """Record the state, whole or not at all."""
        write_json(self.folder / "state.json", {"state": state, "reason": reason})

    def clear(self) -> None:
        """Remove everything but the lock; first the state, lest half a run look finished."""
        (self.folder / "state.json").unlink(missing_ok=True)
        for path in self.folder.glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run; a second process is told so at once."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock")
            with lock.acquire(timeout=0):
                yield
        except Timeout as error:
            raise UserError(
                f"{self.folder} is being worked on by another process; wait for it or stop it"
            ) from error
        except PermissionError as error:
            raise UserError(
                f"cannot write {self.folder}: {error.strerror}; choose --out"
            ) from error

    @contextmanager
    def working(self) -> Iterator[None]:
        """Mark the run finished at the end, or failed with the reason."""
        try:
            yield
        except Exception as error:
            self.set_state("failed", f"{type(error).__name__}: {error}")
            raise
        self.set_state("finished")


def find(root: Path) -> list[Run]:
    """All runs below a folder, by name."""
    return [Run(path.parent) for path in sorted(root.glob("*/state.json"))]


def fingerprint(identity: Mapping[str, Any]) -> str:
    """Digest of a run's identity: equal fingerprints, equal results."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_hash(modules: Iterable[str]) -> str:
    """Digest of the source of these modules and of all own modules they import.

    Adding a variant or changing a report leaves the fingerprints of existing runs as they are.
    """
    digest = hashlib.sha256()
    for name, source in sorted(_reachable(modules).items()):
        digest.update(name.encode() + source)
    return digest.hexdigest()[:16]


def environment() -> dict[str, Any]:
    """Versions, commit and device: what else a number may depend on."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in REPORTED_PACKAGES},
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted changes": bool(_git("status", "--porcelain")),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "device": torch.cuda.get_device_name()
        if cuda
        else f"CPU, {torch.get_num_threads()} threads",
    }


def _reachable(modules: Iterable[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        spec = None if name in found else importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        found[name] = Path(spec.origin).read_bytes()
        waiting += [m for m in _imported(found[name]) if m.partition(".")[0] in OWN_PACKAGES]
    return found


def _imported(source: bytes) -> Iterator[str]:
    """Names that may be modules in the import statements of a source, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            for alias in node.names:
                candidate = f"{node.module}.{alias.name}"
                if _is_module(candidate):
                    yield candidate


def _is_module(name: str) -> bool:
    if name.partition(".")[0] not in OWN_PACKAGES:
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(*words: str) -> str:
    folder = Path(__file__).parent
    try:
        result = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return result.stdout.strip()
