"""The model card of an exported run: what the run's own files tell, and nothing else.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import __version__
from bench.config import Model, flag_of
from bench.core import plugins
from bench.core.files import read_json
from bench.registry import REGISTRY, Method
from bench.runs.identity import fingerprint
from bench.runs.run import Run

SECTIONS = ("data", "model", "objective", "training")
"""Sections of the options that the card lists; those of the measurement stand under its tables."""
SNIPPETS = {
    "model.onnx": """session = onnxruntime.InferenceSession("model.onnx")
filled = session.run(None, {"image": image.numpy(), "mask": mask.numpy()})[0]""",
    "model.ts": """filled = torch.jit.load("model.ts")(image, mask)""",
    "model.pt2": """filled = torch.export.load("model.pt2").module()(image, mask)""",
}
"""Lines of Python that fill an image by an exported file."""


def card(run: Run, method: Method, model: Model, files: Sequence[str], tables: str) -> str:
    """Return the card of a run, with front matter for the Hugging Face hub, as Markdown.

    `files` are the exported files next to the weights, `tables` the run's own report. The card
    names no machine and no path of one.
    """
    parts = [
        _front_matter(method),
        f"# {method.name}: image inpainting",
        f"{_sentence(method.summary)} This is the {method.family} `{method.name}` of lbam-bench "
        f"{__version__}, a reference ablation suite for image inpainting.",
        "## Results",
        _results(run, tables),
        "## Use",
        *_use(method, model, files),
        "## Training",
        "\n".join(f"- {line}" for line in _provenance(run)),
        _options(run.read_identity(), method),
        "## Licence",
        "The code of lbam-bench is under the MIT licence. The suite states none for these weights, "
        "nor for the images that they were trained on: whoever publishes them adds `license` to "
        "the lines at the top of this file.",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(method: Method) -> str:
    tags = "\n".join(f"- {tag}" for tag in ("inpainting", "image-inpainting", f'"{method.name}"'))
    return f"---\nlibrary_name: lbam-bench\npipeline_tag: image-to-image\ntags:\n{tags}\n---"


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


def _results(run: Run, tables: str) -> str:
    """Return the run's report without its heading, and without its line about the run.

    That line may name paths; `_provenance` says the same without them.
    """
    lines = tables.splitlines()
    kept = [line for line in lines if not line.startswith(("## ", f"- {run.name}: "))]
    return "\n".join(kept).strip()


def _use(method: Method, model: Model, files: Sequence[str]) -> Iterator[str]:
    """Yield how to fill an image by each file."""
    size = " ".join(
        f"{flag_of(name)} {getattr(model, name)}"
        for name in ("width", "depth")
        if name not in method.ignores
    )
    plugin = _plugin(method)
    beside = f", and with the plug-in {plugin}.py beside these files" if plugin else ""
    yield (
        f"With lbam-bench installed, in this folder{beside} (the hole is white in `mask.png`; "
        "`--polarity hole-black` for the opposite):"
    )
    named = f"--{method.family} {method.name}{f' --plugin {plugin}.py' if plugin else ''}"
    yield _block(
        "",
        f"python -m bench inpaint {named} --weights model.safetensors "
        f"{size} --image image.png --mask mask.png --out filled.png",
    )
    yield (
        "In Python, `image` is a float tensor [B,3,H,W] in [0,1] and `mask` is [B,1,H,W] with "
        "1 = known and 0 = hole. Sides may be any number from 16 up. The network itself wants the "
        "hole black, and its raw output is clipped and put into the hole:"
    )
    yield _block("python", _snippet(method, model))
    if files:
        yield "These files run without lbam-bench. They blank the hole and keep known pixels:"
    for file in files:
        package = "onnxruntime" if file.endswith("onnx") else "torch"
        yield _block("python", f"import {package}\n\n{SNIPPETS[file]}")


def _snippet(method: Method, model: Model) -> str:
    """Return Python that builds the network, loads its weights and fills an image."""
    plugin = _plugin(method)
    defined = f"import {plugin}  # defines {method.name}\n" if plugin else ""
    return f"""import torch
from safetensors.torch import load_file

{defined}from bench.config import Model
from bench.registry import find

network = find("{method.name}").build({model!r}).eval()
network.load_state_dict(load_file("model.safetensors"))
with torch.no_grad():
    output = network(image * mask, mask).clamp(0, 1)
filled = torch.where(mask > 0.5, image, output)"""


def _plugin(method: Method) -> str:
    """Return the module of the plug-in that defines a method; empty for all other methods."""
    module = REGISTRY.module(method.name)
    return module if plugins.lies_beside(module) else ""


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _provenance(run: Run) -> Iterator[str]:
    """Yield what run it was and what it was made with."""
    identity, environment = run.read_identity(), read_json(run.environment)
    changed = ", with uncommitted changes" if environment["uncommitted changes"] else ""
    yield f"fingerprint {fingerprint(identity)}, seed {identity['training.seed']}"
    yield f"preset {read_json(run.config)['preset']}"
    yield f"commit {environment['commit'] or 'unknown'}{changed}"
    yield f"torch {environment['packages']['torch']}, {environment['device']}"
    yield f"training images {identity['data.images']}, digest {identity['training images']}"
    departures: Mapping[str, float] = identity["departures"]
    if departures:
        named = ", ".join(f"{term} {weight:g}" for term, weight in departures.items())
        yield f"its own loss has other weights than published: {named}"


def _options(identity: Mapping[str, Any], method: Method) -> str:
    """Return a table of the options that the result rests on.

    A run's identity holds sources of images and masks by their kind, without the path.
    """
    # With --steps, --epochs says nothing.
    silent = method.ignores | ({"epochs"} if identity["training.steps"] else set())
    rows = [
        f"| `{flag_of(name)}` | {_plain(value)} |"
        for section, _, name, value in ((*k.partition("."), v) for k, v in identity.items())
        if section in SECTIONS and name not in silent and value != ""
    ]
    return "\n".join(["| option | value |", "|---|---|", *rows])


def _plain(value: Any) -> str:
    """Return an option's value as it is typed."""
    values = value if isinstance(value, list) else [value]
    return " ".join(str(v).lower() if isinstance(v, bool) else str(v) for v in values)
