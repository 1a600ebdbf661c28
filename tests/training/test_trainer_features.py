"""Other features of a Trainer: tuning, sanity checks, early stopping, and resuming with a loader that has a state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import BatchSizeFinder, EarlyStopping, LearningRateFinder, ModelCheckpoint
from lightning.pytorch.tuner.tuning import Tuner
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, ResumableLoader, Tiny, fit, largest_difference, make_loader, make_trainer


class Tuned(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.lr = 0.01
        self.batch_size = 4

    def train_dataloader(self) -> DataLoader[Any]:
        return make_loader(batch_size=self.batch_size)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def _mixed(module: Tiny) -> list[bool]:
    return [targets.ndim == 2 for _, targets in module.seen]


def _check_that_it_trains(trainer: pl.Trainer, module: Tiny) -> None:
    """Check that all batches of a fit are mixed, regardless of what came before."""
    module.seen.clear()
    trainer.fit(module)
    assert len(module.seen) > 0
    assert all(_mixed(module))


def test_learning_rates_are_searched_on_clean_batches(tmp_path: Path) -> None:
    module, trainer = Tuned(), make_trainer(CoMixup(seed=0), root=tmp_path)
    found = Tuner(trainer).lr_find(module, num_training=5, update_attr=False)
    assert found is not None
    assert len(found.results["loss"]) == 5
    assert not any(_mixed(module))
    _check_that_it_trains(trainer, module)


def test_batch_sizes_are_searched_on_clean_batches(tmp_path: Path) -> None:
    module, trainer = Tuned(), make_trainer(CoMixup(seed=0), root=tmp_path)
    found = Tuner(trainer).scale_batch_size(module, init_val=8, steps_per_trial=1, max_trials=2)
    assert module.batch_size == found
    assert len(module.seen) == 2
    assert not any(_mixed(module))
    _check_that_it_trains(trainer, module)


@pytest.mark.parametrize(
    "search", [LearningRateFinder(num_training_steps=5), BatchSizeFinder(steps_per_trial=1, max_trials=2)]
)
def test_searches_as_callbacks(search: pl.Callback, tmp_path: Path) -> None:
    module, trainer = Tuned(), make_trainer(CoMixup(seed=0), search, root=tmp_path)
    trainer.fit(module)
    mixed = _mixed(module)
    first = mixed.index(True)
    assert 0 < first < len(mixed) - 1
    assert all(mixed[first:])
    assert "training_step" not in vars(trainer.strategy)


class Validated(Tiny):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        assert batch[1].ndim == 1
        self.log("loss", self.comixup_loss(self(batch[0]), batch[1]))


def test_sanity_checks_and_validation_change_nothing() -> None:
    validated, plain = Validated(), Tiny()
    trainer = make_trainer(CoMixup(seed=0), num_sanity_val_steps=2, val_check_interval=2)
    trainer.fit(validated, make_loader(), make_loader())
    fit(plain)
    assert largest_difference(validated, plain) == 0


def test_should_stop_ends_the_run_immediately() -> None:
    class Stopping(Tiny):
        def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.trainer.should_stop = self.global_step >= 6

    stopped, whole, callback = Stopping(), Tiny(), CoMixup(seed=0)
    trainer = fit(stopped, callback, max_epochs=5)
    fit(whole)
    assert len(stopped.seen) == 6
    assert all(
        torch.equal(*pair) for pair in zip([b for b, _ in stopped.seen], [b for b, _ in whole.seen], strict=False)
    )
    assert "training_step" not in vars(trainer.strategy)
    assert callback.clean_targets is None


def test_early_stopping() -> None:
    module = Validated()
    trainer = make_trainer(CoMixup(seed=0), EarlyStopping("loss", patience=1, min_delta=1e9), max_epochs=9)
    trainer.fit(module, make_loader(), make_loader())
    assert trainer.current_epoch == 2
    assert all(_mixed(module))


def test_resuming_within_an_epoch_equals_an_uninterrupted_run(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_epochs": 3, "root": tmp_path}
    checkpoint = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    whole, resumed = Tiny(), Tiny()
    fit(whole, CoMixup(seed=4), checkpoint, loader=ResumableLoader(), enable_checkpointing=True, **settings)
    trainer = make_trainer(CoMixup(), **settings)
    trainer.fit(resumed, ResumableLoader(), ckpt_path=str(tmp_path / "step=7.ckpt"))
    assert len(resumed.seen) == 15 - 7
    for found, wanted in zip(resumed.seen, whole.seen[7:], strict=True):
        assert all(torch.equal(*pair) for pair in zip(found, wanted, strict=True))
    assert largest_difference(resumed, whole) == 0
    assert whole.seen[0][1].shape == (10, CLASSES)
