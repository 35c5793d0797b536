"""Weights that are measured and not trained: those of a finished run, or of a file.

Imports no torch at the top, so that `status` stays fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.core.files import read_json
from bench.core.run_folder import RunFolder
from bench.registry import Method


@dataclass(frozen=True, kw_only=True)
class GivenWeights(Method):
    """A method with weights that it is measured with and not trained; it is never registered."""

    source: Method
    """The method as it is registered."""
    file: Path
    digest: str
    """Digest of the file, as in `bench.networks.weights.file_hash`."""
    identity: Mapping[str, Any]
    """The part of a run's identity that says what the weights are, their digest among it."""
    run: str = ""
    """Name of the run that trained them; empty if they come from elsewhere."""

    @classmethod
    def of(
        cls, source: Method, file: Path, known: Mapping[str, Any], run: str = ""
    ) -> GivenWeights:
        """Return a method with the weights of a file; `known` is what made them."""
        from bench.networks import weights

        shared = {item.name: getattr(source, item.name) for item in fields(Method)}
        digest = weights.file_hash(file)
        identity = {**known, "weights": digest}
        return cls(**shared, source=source, file=file, digest=digest, identity=identity, run=run)

    @property
    def origin(self) -> dict[str, str]:
        """Origin of the weights, for a run's `environment.json`: run, file and digest."""
        return {"run": self.run, "file": str(self.file.resolve()), "digest": self.digest}


def file_of(run: RunFolder) -> Path:
    """Return the file of a run's weights, which a run of an algorithm has not.

    An evaluation holds no copy of them. They lie in the run that it names, next to it or where that
    was, and must have their digest: all else is a `UserError`.
    """
    digest = run.read_identity().get("weights")
    if digest is None:
        return run.weights
    from bench.networks import weights

    origin = read_json(run.environment).get("weights", {})
    name, file = origin.get("run", ""), Path(origin.get("file", ""))
    places = [run.path.parent / name / run.weights.name, file] if name else [file]
    for place in places:
        if place.is_file() and weights.file_hash(place) == digest:
            return place
    others = [str(place) for place in places if place.is_file()]
    what = f"; there are others in {' and '.join(others)}" if others else ""
    raise UserError(
        f"{run.path} holds no copy of its weights, and those of {name or file} with the digest "
        f"{digest} are gone{what}"
    )
