from __future__ import annotations

from pathlib import Path

import pytest

from examples.evaluation.training_log import LastEpochs, read_last_epochs


def _write(path: Path, epochs: int) -> Path:
    """Write a log like Lightning's, with alternating rows for training and validation, and gaps."""
    lines = ["epoch,step,train_loss,val_acc"]
    for epoch in range(epochs):
        lines += [f"{epoch},{2 * epoch},0.5,", f"{epoch},{2 * epoch + 1},,{epoch**2}"]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_median_of_the_last_ten(tmp_path: Path) -> None:
    # Of the values of epochs 2 to 11, the middle two are 36 and 49.
    assert read_last_epochs(_write(tmp_path / "metrics.csv", 12), "val_acc") == LastEpochs(121, 42.5, 10)


def test_a_short_run(tmp_path: Path) -> None:
    assert read_last_epochs(_write(tmp_path / "metrics.csv", 3), "val_acc") == LastEpochs(4, 1, 3)


def test_the_last_value_of_an_epoch_counts(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,acc\n0,5\n0,7\n1,3\n1,9\n", encoding="utf-8")
    assert read_last_epochs(path, "acc") == LastEpochs(9, 8, 2)


def test_missing_columns_and_values(tmp_path: Path) -> None:
    path = _write(tmp_path / "metrics.csv", 2)
    with pytest.raises(ValueError, match="columns epoch and test_acc, found epoch, step, train_loss, val_acc"):
        read_last_epochs(path, "test_acc")
    path.write_text("epoch,acc\n0,\n", encoding="utf-8")
    with pytest.raises(ValueError, match="acc must have values"):
        read_last_epochs(path, "acc")
