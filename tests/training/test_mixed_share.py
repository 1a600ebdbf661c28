"""Mixing a share of the groups of each batch, compared with hand-written loops."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from lightning_comixup import CoMixup, Edges, Hyperparameters
from lightning_comixup.method.groups import Groups, draw_groups
from lightning_comixup.method.mixing import mix_inputs, mix_targets
from lightning_comixup.planning import plan_batch
from lightning_comixup.training.seeding import BatchDraws, BatchPosition
from tests.tiny import (
    CLASSES,
    Plain,
    ResumableLoader,
    Tiny,
    fit,
    is_clean_pass,
    largest_difference,
    make_loader,
    make_trainer,
    replay,
)

# Before Python 3.11, notes are logged instead of added to the error.
_AS_LOGGED = "the module is in eval mode, only the rows of the mixed groups"
_SIZE = 4  # of a group: there are four in a batch of 16, and a smaller one in the last batch of two
_BATCHES = 4


def _callback(**options: Any) -> CoMixup:
    return CoMixup(**{"seed": 0, "mixed_share": 0.5, "partition_size": _SIZE, "log": False} | options)


def _draws(index: int) -> BatchDraws:
    return BatchDraws(0, BatchPosition(0, *divmod(index, _BATCHES)))


def _groups(index: int, size: int, share: float = 0.5, partition_size: int = _SIZE) -> Groups:
    return draw_groups(size, partition_size, share, partial(_draws(index).decisions, "groups"))


def _rows(groups: Groups) -> Tensor:
    return torch.cat([torch.arange(groups.batch_size)[rows] for rows in groups.mixed_slices()])


@pytest.mark.parametrize("clean_weight", [1.0, 0.3, 0.0])
def test_the_step_matches_the_loop(clean_weight: float) -> None:
    module = Tiny()
    start = copy.deepcopy(module)
    fit(module, _callback(clean_weight=clean_weight))
    assert largest_difference(module, replay(start, module.seen, clean_weight=clean_weight)) == 0
    assert largest_difference(module, start) > 0.01


def _saliency(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    leaf = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(module(leaf), targets), [leaf])
    return gradient.square().mean(1).sqrt()


def _mix_by_hand(module: nn.Module, index: int, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mix the drawn groups as a separate batch."""
    rows = _rows(_groups(index, len(inputs)))
    module.eval()
    saliency = _saliency(module, inputs[rows], targets[rows])
    module.train()
    plan = plan_batch(saliency, Hyperparameters(partition_size=_SIZE), _draws(index).masks())
    mixed, soft = inputs.clone(), F.one_hot(targets, CLASSES).float()
    mixed[rows], soft[rows] = mix_inputs(inputs[rows], plan.indices), mix_targets(soft[rows], plan.indices)
    return mixed, soft


def test_saliency_and_labelings_use_only_the_mixed_groups() -> None:
    module = Plain()
    start = copy.deepcopy(module)
    fit(module, _callback(clean_weight=0), max_epochs=2)
    optimizer = start.configure_optimizers()
    batches = [batch for _ in range(2) for batch in make_loader()]
    for index, batch in enumerate(batches):
        drawn = _groups(index, len(batch[0])).mixed
        mixed, soft = _mix_by_hand(start, index, *batch) if drawn else batch
        assert torch.equal(module.targets_seen[index], soft)
        optimizer.zero_grad()
        F.cross_entropy(start(mixed), soft).backward()
        optimizer.step()
    assert largest_difference(module, start) == 0


def test_the_other_groups_do_not_change() -> None:
    module = Tiny()
    fit(module, _callback(), max_epochs=1)
    for index, ((inputs, targets), (mixed, soft)) in enumerate(zip(make_loader(), module.seen, strict=True)):
        is_mixed = torch.zeros(len(inputs), dtype=torch.bool)
        groups = _groups(index, len(inputs))
        if groups.mixed:
            is_mixed[_rows(groups)] = True
        assert torch.equal(mixed[~is_mixed], inputs[~is_mixed])
        assert torch.equal(soft[~is_mixed], F.one_hot(targets, CLASSES).float()[~is_mixed])
        if len(inputs) == 16:
            assert int(is_mixed.sum()) == 8
            assert not torch.equal(mixed[is_mixed], inputs[is_mixed])


class _Counting(Tiny):
    """Counts the inputs of each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[bool, int]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.rows.append((is_clean_pass(self), len(inputs)))
        return super().forward(inputs)


@pytest.mark.parametrize(("clean_weight", "rows"), [(1.0, 16), (0.0, 8)])
def test_without_a_clean_loss_the_clean_pass_gets_only_the_mixed_groups(clean_weight: float, rows: int) -> None:
    module = _Counting()
    fit(module, _callback(clean_weight=clean_weight), max_epochs=1, limit_train_batches=3)
    assert module.rows == [(True, rows), (False, 16)] * 3


def _alone(clean_weight: float, **options: Any) -> Tiny:
    """Train on batches of one group each. Half of the batches are mixed."""
    module = Tiny()
    start = copy.deepcopy(module)
    fit(module, _callback(clean_weight=clean_weight, partition_size=16, **options), max_epochs=4)
    assert len(module.seen) == 16
    reference = replay(start, module.seen, epochs=4, clean_weight=clean_weight)
    assert largest_difference(module, reference) == 0
    return module


def test_a_batch_without_drawn_groups_is_a_plain_one() -> None:
    module = _alone(0.0)
    drawn = [bool(_groups(index, len(targets), partition_size=16).mixed) for index, (_, targets) in _seen(module)]
    assert [targets.is_floating_point() for _, targets in module.seen] == drawn
    assert 2 < sum(drawn) < 14


@pytest.mark.parametrize("saliency", [None, Edges()])
def test_with_a_clean_loss_every_batch_has_a_clean_pass(saliency: Any) -> None:
    module = _alone(1.0, saliency=saliency)
    assert all(targets.is_floating_point() for _, targets in module.seen)
    for index, (mixed, soft) in _seen(module):
        if not _groups(index, len(mixed), partition_size=16).mixed:
            inputs, targets = list(make_loader())[index % _BATCHES]
            assert torch.equal(mixed, inputs)
            assert torch.equal(soft, F.one_hot(targets, CLASSES).float())


def _seen(module: Tiny) -> Any:
    return enumerate(module.seen)


@pytest.mark.parametrize("accumulate", [2, 3])
@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_accumulation(accumulate: int, clean_weight: float) -> None:
    module = Tiny()
    reference = copy.deepcopy(module)
    callback = _callback(clean_weight=clean_weight)
    fit(module, callback, max_epochs=1, accumulate_grad_batches=accumulate)
    optimizer = reference.configure_optimizers()
    optimizer.zero_grad()
    batches = list(zip(make_loader(), module.seen, strict=True))
    for index, ((inputs, targets), (mixed, soft)) in enumerate(batches):
        if clean_weight > 0:
            (reference.comixup_clean_loss(inputs, targets) / accumulate).backward()
        (reference.comixup_loss(reference(mixed), soft) / accumulate).backward()
        if (index + 1) % accumulate == 0 or index + 1 == len(batches):
            optimizer.step()
            optimizer.zero_grad()
    assert largest_difference(module, reference) == 0


def test_a_resumed_run_mixes_the_same_groups(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_epochs": 3, "root": tmp_path}
    checkpoint = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    whole, resumed = Tiny(), Tiny()
    fit(whole, _callback(), checkpoint, loader=ResumableLoader(), enable_checkpointing=True, **settings)
    trainer = make_trainer(_callback(seed=None), **settings)
    trainer.fit(resumed, ResumableLoader(), ckpt_path=str(tmp_path / "step=7.ckpt"))
    for batch, again in zip(whole.seen[7:], resumed.seen, strict=True):
        assert torch.equal(batch[0], again[0])
        assert torch.equal(batch[1], again[1])
    assert largest_difference(whole, resumed) == 0


class _Logging(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.accuracy = MulticlassAccuracy(CLASSES, average="micro")
        self.clean: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits = self(batch[0])
        if is_clean_pass(self):
            self.clean.append((logits.detach(), batch[1]))
        self.accuracy(logits, batch[1])
        self.log("accuracy", self.accuracy, on_step=False, on_epoch=True)
        return F.cross_entropy(logits, batch[1])


def test_metrics_and_the_logged_accuracy_use_the_mixed_groups() -> None:
    module = _Logging()
    callback = CoMixup(seed=0, mixed_share=0.5, partition_size=_SIZE, clean_weight=0)
    trainer = fit(module, callback, max_epochs=1, limit_train_batches=3)
    right = [logits.argmax(1) == targets for logits, targets in module.clean]
    assert [len(part) for part in right] == [8, 8, 8]
    assert float(trainer.callback_metrics["accuracy"]) == pytest.approx(float(torch.cat(right).float().mean()))
    logged = float(trainer.callback_metrics["comixup/clean_accuracy"])
    assert logged == pytest.approx(float(right[-1].float().mean()))
    assert callback.last_report is not None
    assert np.isfinite(callback.last_report.energy)
    assert callback.last_report.inputs_per_output > 1.2  # for the mixed outputs; for all, it would be near 1.1


def test_a_users_saliency_gets_the_mixed_groups() -> None:
    sizes = []

    def saliency(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        sizes.append((len(inputs), len(targets)))
        return inputs.square().mean(1)

    for clean_weight in (1.0, 0.0):
        fit(Plain(), _callback(saliency=saliency, clean_weight=clean_weight), max_epochs=1, limit_train_batches=3)
    assert sizes == [(8, 8)] * 6


def test_a_saliency_without_a_clean_pass_needs_no_number_of_classes() -> None:
    """The first step inspects the losses without changing modes, metrics or gradients."""

    class Module(_Logging):
        def on_before_zero_grad(self, optimizer: Any) -> None:
            assert self.training
            assert all(part.training for part in self.modules())

    module, reference = Module(), _Logging()
    callback = _callback(saliency=_first_channel, clean_weight=0)
    fit(module, callback, max_epochs=1)
    fit(reference, _callback(saliency=_first_channel, clean_weight=0, num_classes=CLASSES), max_epochs=1)
    assert len(module.clean) == 1
    assert module.targets_seen == []
    assert largest_difference(module, reference) == 0


def _first_channel(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return inputs[:, 0].abs()


def test_the_inspection_in_the_first_step_does_not_change_metrics() -> None:
    module = _Logging()
    updates: list[int] = []

    class Count(pl.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            updates.append(module.accuracy._update_count)

    fit(module, _callback(saliency=_first_channel, clean_weight=0), Count(), max_epochs=1, limit_train_batches=2)
    assert updates == [1, 2]


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_a_share_out_of_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="mixed_share must be a finite number"):
        CoMixup(mixed_share=share)


def test_unnamed_rows_stay_with_their_inputs() -> None:
    """In the saliency pass, a step that uses other parts of the batch gets their rows of the mixed groups."""
    seen: list[Any] = []

    class Module(Plain):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            if is_clean_pass(self):
                seen.append(batch)
            assert torch.equal(batch["index"] % CLASSES == 0, batch["flag"])
            return F.cross_entropy(self(batch["image"]), batch["label"])

    make: Callable[[int], dict[str, Any]] = lambda i: {  # noqa: E731
        "image": torch.full((1, 8, 8), float(i)),
        "label": i % CLASSES,
        "index": i,
        "flag": i % CLASSES == 0,
        "name": f"image {i}",
    }
    samples: Any = [make(i) for i in range(16)]
    loader: Any = torch.utils.data.DataLoader(samples, batch_size=16)
    fit(Module(), _callback(clean_weight=0), loader=loader, max_epochs=1)
    (batch,) = seen
    rows = _rows(_groups(0, 16)).tolist()
    assert batch["index"].tolist() == rows
    assert batch["name"] == [f"image {i}" for i in rows]
    assert torch.equal(batch["image"][:, 0, 0, 0], torch.tensor(rows).float())


def test_a_batch_whose_rows_are_unclear_is_passed_whole() -> None:
    """The saliency is then computed for the whole batch, and the mixed groups are taken from it."""
    sizes = []

    class Module(Plain):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            sizes.append((is_clean_pass(self), len(batch["image"]), len(batch["weights"])))
            return F.cross_entropy(self(batch["image"]), batch["label"], weight=batch["weights"])

    inputs, targets = next(iter(make_loader()))
    batch = {"image": inputs, "label": targets, "weights": torch.ones(CLASSES)}
    batches: Any = [batch]
    loader: Any = torch.utils.data.DataLoader(batches, batch_size=None)
    fit(Module(), _callback(clean_weight=0), loader=loader, max_epochs=1)
    assert sizes == [(True, 16, CLASSES), (False, 16, CLASSES)]


def test_the_error_of_a_step_that_needs_whole_batches_explains_this() -> None:
    class Module(Plain):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return super().training_step(batch, batch_idx) * torch.ones(16).dot(torch.ones(len(batch[1])))

    with pytest.raises(RuntimeError) as caught:
        fit(Module(), _callback(clean_weight=0))
    notes = "".join(getattr(caught.value, "__notes__", [_AS_LOGGED]))
    assert "the module is in eval mode" in notes
    assert "only the rows of the mixed groups" in notes
