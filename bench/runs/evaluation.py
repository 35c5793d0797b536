"""Evaluations: runs that measure what is there on test pairs of one's choice, and train nothing.

An evaluation is called `METHOD-PRESET-on-IMAGES-HASH-seedN`, by where the photographs come from and
by the hash of the test pairs. The tag of the run whose weights they are stands before `on`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.config import Config, override
from bench.core.files import read_json
from bench.core.names import source_name
from bench.networks import weights
from bench.registry import Method
from bench.runs.case import Case
from bench.runs.experiment import inputs_of, load_network, load_run, own_pairs, what_is_measured
from bench.runs.identity import method_code, network_code, of_measurement, relevant_options
from bench.runs.measurement import Bench
from bench.runs.run import Run, of_numbers
from bench.runs.weights import GivenWeights, file_of


def of_run(
    run: Run, options: Mapping[str, Any], root: Path, tag: str = "", file: Path | None = None
) -> Case:
    """Return the case that measures a finished run, or one of its checkpoints, the `file`.

    The config is the run's own but for some options. The test pairs are the run's own, too, unless
    an option asks for others.
    """
    method, config = load_run(run)
    config = override(config, {**options, **own_pairs(run, options)})
    if not run.trained:
        return of_method(method, config, root, tag)
    identity, own = run.read_identity(), file_of(run)
    # An evaluation names the run whose weights it measured, if it was one.
    name = read_json(run.environment)["weights"]["run"] if "weights" in identity else run.name
    file = file or own
    if not name or weights.file_hash(file) != weights.file_hash(own):
        return of_file(method, config, file, root, tag)
    known = {k: v for k, v in identity.items() if not of_measurement(k)}
    given = GivenWeights.of(method, own, {**known, "network code": network_code(method)}, name)
    return _case(given, config, root, _tag_of(name, method, config), tag)


def is_done(case: Case, run: Run) -> bool:
    """Return whether a finished run holds what the case of its evaluation would measure again.

    Then weights, test pairs, metrics, options and code are the same, the numbers are sound, and all
    pictures that the case asks for were drawn.
    """
    if run.progress != "finished" or run.damaged(of_numbers):
        return False
    inputs, own = inputs_of(case.config, case.root), run.read_identity()
    if inputs.test.manifest.hash != own["test pairs"] or not _has_weights(run, case.method):
        return False
    bench = Bench.prepare(case.config, inputs)
    asked = {
        **what_is_measured(case.config, inputs, bench),
        **relevant_options(case.method, case.config),
        **_code(case, own),
    }
    return not run.differences(own | asked) and bench.pictured <= run.pictured


def _has_weights(run: Run, method: Method) -> bool:
    """Return whether a method has the weights of a run, or none."""
    return not isinstance(method, GivenWeights) or method.digest == weights.file_hash(file_of(run))


def _code(case: Case, identity: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of an identity that says what code makes the outputs, as it is now."""
    method = case.method.source if isinstance(case.method, GivenWeights) else case.method
    if "network code" in identity:  # of an evaluation, whose training may be older
        return {"network code": network_code(method)}
    return {"code": method_code(method, case.config)}


def of_file(method: Method, config: Config, file: Path, root: Path, tag: str = "") -> Case:
    """Return the case that measures a file of weights, of which nobody knows what made them."""
    known = {"method": method.name, "code": method_code(method, config)}
    given = GivenWeights.of(method, file, known)
    return _case(given, config, root, tag, f"weights-{given.digest[:8]}")


def of_method(method: Method, config: Config, root: Path, tag: str = "") -> Case:
    """Return the case that measures a method without weights, such as an algorithm."""
    return _case(method, config, root, tag)


def _case(method: Method, config: Config, root: Path, *words: str) -> Case:
    """Return a case, whose tag is made of some words and of what names the test pairs."""
    if isinstance(method, GivenWeights):  # what does not fit is told before anything is written
        load_network(method.source, config, method.file)
    pairs = inputs_of(config, root).test.manifest.hash[:8]
    compiled = "compiled" if config.evaluation.compile == "on" else ""
    images = source_name(config.data.test_images or config.data.images)
    tag = "-".join(filter(None, [*words, "on", images, pairs, compiled]))
    return Case(method, config, root, tag)


def _tag_of(name: str, method: Method, config: Config) -> str:
    """Return what the name of a trained run holds besides method, preset and seed."""
    stem = name.removesuffix(f"-seed{config.training.seed}")
    return stem.removeprefix(f"{method.name}-{config.preset}").strip("-")
