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
    "comixup/over_capacity_share",
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
    assert float(metrics["comixup/over_capacity_share"]) == 0
    assert 1 <= float(metrics["comixup/inputs_per_output"]) <= 4


def test_logging_can_be_switched_off() -> None:
    assert not fit(Tiny(), CoMixup(seed=0, log=False)).callback_metrics


def test_loggers_get_it(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    fit(Tiny(), logger=logger, log_every_n_steps=1)
    header = (Path(logger.log_dir) / "metrics.csv").read_text().splitlines()[0]
    assert set(header.split(",")) >= _NAMES


class _Counted(Tiny):
    """Records the batches at which something is logged."""

    def on_train_start(self) -> None:
        self.logged: list[tuple[int, int]] = []

    def log_dict(self, *arguments: Any, **settings: Any) -> None:
        self.logged.append((self.current_epoch, self.trainer.fit_loop.epoch_loop.batch_idx))
        super().log_dict(*arguments, **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"log_every_n_steps": 1}, [(epoch, batch) for epoch in (0, 1) for batch in range(4)]),
        # Steps 3 and 6 of 8, the first step of the run, and the last step of each epoch.
        ({"log_every_n_steps": 3}, [(0, 0), (0, 2), (0, 3), (1, 1), (1, 3)]),
        ({"log_every_n_steps": 100}, [(0, 0), (0, 3), (1, 3)]),
        # The second step consists of batches 2 and 3, and Lightning records at its end.
        ({"log_every_n_steps": 2, "accumulate_grad_batches": 2}, [(0, 0), (0, 2), (0, 3), (1, 2), (1, 3)]),
    ],
    ids=str,
)
def test_little_more_is_logged_than_loggers_record(
    settings: dict[str, int], expected: list[tuple[int, int]], tmp_path: Path
) -> None:
    module = _Counted()
    logger = CSVLogger(tmp_path)
    fit(module, logger=logger, **settings)
    assert module.logged == expected
    rows = (
        (Path(logger.log_dir) / "metrics.csv").read_text().splitlines()[1:] if settings["log_every_n_steps"] < 9 else []
    )
    assert len(rows) == 8 // settings.get("accumulate_grad_batches", 1) // settings["log_every_n_steps"]


def test_the_first_mixed_batch_is_logged_if_earlier_ones_are_not_mixed() -> None:
    module = _Counted()
    fit(module, CoMixup(seed=0, start_epoch=1))
    assert module.logged == [(1, 0), (1, 3)]


def test_every_mixed_batch_is_logged_if_only_a_share_is_mixed() -> None:
    module, callback = _Counted(), CoMixup(seed=0, prob=0.5)
    fit(module, callback, max_epochs=3, log_every_n_steps=100)
    mixed = [index for index, (_, targets) in enumerate(module.seen) if targets.ndim == 2]
    assert 2 < len(mixed) < 11
    assert [4 * epoch + batch for epoch, batch in module.logged] == mixed


def test_the_last_step_of_a_run_that_ends_within_an_epoch_is_logged() -> None:
    module = _Counted()
    fit(module, max_steps=6, max_epochs=-1)
    assert module.logged == [(0, 0), (0, 3), (1, 1)]


def test_each_run_logs_its_first_step() -> None:
    module, callback = _Counted(), CoMixup(seed=0)
    for _ in range(2):
        fit(module, callback, max_epochs=1, log_every_n_steps=0)
        assert module.logged == [(0, 0), (0, 3)]


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
