"""Origin of what a run measures, if the suite did not make it."""

from __future__ import annotations

from bench.core.run_folder import RunFolder


def model_file(run: RunFolder) -> str:
    """Return the origin of a model that was not trained here; empty for the suite's methods.

    It is the digest of the model's file with its convention, or a program's command.
    """
    # Behind the digest of the code, as `bench.runs.identity.method_code` writes it.
    return str(run.read_identity().get("code", "")).partition(", ")[2]


def origin(run: RunFolder) -> str:
    """Return the origin of all that the suite did not make; empty if it made all.

    Besides that of a model it is the digest of weights that no training explains, or the command
    that made outputs. Runs of one method that differ in it are of two models.
    """
    identity = run.read_identity()
    weights = "" if "training images" in identity else str(identity.get("weights", ""))
    return weights or model_file(run) or str(run.outputs.get("command", ""))
