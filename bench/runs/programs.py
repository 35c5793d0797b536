"""Runs of programs: all test pairs are given to one at once, and its pictures are measured."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from bench.core.errors import UserError
from bench.core.files import remove, writing
from bench.data.export import stem
from bench.data.pairs import FrozenPairs
from bench.evaluation import outputs
from bench.foreign.method import Program
from bench.foreign.process import ERRORS
from bench.foreign.program import Numbered, run
from bench.runs.case import Case
from bench.runs.experiment import inputs_of
from bench.runs.outputs import given
from bench.runs.program_folder import PROGRAMS, ProgramFolder

log = logging.getLogger(__name__)


def carried_out(case: Case, redo: bool = False) -> Case:
    """Return the case of the outputs that the program of a case makes of its test pairs.

    They lie in `programs/` next to the runs, and stay. A program that was killed, or that failed,
    gets only the pairs whose picture is missing; one that made all is not started again, unless
    `redo` asks for it. A finished run of another command is a `UserError` before it starts.
    """
    program = case.method
    assert isinstance(program, Program)
    command = program.origin
    if not redo:
        _refuse_other(case, command)
    pairs = inputs_of(case.config, case.root).test
    digest = hashlib.sha256(command.encode()).hexdigest()[:8]
    name = f"{program.name}-{pairs.manifest.hash[:8]}-{digest}"
    folder = ProgramFolder(case.root / PROGRAMS / name)
    with writing(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.lock):  # another process that runs the same command is waited for
        _complete(program, pairs, folder, redo)
    try:
        method = given(program.name, folder.out, pairs, lossy=False)
    except UserError as error:
        raise UserError(
            f"{error}; a program that has changed is started again by --redo"
        ) from error
    facts = {**method.facts, "command": command}
    return dataclasses.replace(case, method=dataclasses.replace(method, facts=facts))


def _refuse_other(case: Case, command: str) -> None:
    """Raise a `UserError` if the finished run of a case is that of another command."""
    if case.run.progress == "finished":
        before = case.run.outputs.get("command")
        if before != command:
            raise UserError(
                f"{case.run.path} is a finished run of another command: {before} -> {command}. "
                "Use --redo to replace it, or tell two apart by :name=NAME behind the command"
            )


def _complete(program: Program, pairs: FrozenPairs, folder: ProgramFolder, redo: bool) -> None:
    """Run a program on the pairs whose pictures are missing, or on all if they are made again."""
    done = _done(folder.out, len(pairs))
    if redo and len(done) == len(pairs):
        remove(folder.out)
        done = set()
    left = [number for number in range(len(pairs)) if number not in done]
    if not left:
        return
    if done:
        log.info("%s goes on with %d of %d pictures", program.name, len(left), len(pairs))
    start = time.monotonic()
    try:
        run(program.words, program.polarity, _numbered(pairs, left), folder.path, program.name)
    except UserError as error:
        raise UserError(
            f"{error}; see {folder.path / ERRORS}, and give the command again to go on"
        ) from error
    log.info("%s filled %d pictures in %.1f s", program.name, len(left), time.monotonic() - start)
    for inputs in folder.given:
        remove(inputs)


def _done(out: Path, count: int) -> set[int]:
    """Return the numbers of the pairs that have a picture; half-written ones are removed."""
    numbers = {stem(number): number for number in range(count)}
    found = set()
    for path in sorted(out.glob("[!.]*")):
        number = numbers.get(path.stem.removesuffix(outputs.OF_LAMA))
        if number is None:
            continue
        try:
            outputs.read(path)
        except UserError:
            path.unlink()
        else:
            found.add(number)
    return found


def _numbered(pairs: FrozenPairs, numbers: list[int]) -> Iterator[Numbered]:
    for number in numbers:
        images, masks = pairs.batch([number])
        yield number, images[0], masks[0, 0]
