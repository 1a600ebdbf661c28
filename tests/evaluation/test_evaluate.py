"""From a real training run to the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from lightning.pytorch.loggers import CSVLogger
from matplotlib.image import imread

from examples.evaluate import main
from tests.evaluation.digits import MEAN, STD, Digits, Lit, write_boxes

_EPOCHS = 6


def _train(folder: Path) -> dict[str, float]:
    """Leave checkpoint, log and boxes in the folder, and return what the Trainer measured."""
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


def test_the_report_of_a_trained_network(tmp_path: Path, capsys: Any) -> None:
    folder, metrics = tmp_path, _train(tmp_path)
    log = ["--log", str(folder / "metrics.csv"), "--log_metric", "val_acc"]
    report = _evaluate(folder, "--boxes", str(folder / "boxes.csv"), *log, "--data.batch_size", "64")
    top1 = report["accuracy"]["top-1"]
    assert top1 == pytest.approx(metrics["val_acc"])
    print(json.dumps(report, indent=1))
