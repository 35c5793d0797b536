"""Pictures are written by threads, without loss, and inputs and truths once for all runs."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.core import sums
from bench.core.errors import UserError
from bench.core.run_folder import PairPictures
from bench.data.pairs import FrozenPairs
from bench.evaluation import album
from bench.evaluation.album import PictureWriter, save_inputs
from tests.bench.evaluation.test_evaluator import pairs

__all__ = ["pairs"]  # a fixture


def test_inputs_and_truths_are_saved_without_loss(pairs: FrozenPairs, tmp_path: Path) -> None:
    pictures = PairPictures(tmp_path / "own", tmp_path / "pairs" / "hash")
    save_inputs(pairs, {4, 7}, pictures)
    image, mask = (x[0].permute(1, 2, 0).numpy() for x in pairs.batch([4]))
    assert np.array_equal(np.asarray(Image.open(pictures.file(4, "truth"))), image)
    holed = np.where(mask == 1, image, 255)
    assert np.array_equal(np.asarray(Image.open(pictures.file(4, "input"))), holed)
    assert not pictures.own.exists()
    assert sums.damaged(pictures.shared) == {} and len(sums.read(pictures.shared)) == 4


def test_only_missing_and_damaged_inputs_are_saved(pairs: FrozenPairs, tmp_path: Path) -> None:
    pictures = PairPictures(tmp_path / "own", tmp_path / "pairs" / "hash")
    save_inputs(pairs, {1, 4}, pictures)
    old = {path: path.stat().st_mtime_ns for path in pictures.shared.glob("*.webp")}
    pictures.file(4, "input").write_bytes(b"damaged")
    save_inputs(pairs, {4, 7}, pictures)
    assert pictures.damaged_inputs([1, 4, 7]) == []
    changed = {path.name for path, time in old.items() if path.stat().st_mtime_ns != time}
    assert changed == {"00004_input.webp", "00004_truth.webp"}


@pytest.mark.parametrize("damage", [None, "no list"])
def test_without_their_sums_all_inputs_are_saved_again(
    pairs: FrozenPairs, tmp_path: Path, damage: str | None
) -> None:
    pictures = PairPictures(tmp_path / "own", tmp_path / "pairs" / "hash")
    save_inputs(pairs, {1}, pictures)
    (pictures.shared / sums.FILE).unlink()
    if damage:
        (pictures.shared / sums.FILE).write_text(damage)
    pictures.file(1, "truth").write_bytes(b"damaged")
    save_inputs(pairs, {1}, pictures)
    assert pictures.damaged_inputs([1]) == []


def test_a_picture_that_cannot_be_written_is_an_error_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*p\.webp"), PictureWriter() as writer:
        writer.save(tmp_path / "file" / "p.webp", torch.zeros(3, 4, 4))
        for k in range(3):
            writer.save(tmp_path / f"{k}.webp", torch.zeros(3, 4, 4))


def test_few_pictures_wait_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, started = threading.Event(), []

    def write(path: Path, pixels: object) -> None:
        started.append(path)
        gate.wait(10)

    monkeypatch.setattr(album, "_write", write)
    monkeypatch.setattr(album, "WAITING", 3)
    with PictureWriter() as writer:
        producer = threading.Thread(
            target=lambda: [writer.save(Path(str(k)), torch.zeros(3, 4, 4)) for k in range(9)]
        )
        producer.start()
        producer.join(0.2)
        assert producer.is_alive() and len(writer._waiting) == 2
        gate.set()
        producer.join()
    assert len(started) == 9
