"""The example that the README begins with, in small."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.data import TensorDataset

from examples.digits import load_images, main, with_wrong_labels

_LOGGERS = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]


@pytest.fixture
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what the process prepares for training, and the seeds."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "")
    threads, levels = torch.get_num_threads(), [logger.level for logger in _LOGGERS]
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)
    for logger, level in zip(_LOGGERS, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.slow
@pytest.mark.usefixtures("as_it_was")
def test_it_trains_both_ways_prints_a_table_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "digits.png"
    main(["--seeds", "1", "--epochs", "1", "--train-images", "100", "--picture", str(picture)])
    printed = capsys.readouterr()
    assert all(word in printed.out for word in ("none", "Co-Mixup", "accuracy %", "Trained on 100 images"))
    assert printed.err == ""
    assert picture.read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize(
    "wrong",
    [["--seeds", "0"], ["--epochs", "x"], ["--train-images", "19"], ["--wrong-labels", "2"], ["--picture", "a.jpg"]],
)
def test_wrong_options_are_refused_before_the_training(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(wrong)
    assert f"argument {wrong[0]}: must be" in capsys.readouterr().err


def test_a_share_of_the_labels_is_replaced() -> None:
    images, labels = load_images()
    changed = with_wrong_labels(TensorDataset(images, labels), 0.5, seed=0).tensors[1]
    assert float((changed != labels).float().mean()) == pytest.approx(0.45, abs=0.05)  # a tenth is right by chance
    assert torch.equal(with_wrong_labels(TensorDataset(images, labels), 0.0, seed=0).tensors[1], labels)
