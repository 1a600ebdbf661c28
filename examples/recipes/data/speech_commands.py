"""Speech Commands: one-second recordings of spoken words (Warden, 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from examples.recipes.data.image_folders import check_number_of_classes
from examples.recipes.data.loaders import SplitDataModule, Splits
from examples.recipes.data.spectrogram import log_spectrogram
from examples.recipes.data.wav import of_length, read_wav

Representation = Literal["spectrogram", "waveform"]

_RATE = 16000  # Hz
_LENGTH = 16000  # samples: one second


class Lists(NamedTuple):
    """The recordings of each split, as paths WORD/FILE.wav."""

    train: list[str]
    validation: list[str]
    test: list[str]


class Recordings(Dataset[tuple[Tensor, int]]):
    """Recordings, each with the index of its word."""

    def __init__(
        self, folder: Path, names: Sequence[str], words: Sequence[str], representation: Representation
    ) -> None:
        """Store the paths of the recordings.

        Args:
            folder: Folder that contains the words' folders.
            names: The recordings, WORD/FILE.wav.
            words: The classes.
            representation: Form of the inputs, a spectrogram (1, 160, 101) or the signal (1, 16000).
        """
        self.folder, self.names, self.representation = folder, list(names), representation
        self.indices = {word: index for index, word in enumerate(words)}

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Read a recording."""
        name = self.names[index]
        signal = torch.from_numpy(of_length(read_wav(self.folder / name, _RATE), _LENGTH))
        inputs = log_spectrogram(signal) if self.representation == "spectrogram" else signal.unsqueeze(0)
        return inputs, self.indices[word_of(name)]


class SpeechCommands(SplitDataModule):
    """The official split by the two lists in the folder. All recordings that are in neither are for training."""

    def __init__(
        self,
        folder: Path,
        representation: Representation = "spectrogram",
        num_classes: int = 35,
        batch_size: int = 100,
        workers: int = 4,
    ) -> None:
        """Store the settings.

        Args:
            folder: Folder that contains one folder per word, validation_list.txt and testing_list.txt.
            representation: Form of the inputs, a spectrogram (1, 160, 101) or the signal (1, 16000).
            num_classes: Number of words, which is 35 in version 0.02 and 30 in version 0.01.
            batch_size: Recordings per batch and device.
            workers: Number of loading processes.
        """
        super().__init__(num_classes, batch_size, workers)
        self.folder: Path = Path(folder)
        self.representation: Representation = representation

    def make_splits(self) -> Splits:
        """List the recordings."""
        lists = list_recordings(self.folder)
        words = sorted({word_of(name) for name in lists.train})
        check_number_of_classes(self.folder, len(words), self.num_classes)
        return Splits(*(Recordings(self.folder, names, words, self.representation) for names in lists))


def list_recordings(folder: Path) -> Lists:
    """Return the official split, without folders that begin with an underscore, such as the background noise.

    Raises:
        FileNotFoundError: If a list is missing.
    """
    validation, test = (_read_list(folder / f"{name}_list.txt") for name in ("validation", "testing"))
    held_out = {*validation, *test}
    found = sorted(f"{path.parent.name}/{path.name}" for path in folder.glob("[!_]*/*.wav"))
    return Lists([name for name in found if name not in held_out], validation, test)


def word_of(name: str) -> str:
    """Return the word of WORD/FILE.wav."""
    return name.partition("/")[0]


def _read_list(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"The folder must contain {path.name}, found no {path}. Unpack the whole archive.")
    return path.read_text(encoding="utf-8").split()
