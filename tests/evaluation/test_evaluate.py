"""The whole evaluation, from a real training run to the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from matplotlib.image import imread

from examples.evaluate import main
from tests.evaluation.digits import MEAN, STD, Digits, Lit, write_boxes

_EPOCHS = 6


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Use one thread. With more, sums in another order would change the trained network and the measurements."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _train(folder: Path) -> dict[str, float]:
    """Train, leave a checkpoint, a log and boxes in the folder, and return the Trainer's metrics."""
    L.seed_everything(0, verbose=False)
    trainer = L.Trainer(
        max_epochs=_EPOCHS,
        accelerator="cpu",
        logger=CSVLogger(folder, name="", version=""),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(Lit(width=8), Digits())
    trainer.save_checkpoint(folder / "last.ckpt")
    write_boxes(folder / "boxes.csv")
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _evaluate(folder: Path, *more: str) -> dict[str, Any]:
    arguments = ["--module", "tests.evaluation.digits.Lit", "--checkpoint", str(folder / "last.ckpt")]
    arguments += ["--data", "tests.evaluation.digits.Digits", f"--mean=[{MEAN}]", f"--std=[{STD}]", "--device=cpu"]
    main([*arguments, "--output", str(folder / "evaluation"), *more])
    return json.loads((folder / "evaluation" / "report.json").read_text(encoding="utf-8"))


def test_the_report_of_a_trained_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = _train(tmp_path)
    capsys.readouterr()
    boxes, log = str(tmp_path / "boxes.csv"), str(tmp_path / "metrics.csv")
    report = _evaluate(tmp_path, "--boxes", boxes, "--log", log, "--data.batch_size", "64")

    top1 = report["accuracy"]["top-1"]
    assert top1 == pytest.approx(metrics["val_acc"])
    assert 0.5 < top1 < report["accuracy"]["top-5"]
    assert list(report["calibration error"]) == ["10 bins", "15 bins", "20 bins"]
    assert all(0 < error < 0.5 for error in report["calibration error"].values())

    localization = report["localization"]
    assert (localization["layer"], localization["top-1"]) == ("trunk", pytest.approx(top1))
    by_chance = 0.3  # a box of the whole image never fits, because the digit is only 16² / 28² of it
    assert by_chance < localization["accuracy"] <= localization["accuracy, unclamped IoU"] <= top1

    robustness = report["robustness (top-1)"]
    little, more, most = (robustness[f"Gaussian noise, std {deviation}"] for deviation in (0.05, 0.1, 0.2))
    assert top1 > little > more > most
    assert robustness["FGSM, ε 8/255"] < top1 - 0.3
    assert robustness["images with boxes, unchanged"] == pytest.approx(top1)
    assert robustness["background: another image"] < top1

    assert report["training log: val_acc"] == {"last": pytest.approx(top1), "median": ANY, "epochs": _EPOCHS}
    printed = capsys.readouterr().out
    assert f"{top1:.2%}" in printed
    assert f"{localization['accuracy']:.2%}" in printed
    for name in ("reliability", "localization", "robustness"):
        assert imread(tmp_path / "evaluation" / f"{name}.png").std() > 0.05  # the picture is not blank


def test_without_boxes_or_log(tmp_path: Path) -> None:
    torch.save(Lit(width=2).state_dict(), tmp_path / "last.ckpt")
    report = _evaluate(tmp_path, "--module", "tests.evaluation.test_evaluate.load", "--noise=[]", "--bins=[5]")
    assert list(report) == ["images", "accuracy", "calibration error", "robustness (top-1)"]
    assert list(report["robustness (top-1)"]) == ["FGSM, ε 8/255"]
    assert not (tmp_path / "evaluation" / "localization.png").exists()


def load(checkpoint: Path) -> Lit:
    module = Lit(width=2)
    module.load_state_dict(torch.load(checkpoint, weights_only=True))
    return module
