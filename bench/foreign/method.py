"""Methods that are named by what they are made of: `KIND:FILE`, with options behind it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import registry
from bench.config import Config, Model
from bench.core import sums
from bench.core.errors import UserError, unknown
from bench.core.references import Reference, resolve
from bench.core.run_folder import NAME
from bench.data.masks.polarity import Polarity
from bench.foreign.convention import Convention, parse
from bench.registry import REGISTRY, Algorithm, Family, Method

if TYPE_CHECKING:
    from torch import nn

OPTION = re.compile(r":([a-z][a-z-]*)=([^:\s]*)$")
"""An option at the end of a method's text."""
EXTERNAL = ".data"
"""End of the name of a second file, in which exporters put an ONNX model's large weights."""


@dataclass(frozen=True, kw_only=True)
class Foreign(Algorithm):
    """A method from outside the suite, known by the text that names it on the command line."""

    text: str

    @property
    def origin(self) -> str:
        """Origin of the method, such as the digest of its file, for the identity of its runs."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ModelFile(Foreign):
    """A model that was trained elsewhere, in a file; it is probed whenever it is built."""

    network: Reference = "bench.foreign.network:FileNetwork"
    kind: str
    file: Path
    convention: Convention

    @property
    def origin(self) -> str:
        """The digest of the file's bytes, and the convention."""
        files = [self.file, self.file.with_name(self.file.name + EXTERNAL)]
        digests = [sums.sha256(file)[:16] for file in files if file.exists()]
        return f"{self.kind} {' '.join(digests)}{self.convention}"

    def build(self, model: Model) -> nn.Module:
        """Load the model; one that cannot be right under its convention is a `UserError`."""
        network: nn.Module = resolve(self.network)(self.kind, self.file, self.convention)
        return network

    def check(self, config: Config, processes: int = 1) -> None:
        """Raise a `UserError` also for a model that cannot be right, or not for this size."""
        super().check(config, processes)
        resolve(self.network)(self.kind, self.file, self.convention).check_side(config.data.size)


@dataclass(frozen=True, kw_only=True)
class Program(Foreign):
    """A program that fills folders of pictures; its words name `{images}`, `{masks}`, `{out}`."""

    network: Reference = "bench.foreign.program:ProgramNetwork"
    words: tuple[str, ...]
    polarity: Polarity
    """Colour of the hole in the masks that it reads."""

    @property
    def origin(self) -> str:
        """The command, and the masks that it is given."""
        return f"{shlex.join(self.words)}, {self.polarity}"

    def build(self, model: Model) -> nn.Module:
        """Return a network that starts the program for every batch."""
        network: nn.Module = resolve(self.network)(self.words, self.polarity)
        return network


class Text(NamedTuple):
    """The parts of a text `KIND:SUBJECT:KEY=VALUE...`."""

    kind: str
    subject: str
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Text:
        """Split a text; an option that is given twice is a `UserError`."""
        kind, _, subject = text.partition(":")
        options: dict[str, str] = {}
        while match := OPTION.search(subject):
            key, value = match.groups()
            if key in options:
                raise UserError(f"{text}: {key} stands there twice")
            options = {key: value, **options}
            subject = subject[: match.start()]
        return cls(kind, subject, options)


def find(text: str, family: Family | None = None) -> Method:
    """Return the method of a name, or the one that `KIND:SUBJECT` describes.

    The latter is a baseline and belongs to the methods of this process from now on, under a name
    that no other has: that of its file, or the one of its option `name`. What is unknown or wrong
    is a `UserError`.
    """
    if ":" not in text:
        return registry.find(text, family)
    parts = Text.parse(text)
    if parts.kind not in KINDS:
        raise unknown("kind of model", parts.kind, KINDS)
    if family not in (None, "baseline"):
        raise UserError(f"'{text}' is a baseline, no {family}; use --baseline {text}")
    try:
        method = KINDS[parts.kind](text, parts)
    except UserError as error:
        raise UserError(f"{text}: {error}") from error
    known = registry.discover().get(method.name)
    if known not in (None, method):
        raise UserError(
            f"{text}: another method is called {method.name}; choose a name by :name=NAME"
        )
    return known or REGISTRY.add(method.name, method)


def given_as(method: Method) -> str:
    """Return how the command line names a method."""
    return method.text if isinstance(method, Foreign) else method.name


def _model_file(text: str, parts: Text) -> Method:
    file = Path(parts.subject).expanduser()
    if not file.is_file():
        raise UserError("no such file")
    options = dict(parts.options)
    return ModelFile(
        name=_name(options.pop("name", file.stem)),
        family="baseline",
        summary=f"a model from a file ({parts.kind})",
        text=text,
        kind=parts.kind,
        file=file,
        convention=parse(options),
    )


def _program(text: str, parts: Text) -> Method:
    try:
        words = tuple(shlex.split(parts.subject))
    except ValueError as error:
        raise UserError(f"the command cannot be read: {error}") from error
    for place in ("{images}", "{masks}", "{out}"):
        if not any(place in word for word in words):
            raise UserError(f"the command names no {place}, a folder that is put in its place")
    for key in parts.options.keys() - {"name", "polarity"}:
        raise unknown("option of a command", key, ("name", "polarity"))
    polarity = {"polarity": "hole-white", **parts.options}["polarity"]
    return Program(
        name=_name(parts.options.get("name", Path(words[0]).stem)),
        family="baseline",
        summary="a program that fills folders of pictures",
        text=text,
        words=words,
        polarity=parse({"polarity": polarity}).polarity,
    )


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UserError(
            f"the name '{name}' cannot name a folder of runs; choose one of letters, digits, '.', "
            "'_' and '-' by :name=NAME"
        )
    return name


KINDS: Mapping[str, Callable[[str, Text], Method]] = {
    "torchscript": _model_file,
    "onnx": _model_file,
    "command": _program,
}
"""Functions that make the method of a text, by kind."""
