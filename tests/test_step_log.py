from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.nn import functional as F

from lightning_comixup import CoMixup
from tests.tiny import Tiny, fit, make_loader, make_network

_NAMES = {
    "comixup/clean_loss",
    "comixup/clean_accuracy",
    "comixup/energy",
    "comixup/inputs_per_output",
    "comixup/proven_share",
    "comixup/saliency_ms",
    "comixup/labeling_ms",
    "comixup/mixing_ms",
}


def test_the_step_is_logged() -> None:
    trainer = fit(Tiny(), loader=make_loader(16), max_epochs=1)
    metrics = trainer.callback_metrics
    assert set(metrics) == _NAMES
    network = make_network()
    inputs, targets = next(iter(make_loader(16)))
    logits = network(inputs)
    torch.testing.assert_close(metrics["comixup/clean_loss"], F.cross_entropy(logits, targets))
    assert float(metrics["comixup/clean_accuracy"]) == float((logits.argmax(1) == targets).float().mean())
    assert float(metrics["comixup/proven_share"]) == 1
    assert 1 <= float(metrics["comixup/inputs_per_output"]) <= 4


def test_logging_can_be_switched_off() -> None:
    assert not fit(Tiny(), CoMixup(seed=0, log=False)).callback_metrics


def test_loggers_get_it(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    fit(Tiny(), logger=logger, log_every_n_steps=1)
    header = (Path(logger.log_dir) / "metrics.csv").read_text().splitlines()[0]
    assert set(header.split(",")) >= _NAMES


@pytest.mark.parametrize(
    "settings",
    [
        {"fast_dev_run": True},
        {"overfit_batches": 2},
        {"limit_train_batches": 0.5},
        {"barebones": True, "logger": None, "enable_checkpointing": None, "enable_progress_bar": None},
        {"max_steps": 3, "max_epochs": -1},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_trainer_settings(settings: dict[str, Any]) -> None:
    if "barebones" in settings:
        settings = settings | {"enable_model_summary": None}
    module = Tiny()
    fit(module, **settings)
    assert module.seen
    assert all(targets.ndim == 2 for _, targets in module.seen)
