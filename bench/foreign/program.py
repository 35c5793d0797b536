"""Programs that fill folders of pictures: how one is run, and as a network like any other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import torch
from torch import Tensor, nn
from tqdm import tqdm

from bench.core.errors import UserError
from bench.core.files import writing
from bench.core.interrupts import Stopped, StopRequest, stop_requests
from bench.data.export import Form, save_pair, stem
from bench.data.masks.polarity import Polarity
from bench.evaluation import outputs

PLACES = ("images", "masks", "out")
"""Folders that a command names as `{images}`, `{masks}` and `{out}`."""
PAUSE = 0.2
"""Seconds between two looks at the process."""
PATIENCE = 10
"""Seconds that a program gets to end in good order."""
ERRORS = "stderr.log"
"""Name of the file that has what a program says of its errors."""
LAST = 300
"""Longest last line of a program that is quoted, characters."""
Numbered = tuple[int, Tensor, Tensor]
"""Number of a pair, its image [3,H,W] in uint8 and its mask [H,W], 1 = known."""


class ProgramNetwork(nn.Module):
    """A program in the place of a network: it is started for every batch.

    Test pairs are given to it all at once instead, by `bench.runs.programs`.
    """

    def __init__(self, words: Sequence[str], polarity: Polarity) -> None:
        super().__init__()
        self.words, self.polarity = words, polarity

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the output [B,3,H,W] in [0,1]; image [B,3,H,W] in [0,1], mask 1 = known."""
        pixels = (image.float() * 255).round().byte().cpu()
        pairs = [
            (i, p, m[0].byte().cpu()) for i, (p, m) in enumerate(zip(pixels, mask, strict=True))
        ]
        with tempfile.TemporaryDirectory() as scratch:
            run(self.words, self.polarity, pairs, Path(scratch))
            files = outputs.find(Path(scratch) / "out", [stem(i) for i in range(len(pairs))])
            filled = torch.stack([_read(file, pixels.shape[-2:]) for file in files])
        return filled.to(image.device, image.dtype) / 255


def run(
    words: Sequence[str],
    polarity: Polarity,
    pairs: Iterable[Numbered],
    place: Path,
    name: str | None = None,
) -> None:
    """Save pairs below a folder, run a program on them, and leave its pictures in `out` there.

    A `name` stands with the progress, which is shown for one alone. A program that cannot be
    started, or that ends with an error, is a `UserError` with the last line of what it says.
    Signals that ask to stop end it, and are a `Stopped`. Pictures that are in `out` stay.
    """
    folders = {name: place / name for name in PLACES}
    form = Form("folders", "white" if polarity == "hole-white" else "black", truth=False)
    with writing(place):
        for old in ("images", "masks"):
            shutil.rmtree(folders[old], ignore_errors=True)
        folders["out"].mkdir(parents=True, exist_ok=True)
        total = 0
        for number, image, mask in pairs:
            save_pair(image, mask, number, place, form)
            total += 1
    command, bar = [_filled_in(word, folders) for word in words], (total, name)
    with (place / "stdout.log").open("wb") as out, (place / ERRORS).open("wb") as errors:
        code = _carry_out(command, folders["out"], out, errors, bar)
    if code:
        raise UserError(_failure(command[0], code, place / ERRORS))


def _carry_out(
    command: Sequence[str],
    pictures: Path,
    out: IO[bytes],
    errors: IO[bytes],
    bar: tuple[int, str | None],
) -> int:
    """Start a command, wait for its end, and return its exit code; `bar` is of the progress."""
    try:
        # A session of its own, so that all that it starts can be ended with it.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, start_new_session=True
        )
    except OSError as error:
        raise UserError(f"cannot start {command[0]}: {error.strerror}") from error
    try:
        with stop_requests() as request:
            _watch(process, request, pictures, *bar)
        if request.number:
            _signal(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            raise Stopped("stopped; the same command goes on with what is left", request.number)
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()
    return process.returncode


def _watch(
    process: subprocess.Popen[bytes],
    request: StopRequest,
    pictures: Path,
    total: int,
    name: str | None,
) -> None:
    """Show how many pictures there are, until a process ends or a signal asks to stop."""
    before = _count(pictures)
    with tqdm(total=total, desc=f"run {name}", unit="img", disable=name is None) as bar:
        ended = False
        while not ended and not request.number:
            ended = process.poll() is not None  # looked at first, so that the last count is whole
            bar.update(min(_count(pictures) - before, total) - bar.n)
            time.sleep(0 if ended else PAUSE)


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and all that it started, as far as it is there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _failure(program: str, code: int, errors: Path) -> str:
    """Return what a program failed with, in one line."""
    lines = errors.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{program} {how}{f': {said[-1][:LAST]}' if said else ''}"


def _filled_in(word: str, folders: dict[str, Path]) -> str:
    """Return a word of a command with the paths of its folders."""
    for name, folder in folders.items():
        word = word.replace(f"{{{name}}}", str(folder.absolute()))
    return word


def _read(file: Path, sides: Sequence[int]) -> Tensor:
    """Return the picture of a file as [3,H,W] in uint8; one of another size is a `UserError`."""
    pixels = outputs.read(file).pixels
    if pixels.shape[:2] != tuple(sides):
        raise UserError(f"{file.name} has {pixels.shape[:2]} pixels, not {tuple(sides)}")
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)
