"""The readers of IDX files, sound files and lists of recordings, and the spectrogram."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.idx import read_idx
from examples.recipes.data.fashion_mnist import FashionMNIST, choose_per_class
from examples.recipes.data.spectrogram import log_spectrogram
from examples.recipes.data.speech_commands import SpeechCommands, list_recordings
from examples.recipes.data.wav import of_length, read_wav
from tests.recipes.layouts import RATE, draws, write_fashion_mnist, write_idx, write_speech_commands, write_wav


@pytest.mark.parametrize("is_packed", [True, False])
def test_idx(is_packed: bool, tmp_path: Path) -> None:
    values = draws().integers(0, 256, (3, 4, 5))
    packed = tmp_path / "images.gz"
    write_idx(packed, values)
    if not is_packed:
        (tmp_path / "images").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    assert np.array_equal(read_idx(tmp_path / "images"), values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "IDX file of unsigned bytes"),
        (bytes((0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0)), "IDX file of unsigned bytes"),  # a file of floats
        (bytes((0, 0, 8, 1, 0, 0, 0, 2, 7)), "must contain 2 values, found 1"),
        (bytes((0, 0, 8, 2, 0, 0)), "header of 12 bytes, found 6"),
    ],
)
def test_broken_idx(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "labels")


def test_missing_idx(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"labels or labels\.gz"):
        read_idx(tmp_path / "labels")


def test_few_labels(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path)
    data = FashionMNIST(tmp_path, labels_per_class=2, batch_size=20)
    data.setup("fit")
    ((images, labels),) = data.train_dataloader()
    assert images.shape == (20, 1, 28, 28)
    assert labels.bincount().tolist() == [2] * 10
    brightest = read_idx(tmp_path / "train-images-idx3-ubyte").max()
    assert images.max() <= (brightest / 255 - 0.2860) / 0.3530 + 1e-6
    ((images, labels),) = data.val_dataloader()
    assert labels.tolist() == list(range(10))


def test_the_choice_of_labels() -> None:
    labels = np.repeat(np.arange(10, dtype=np.uint8), 5)
    chosen = choose_per_class(labels, 3, np.random.default_rng(0))
    assert np.array_equal(np.bincount(labels[chosen]), [3] * 10)
    assert np.array_equal(chosen, np.unique(chosen))
    assert not np.array_equal(chosen, choose_per_class(labels, 3, np.random.default_rng(1)))
    for count in (0, 6):
        with pytest.raises(ValueError, match=f"from 1 to 5 for class 0, found {count}"):
            choose_per_class(labels, count, np.random.default_rng(0))


def test_wav(tmp_path: Path) -> None:
    write_wav(tmp_path / "sound.wav", np.array([0, 16384, -32768]))
    assert read_wav(tmp_path / "sound.wav", RATE).tolist() == [0.0, 0.5, -1.0]
    write_wav(tmp_path / "stereo.wav", np.zeros(4), rate=8000, channels=2)
    with pytest.raises(ValueError, match="must have 1 channel, 2 bytes per sample and 16000 Hz, found 2, 2 and 8000"):
        read_wav(tmp_path / "stereo.wav", RATE)


def test_length() -> None:
    signal = np.array([1, 2, 3], dtype=np.float32)
    assert of_length(signal, 5).tolist() == [1, 2, 3, 0, 0]
    assert of_length(signal, 2).tolist() == [1, 2]


def test_spectrogram_of_a_tone() -> None:
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(RATE) / RATE)
    spectrogram = log_spectrogram(tone)
    assert spectrogram.shape == (1, 160, 101)
    assert bool((spectrogram[0, :, 5:-5].argmax(0) == 20).all())  # 1000 Hz in bins of 50 Hz
    assert abs(float(spectrogram.mean())) < 1e-4
    assert float(spectrogram.std()) == pytest.approx(1, abs=1e-4)
    assert bool((log_spectrogram(torch.zeros(RATE)) == 0).all())


def test_the_split_of_recordings(tmp_path: Path) -> None:
    write_speech_commands(tmp_path)
    lists = list_recordings(tmp_path)
    assert [len(names) for names in lists] == [18, 3, 3]
    assert sorted([*lists.train, *lists.validation, *lists.test]) == sorted(
        f"{word}/{index}_nohash_0.wav" for word in ("bed", "down", "up") for index in range(8)
    )
    assert lists.test == [f"{word}/7_nohash_0.wav" for word in ("bed", "down", "up")]
    (tmp_path / "testing_list.txt").unlink()
    with pytest.raises(FileNotFoundError, match="testing_list"):
        list_recordings(tmp_path)


@pytest.mark.parametrize(("representation", "shape"), [("spectrogram", (1, 160, 101)), ("waveform", (1, 16000))])
def test_recordings(representation: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    write_speech_commands(tmp_path)
    data = SpeechCommands(tmp_path, representation, num_classes=3, batch_size=3, workers=0)  # type: ignore[arg-type]
    data.setup("fit")
    ((inputs, targets),) = data.test_dataloader()
    assert inputs.shape == (3, *shape)
    assert targets.tolist() == [0, 1, 2]
    data = SpeechCommands(tmp_path, num_classes=35)
    with pytest.raises(ValueError, match="num_classes=35 classes, found 3"):
        data.setup("fit")
