"""Other things that users' modules, loaders and scripts do."""

from __future__ import annotations

import copy
import pickle
from collections import UserDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Items, Plain, Tiny, fit, largest_difference, make_loader, make_trainer


def _as_tuple(items: list[Any]) -> tuple[Tensor, Tensor]:
    return torch.stack([item[0] for item in items]), torch.stack([item[1] for item in items])


def test_every_call_of_a_closure_gets_the_mixed_batch() -> None:
    class SecondOrder(Tiny):
        def configure_optimizers(self) -> Any:
            return torch.optim.LBFGS(self.parameters(), lr=0.01, max_iter=3)

    module = SecondOrder()
    loader = DataLoader(Items(lambda x, y: (x, y)), batch_size=10, collate_fn=_as_tuple)
    fit(module, CoMixup(seed=0, clean_weight=0), loader=loader, max_epochs=1)
    assert len(module.seen) > 4
    assert all(targets.shape == (10, CLASSES) for _, targets in module.seen)


def test_layers_that_are_frozen_within_the_step_do_not_change() -> None:
    class Freezing(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.network[0].requires_grad_(False)
            return super().training_step(batch, batch_idx)

    module = Freezing()
    start = copy.deepcopy(module)
    fit(module, max_epochs=1)
    assert torch.equal(module.network[0].weight, start.network[0].weight)
    assert not torch.equal(module.network[4].weight, start.network[4].weight)


def test_layers_that_are_thawed_too_late_are_reported() -> None:
    class Thawing(Tiny):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            self.network[0].requires_grad_(True)

    module = Thawing()
    module.network[0].requires_grad_(False)
    with pytest.raises(RuntimeError, match="Parameters must be thawed before the clean pass"):
        fit(module)


class Encoded(UserDict[str, Any]):
    """Moves itself to a device, and returns itself."""

    def to(self, device: Any, **settings: Any) -> Encoded:
        self.data = {name: value.to(device) for name, value in self.data.items()}
        return self


class Ready:
    """A loader over batches that are created once."""

    def __init__(self, kind: type[Any]) -> None:
        self.batches = [kind({"x": inputs, "y": targets}) for inputs, targets in make_loader()]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


class Moving(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return super().training_step((batch["x"], batch["y"]), batch_idx)


class MovingInPlace(Moving):
    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        batch["x"] = batch["x"].to(device)
        return batch


@pytest.mark.parametrize(("module_type", "kind"), [(Moving, Encoded), (MovingInPlace, dict)])
def test_the_users_own_batches_are_not_changed(module_type: type[Tiny], kind: type[Any]) -> None:
    loader, module, expected = Ready(kind), module_type(), Tiny()
    fit(module, CoMixup(seed=0, input_key="x", target_key="y"), loader=loader)
    for batch, (inputs, targets) in zip(loader.batches, make_loader(), strict=True):
        assert torch.equal(batch["x"], inputs)
        assert torch.equal(batch["y"], targets)
    fit(expected)
    assert largest_difference(module, expected) == 0


def test_a_learned_transfer_is_refused() -> None:
    class Scaling(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            return [batch[0] * self.scale, batch[1]]

    with pytest.raises(ValueError, match="must not require a gradient"):
        fit(Scaling())


def test_the_modules_own_backward_scales_both_losses() -> None:
    class Scaled(Tiny):
        def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
            (loss * 0.1).backward()

    module = Scaled()
    start = copy.deepcopy(module)
    fit(module, max_epochs=1)
    optimizer = start.configure_optimizers()
    for (inputs, targets), (mixed, soft) in zip(make_loader(), module.seen, strict=True):
        optimizer.zero_grad()
        (start.comixup_clean_loss(inputs, targets) * 0.1).backward()
        (start.comixup_loss(start(mixed), soft) * 0.1).backward()
        optimizer.step()
    assert largest_difference(module, start) == 0


class Pickling(CoMixup):
    def on_before_backward(self, *args: Any) -> None:
        super().on_before_backward(*args)
        restored = pickle.loads(pickle.dumps(self))
        assert restored.clean_targets is None
        assert restored._config == self._config


def test_a_callback_among_the_hyper_parameters_can_be_saved(tmp_path: Path) -> None:
    class Keeping(Tiny):
        def __init__(self, mixer: CoMixup) -> None:
            super().__init__()
            self.save_hyperparameters()

    callback = Pickling(seed=0)
    checkpoint = ModelCheckpoint(tmp_path, every_n_train_steps=1)
    fit(Keeping(callback), callback, checkpoint, root=tmp_path, enable_checkpointing=True)
    assert list(tmp_path.glob("*.ckpt"))


def test_each_run_has_its_own_seed_from_seed_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    callback = CoMixup()
    for seed in ("1", "2"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        fit(Tiny(), callback, max_epochs=1)
        assert callback.seed == int(seed)


def test_a_checkpoint_without_a_seed_does_not_change_the_seed(tmp_path: Path) -> None:
    """A Trainer that has only validated saves such a checkpoint."""

    class Validated(Tiny):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            pass

    trainer = make_trainer(CoMixup(), root=tmp_path)
    trainer.validate(Validated(), make_loader(), verbose=False)
    trainer.save_checkpoint(tmp_path / "validated.ckpt")
    callback = CoMixup(seed=4)
    make_trainer(callback, root=tmp_path).fit(Tiny(), make_loader(), ckpt_path=str(tmp_path / "validated.ckpt"))
    assert callback.seed == 4


class Tagged(Tensor):
    """A tensor class to which a library added attributes and methods."""


class Measured(Plain):
    """Records the classes of the tensors in its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.accuracy = MulticlassAccuracy(CLASSES, average="micro")
        self.kinds: set[type] = set()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.kinds |= {type(part) for part in batch}
        logits = self(batch[0])
        self.accuracy(logits, batch[1])
        self.log("accuracy", self.accuracy, on_step=False, on_epoch=True)
        return torch.nn.functional.cross_entropy(logits, batch[1])


def _as_tagged(part: Tensor) -> Tagged:
    return part.as_subclass(Tagged)


def _fit_measured(collate: Any, **settings: Any) -> tuple[Measured, float]:
    module = Measured()
    loader = DataLoader(Items(lambda inputs, target: (inputs, target)), batch_size=10, collate_fn=collate)
    trainer = fit(module, CoMixup(seed=0, **settings), loader=loader)
    return module, float(trainer.callback_metrics["accuracy"])


def _tagged(items: Any) -> list[Tensor]:
    return [_as_tagged(part) for part in torch.utils.data.default_collate(items)]


def _mean_square(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    return inputs.square().mean(1)


def test_tensors_of_a_librarys_own_class_are_mixed_like_others() -> None:
    for settings in ({}, {"clean_weight": 0, "saliency": _mean_square, "num_classes": CLASSES}):
        plain, accuracy = _fit_measured(None, **settings)
        tagged, other_accuracy = _fit_measured(_tagged, **settings)
        assert largest_difference(plain, tagged) == 0
        assert accuracy == other_accuracy
        assert tagged.kinds == {Tagged}
