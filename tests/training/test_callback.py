from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from lightning_comixup.planning import NonFiniteSaliencyError
from tests.tiny import CLASSES, Items, Listed, Plain, Tiny, fit, is_clean_pass, make_data, make_loader, make_trainer


def test_a_module_without_the_mixin() -> None:
    module = Plain()
    fit(module)
    assert all(targets.shape[1] == CLASSES for targets in module.targets_seen)


class NoForward(Tiny):
    """Has its own clean loss, whose calls do not show the number of classes."""

    def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return self.network(inputs).square().mean()


def test_number_of_classes_from_argument_losses_or_soft_targets() -> None:
    with pytest.raises(ValueError, match="num_classes must be given"):
        fit(NoForward())
    module = NoForward()
    fit(module, CoMixup(seed=0, num_classes=CLASSES))
    assert module.seen[0][1].shape == (16, CLASSES)
    inputs, targets = make_data(20)
    soft = NoForward()
    loader = DataLoader(Listed(inputs, F.one_hot(targets, CLASSES).float()), batch_size=10)
    fit(soft, loader=loader)
    assert soft.seen[0][1].shape == (10, CLASSES)


def _is_mixed(targets: Tensor) -> bool:
    return targets.ndim == 2


def test_epochs_outside_the_range_are_left_alone() -> None:
    module = Tiny()
    fit(module, CoMixup(seed=0, start_epoch=1, stop_epoch=3), max_epochs=4)
    assert [_is_mixed(targets) for _, targets in module.seen] == [False] * 4 + [True] * 8 + [False] * 4


def test_share_of_the_batches() -> None:
    module = Tiny()
    fit(module, CoMixup(seed=0, prob=0.3), max_epochs=25)
    mixed = [_is_mixed(targets) for _, targets in module.seen]
    assert 15 <= sum(mixed) <= 45
    never = Tiny()
    fit(never, CoMixup(seed=0, prob=0))
    assert not any(_is_mixed(targets) for _, targets in never.seen)


def test_the_clean_targets_of_the_current_batch_are_available() -> None:
    class Metered(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            callback: CoMixup = self.trainer.callbacks[0]  # type: ignore[attr-defined]
            clean = make_data()[1][16 * batch_idx : 16 * batch_idx + 16]
            found = callback.clean_targets
            assert found is None if batch[1].ndim == 1 else found is not None and torch.equal(found, clean)
            return super().training_step(batch, batch_idx)

    callback = CoMixup(seed=0, prob=0.5)
    module = Metered()
    fit(module, callback, max_epochs=4)
    assert 0 < sum(_is_mixed(targets) for _, targets in module.seen) < 16
    assert callback.clean_targets is None


def test_the_number_of_classes_is_not_read_from_features() -> None:
    class Featured(Tiny):
        def forward(self, inputs: Tensor) -> Tensor:
            features: Tensor = self.network[:4](inputs)
            return features

        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            return F.cross_entropy(self.network[4](self(inputs)), targets)

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            self.seen.append(batch)
            return F.cross_entropy(self.network[4](self(batch[0])), batch[1])

    module = Featured()
    fit(module)
    assert all(targets.shape[1] == CLASSES for _, targets in module.seen)


def test_two_callbacks_are_refused() -> None:
    class Own(CoMixup):
        pass

    for other in (CoMixup(), Own()):
        with pytest.raises(ValueError, match="A Trainer must have one CoMixup callback, found 2"):
            fit(Tiny(), CoMixup(), other)


def test_steps_that_fetch_their_batches_are_refused() -> None:
    class Fetching(Plain):
        def training_step(self, dataloader_iter: Any) -> Tensor:  # type: ignore[override]
            batch, _, _ = next(dataloader_iter)
            return F.cross_entropy(self(batch[0]), batch[1])

    with pytest.raises(ValueError, match=r"found training_step\(dataloader_iter\)"):
        fit(Fetching())


class Poisoned(Tiny):
    """Puts a NaN in its second batch."""

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        self.count = getattr(self, "count", 0) + 1
        inputs, targets = batch
        return [inputs.clone().index_fill_(0, torch.tensor([1]), float("nan")) if self.count == 2 else inputs, targets]


def test_a_non_finite_saliency_raises_by_default() -> None:
    with pytest.raises(NonFiniteSaliencyError, match="saliency must be finite"):
        fit(Poisoned())


def test_a_non_finite_saliency_can_leave_the_batch_unmixed() -> None:
    module = Poisoned(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, CLASSES)))

    def nan_safe_step(batch: Any, batch_idx: int) -> Any:
        loss = Tiny.training_step(module, batch, batch_idx)
        return None if bool(loss.isnan()) and not is_clean_pass(module) else loss

    module.training_step = nan_safe_step  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match="rank 0 leaves this batch unmixed"):
        fit(module, CoMixup(seed=0, on_nonfinite="skip"), max_epochs=1)
    inputs, targets = module.seen[1]
    assert bool(inputs.isnan().any())
    assert torch.equal(targets, F.one_hot(make_data()[1][16:32], CLASSES).float()), "rows, as in mixed batches"
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())


class Raising(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if batch_idx == 1:
            raise RuntimeError("user code")
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize("module_type", [Raising, Tiny])
def test_nothing_stays_wrapped(module_type: type[Tiny]) -> None:
    module = module_type()
    trainer = make_trainer(CoMixup(seed=0))
    loader = DataLoader(Items(lambda x, y: (x, y)), batch_size=5)
    if module_type is Raising:
        with pytest.raises(RuntimeError, match="user code"):
            trainer.fit(module, loader)
    else:
        trainer.fit(module, loader)
    assert "training_step" not in vars(trainer.strategy)
    assert not module._forward_hooks


@pytest.mark.parametrize("settings", [{"clean_weight": 0.0}, {"clean_gradient": "backward"}, {}])
def test_an_exception_in_the_clean_pass_changes_no_modes_gradients_or_hooks(settings: dict[str, Any]) -> None:
    class Raises(Tiny):
        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            if len(self.seen) == 1:
                raise RuntimeError("user code")
            return super().comixup_clean_loss(inputs, targets)

        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            self.network[1].eval()

    module: Any = Raises()
    with pytest.raises(RuntimeError, match="user code"):
        fit(module, CoMixup(seed=0, num_classes=CLASSES, **settings), accumulate_grad_batches=3)
    assert [part.training for part in module.network] == [True, False, True, True, True]
    assert all(parameter.grad is not None for parameter in module.parameters())
    assert not module._forward_hooks


def test_fitting_twice() -> None:
    callback, module = CoMixup(seed=0), Tiny()
    fit(module, callback, max_epochs=1)
    fit(module, callback, max_epochs=1)
    assert [_is_mixed(targets) for _, targets in module.seen] == [True] * 8


def test_validation_gets_its_own_batches() -> None:
    class Validated(Tiny):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            assert batch[1].ndim == 1
            self.comixup_loss(self(batch[0]), batch[1])

    trainer = make_trainer(CoMixup(seed=0), val_check_interval=2)
    trainer.fit(Validated(), make_loader(), make_loader())


class Watching(pl.Callback):
    """Records whether the batches in its hooks are mixed."""

    def __init__(self) -> None:
        self.at_start: list[bool] = []
        self.at_end: list[bool] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.at_start.append(_is_mixed(batch[1]))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.at_end.append(_is_mixed(batch[1]))


@pytest.mark.parametrize("can_change", [True, False])
def test_batches_in_the_hooks_of_other_callbacks_and_the_module(can_change: bool) -> None:
    class Hooked(Tiny):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            assert _is_mixed(batch[1]) == can_change

        def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
            assert _is_mixed(batch[1]) == can_change

    def keep(items: list[Any]) -> Any:
        batch = torch.stack([item[0] for item in items]), torch.stack([item[1] for item in items])
        return list(batch) if can_change else batch

    before, after, module = Watching(), Watching(), Hooked()
    loader = DataLoader(Items(lambda x, y: (x, y)), batch_size=10, collate_fn=keep)
    fit(module, before, CoMixup(seed=0), after, loader=loader, max_epochs=1)
    assert before.at_start == [False, False]
    assert before.at_end == after.at_start == after.at_end == [can_change] * 2
    assert all(_is_mixed(targets) for _, targets in module.seen)


def test_phases_are_profiled_by_name() -> None:
    trainer = fit(Tiny(), profiler="simple")
    names = trainer.profiler.recorded_durations  # type: ignore[attr-defined]
    phases = ["[CoMixup].saliency", "[CoMixup].labeling", "[CoMixup].mixing"]
    assert [len(names[phase]) for phase in phases] == [8, 8, 8]


def test_the_solver_reports() -> None:
    callback = CoMixup(seed=0)
    fit(Tiny(), callback, loader=make_loader(48))
    report = callback.last_report
    assert report is not None
    assert report.over_capacity_share == 0
    assert report.energy < 0
    assert 1 < report.inputs_per_output <= 4


def test_a_batch_left_unmixed_keeps_the_last_report() -> None:
    class Overflowing(Tiny):
        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            loss = super().comixup_clean_loss(inputs, targets)
            return loss * float("inf") if len(inputs) == 2 else loss

    callback = CoMixup(seed=0, on_nonfinite="skip", num_classes=CLASSES)
    with pytest.warns(UserWarning, match="leaves this batch unmixed"):
        fit(Overflowing(), callback, max_epochs=1)  # the last batch has two samples
    assert callback.last_report is not None
    assert callback.last_report.inputs_per_output > 1


def _grid_of(mixed: Tensor) -> int:
    """Return the coarsest grid whose cells are all constant, for images mixed from constant ones."""
    for grid in (1, 2, 4):
        cell = 8 // grid
        if torch.equal(mixed, F.interpolate(mixed[..., ::cell, ::cell], scale_factor=cell)):
            return grid
    return 8


def test_random_grids_are_drawn_for_each_batch() -> None:
    module = Tiny(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 20)))
    images = torch.arange(20.0).reshape(20, 1, 1, 1).expand(20, 1, 8, 8) / 20
    loader = DataLoader(Listed(images, torch.arange(20)), batch_size=20)
    fit(module, CoMixup(seed=0, grid_size="random", smoothness=0.0), loader=loader, max_epochs=12)
    assert {_grid_of(inputs) for inputs, _ in module.seen} == {2, 4, 8}
