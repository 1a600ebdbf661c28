"""The step, compared with a hand-written loop that replays the mixed batches in the authors' order."""

from __future__ import annotations

import copy
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

from lightning_comixup import CoMixup
from tests.tiny import (
    CLASSES,
    Listed,
    Tiny,
    fit,
    is_clean_pass,
    largest_difference,
    make_data,
    make_loader,
    make_network,
    make_trainer,
    replay,
)


@pytest.mark.parametrize("clean_weight", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("kind", ["ce", "bce"])
def test_parameters_and_buffers_match_the_loop_bit_for_bit(clean_weight: float, kind: str) -> None:
    class Module(Tiny):
        comixup_loss_kind = kind  # type: ignore[assignment]

    module = Module()
    start = copy.deepcopy(module)
    fit(module, CoMixup(seed=0, clean_weight=clean_weight))
    assert len(module.seen) == 8
    assert all(targets.shape[1:] == (CLASSES,) for _, targets in module.seen)
    assert largest_difference(module, replay(start, module.seen, clean_weight=clean_weight)) == 0
    assert largest_difference(module, start) > 0.01


def test_batches_are_really_mixed() -> None:
    module = Tiny()
    fit(module)
    shares = [targets.amax(1) for _, targets in module.seen if len(targets) > 2]  # two inputs may stay unmixed
    assert all(float(share.mean()) < 0.9 for share in shares)
    clean = torch.cat([batch[0] for batch in make_loader()])
    assert not torch.isclose(torch.cat([batch[0] for batch in module.seen[:4]]), clean).all()


def test_the_clean_pass_differentiates_the_clean_loss() -> None:
    """Without the mixed loss, training is plain training on the clean loss."""

    class CleanOnly(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return super().training_step(batch, batch_idx) * float(is_clean_pass(self))

    module = CleanOnly(nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES)))
    reference = copy.deepcopy(module)
    fit(module, max_epochs=1)
    optimizer = reference.configure_optimizers()
    for inputs, targets in make_loader():
        optimizer.zero_grad()
        nn.functional.cross_entropy(reference(inputs), targets).backward()
        optimizer.step()
    assert largest_difference(module, reference) < 1e-7


@pytest.mark.parametrize("accumulate", [2, 3])
def test_accumulation_with_an_incomplete_last_window(accumulate: int) -> None:
    module = Tiny()
    start = copy.deepcopy(module)
    fit(module, CoMixup(seed=0), max_epochs=1, accumulate_grad_batches=accumulate)
    reference = copy.deepcopy(start)
    optimizer = reference.configure_optimizers()
    optimizer.zero_grad()
    batches = list(zip(make_loader(), module.seen, strict=True))
    for index, ((inputs, targets), (mixed, soft)) in enumerate(batches):
        (reference.comixup_clean_loss(inputs, targets) / accumulate).backward()
        (reference.comixup_loss(reference(mixed), soft) / accumulate).backward()
        if (index + 1) % accumulate == 0 or index + 1 == len(batches):
            optimizer.step()
            optimizer.zero_grad()
    assert largest_difference(module, reference) == 0


def test_frozen_unused_and_tied_parameters() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(64, 64)
            self.second = nn.Linear(64, 64)
            self.second.weight = self.first.weight
            self.unused = nn.Linear(3, 3)
            self.frozen = nn.Linear(64, CLASSES)
            self.frozen.weight.requires_grad_(False)

        def forward(self, inputs: Tensor) -> Tensor:
            logits: Tensor = self.frozen(self.second(torch.tanh(self.first(inputs.flatten(1)))))
            return logits

    module = Tiny(Shared())
    start = copy.deepcopy(module)
    fit(module)
    assert largest_difference(module, replay(start, module.seen)) == 0
    assert torch.equal(module.network.frozen.weight, start.network.frozen.weight)


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_frozen_batch_norm_stays_frozen_and_modes_are_restored(clean_weight: float) -> None:
    class Frozen(Tiny):
        def on_train_start(self) -> None:
            self.network[1].eval()

        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            assert [part.training for part in self.network] == [True, False, True, True, True]

    module = Frozen()
    fit(module, CoMixup(seed=0, clean_weight=clean_weight))
    assert int(module.network[1].num_batches_tracked) == 0


def test_batch_norm_sees_both_batches_only_with_a_clean_loss() -> None:
    counts = {}
    for clean_weight in (1.0, 0.0):
        module = Tiny()
        fit(module, CoMixup(seed=0, clean_weight=clean_weight))
        counts[clean_weight] = int(module.network[1].num_batches_tracked)
    assert counts == {1.0: 16, 0.0: 8}


def test_global_random_numbers_are_not_used() -> None:
    """A run with mixed batches and a run without end with the same global state."""
    states = []
    for prob in (0.0, 1.0):
        torch.manual_seed(3)
        fit(Tiny(), CoMixup(seed=0, prob=prob))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_the_data_set_is_not_written_to() -> None:
    inputs, targets = make_data()
    copies = inputs.clone(), targets.clone()
    fit(
        Tiny(),
        loader=torch.utils.data.DataLoader(Listed(inputs, targets), batch_size=16),
    )
    assert torch.equal(inputs, copies[0])
    assert torch.equal(targets, copies[1])


class Manual(Tiny):
    def __init__(self, announces: bool = True) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.announces = announces

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        loss = super().training_step(batch, batch_idx)
        if self.announces:
            self.manual_backward(loss)
        else:
            loss.backward()
        optimizer.step()


def test_manual_optimization() -> None:
    module = Manual()
    start = copy.deepcopy(module)
    fit(module, CoMixup(seed=0, manual_optimization=True))
    assert largest_difference(module, replay(start, module.seen)) == 0


def test_manual_optimization_needs_an_opt_in() -> None:
    with pytest.raises(ValueError, match=r"must be opted in.*manual_optimization=True"):
        fit(Manual())
    fit(Manual(announces=False), CoMixup(seed=0, clean_weight=0))


def test_a_bare_backward_is_reported() -> None:
    with pytest.raises(RuntimeError, match=r"call self\.manual_backward\(loss\) instead of loss\.backward\(\)"):
        fit(Manual(announces=False), CoMixup(seed=0, manual_optimization=True))


def test_a_closure_called_several_times_is_reported() -> None:
    class SecondOrder(Tiny):
        def configure_optimizers(self) -> Any:
            return torch.optim.LBFGS(self.parameters(), lr=0.01)

    with pytest.raises(RuntimeError, match=r"one backward per mixed batch.*LBFGS"):
        fit(SecondOrder())
    fit(SecondOrder(), CoMixup(seed=0, clean_weight=0))


def test_steps_that_return_none_are_skipped() -> None:
    class Skipping(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = super().training_step(batch, batch_idx)
            return None if batch_idx == 1 else loss

    module = Skipping()
    start = copy.deepcopy(module)
    fit(module, max_epochs=1)
    reference = copy.deepcopy(start)
    optimizer = reference.configure_optimizers()
    for index, ((inputs, targets), (mixed, soft)) in enumerate(zip(make_loader(), module.seen, strict=True)):
        optimizer.zero_grad()
        clean, loss = reference.comixup_clean_loss(inputs, targets), reference.comixup_loss(reference(mixed), soft)
        if index != 1:
            (clean + loss).backward()
            optimizer.step()
    assert largest_difference(module, reference) < 1e-6


def test_strategies_whose_wrapper_shards_are_refused() -> None:
    from lightning.pytorch.strategies import SingleDeviceStrategy, Strategy

    from lightning_comixup.training.trainer_checks import check_strategy

    def found_at_setup(name: str, base: type[Strategy] = SingleDeviceStrategy) -> pl.Trainer:
        trainer = make_trainer()
        # It is recognised by name, because `lightning` and `pytorch_lightning` each have one. Users may subclass it.
        named = type(name, (base,), {})
        trainer._accelerator_connector.strategy = type("Users", (named,), {})()
        return trainer

    for name in ("FSDPStrategy", "DeepSpeedStrategy"):
        trainer = found_at_setup(name)
        with pytest.raises(ValueError, match=r"clean_weight must be 0 .*1\.0 with Users"):
            check_strategy(trainer, 1.0)
        check_strategy(trainer, 0.0)
    check_strategy(found_at_setup("ModelParallelStrategy"), 1.0)


def test_a_clean_loss_that_reaches_no_parameter_is_reported() -> None:
    class Elsewhere(Tiny):
        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            return inputs.square().sum()

    with pytest.raises(RuntimeError, match=r"all of their \d+ gradients missing"):
        fit(Elsewhere(), CoMixup(seed=0, num_classes=CLASSES))


def test_networks_are_the_same_at_every_call() -> None:
    assert largest_difference(make_network(), make_network()) == 0
