"""Every misuse of mixed targets, planted in a module: found in the first mixed step, with its line and its remedy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from lightning_comixup import CoMixup, CoMixupMixin, SoftTargetAccuracy
from tests.tiny import CLASSES, Items, fit, is_clean_pass, make_data, make_network
from tests.training import planted
from tests.training.planted import MISUSES, Use, last_line

_REMEDIES = (
    "targets.argmax(1)",
    "self.comixup_loss(logits, targets)",
    "`targets if targets.ndim == 2 else F.one_hot(targets, K).float()`",
)


class Using(CoMixupMixin, pl.LightningModule):
    """A module whose step uses the targets in a further way."""

    def __init__(self, use: Use) -> None:
        super().__init__()
        self.network, self.use, self.steps = make_network(), use, 0
        self.soft_accuracy, self.accuracy = SoftTargetAccuracy(), MulticlassAccuracy(CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        inputs, targets = batch
        logits = self(inputs)
        self.steps += not is_clean_pass(self)
        self.use(logits, targets)
        return F.cross_entropy(logits, targets)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _loader(batch_size: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*make_data(20)), batch_size=batch_size)


def _check_caught(
    module: Any, line: str, *, batch_size: int = 10, trainer: Any = None, loader: Any = None, **settings: Any
) -> str:
    start = copy.deepcopy(list(module.parameters()))
    with pytest.raises(ValueError, match="Mixed targets are class probabilities") as raised:
        fit(module, CoMixup(seed=0, **settings), loader=loader or _loader(batch_size), max_epochs=1, **(trainer or {}))
    message = str(raised.value)
    assert f" at {line}. " in message
    assert any(remedy in message for remedy in _REMEDIES)
    assert module.steps <= 1
    for parameter, earlier in zip(module.parameters(), start, strict=True):
        assert parameter.isfinite().all()
        assert torch.equal(parameter, earlier.to(parameter.dtype))
    return message


@pytest.mark.parametrize("batch_size", [10, CLASSES])
@pytest.mark.parametrize("use", MISUSES)
def test_each_misuse_is_found_in_the_first_mixed_step(use: Use, batch_size: int) -> None:
    _check_caught(Using(use), last_line(use), batch_size=batch_size)


@pytest.mark.parametrize("use", [planted.minus_predictions, planted.against_outputs])
def test_rows_do_not_broadcast_over_samples(use: Use) -> None:
    """With B = K a number for each sample and a row of K numbers have the same shape."""
    _check_caught(Using(use), last_line(use), batch_size=CLASSES)


def _accuracy_of_rows_only(logits: Tensor, targets: Tensor) -> Any:
    hard = targets if targets.ndim == 1 else targets.argmax(1)
    F.one_hot(hard, CLASSES), torch.bincount(hard), hard.numpy(), hard.tolist(), hard.int(), int(hard[0])
    logits.gather(1, hard[:, None]), logits[range(len(hard)), hard], F.nll_loss(logits.log_softmax(1), hard)
    return (logits.argmax(1) == hard).float().mean(), (logits.topk(3, 1).indices == hard[:, None]).any(1), hard - 1


def _rows(targets: Tensor) -> Tensor:
    return targets if targets.ndim == 2 else F.one_hot(targets, CLASSES).float()


def _largest(logits: Tensor, targets: Tensor) -> Any:
    rows = _rows(targets)
    hard = rows.max(dim=1).indices
    return logits[range(len(hard)), hard], rows.topk(2, 1), rows.sort(1), (logits.argmax(1) == hard).sum()


def _losses(logits: Tensor, targets: Tensor) -> Any:
    rows, log_probabilities = _rows(targets), logits.log_softmax(1)
    losses = F.cross_entropy(logits, targets, reduction="none")
    teacher = logits.detach().softmax(1)
    return (
        nn.CrossEntropyLoss(label_smoothing=0.1)(logits, targets),
        F.cross_entropy(logits, 0.9 * rows + 0.1 / CLASSES),
        F.kl_div(log_probabilities, teacher, reduction="batchmean"),
        F.kl_div(log_probabilities, 0.5 * teacher + 0.5 * rows, reduction="batchmean"),
        F.mse_loss(logits.softmax(1), rows),
        F.binary_cross_entropy_with_logits(logits[:, 0], 1 - rows[:, 0]),
        -(rows * log_probabilities).sum(1).mean() + torch.einsum("bk,bk->", rows, logits),
        ((1 - torch.exp(-losses)) ** 2 * losses * (rows @ torch.arange(1.0, CLASSES + 1))).mean(),
    )


def _parts_of_the_batch(logits: Tensor, targets: Tensor) -> Any:
    order, chosen = torch.randperm(len(targets)), torch.rand(len(targets)) > 0.3
    twice = F.cross_entropy(torch.cat([logits, logits]), torch.cat([targets, targets]))
    pairs = zip(logits.split(4), targets.split(4), strict=True)
    mixed = 0.7 * _rows(targets) + 0.3 * _rows(targets)[order]
    return (
        twice,
        [F.cross_entropy(*pair) for pair in pairs],
        F.cross_entropy(logits[chosen], targets[chosen]),
        F.cross_entropy(logits, targets[order]),
        F.cross_entropy(logits, mixed),
        F.cross_entropy(logits, torch.lerp(_rows(targets), _rows(targets).flip(0), 0.2)),
    )


def _looked_at(logits: Tensor, targets: Tensor) -> Any:
    assert targets.min() >= 0
    assert (targets < CLASSES).all()
    assert torch.isfinite(targets).all()
    assert targets.size(0) == len(targets) == targets.shape[0]
    text = f"{targets} {targets[0]} {targets!r} {targets.dtype} {targets.device} {targets.sum().item()}"
    return text, targets.detach().cpu().clone(), float(targets.float().mean()), targets.sum(), torch.zeros_like(targets)


def _thresholds(logits: Tensor, targets: Tensor) -> Any:
    high = _rows(targets) > 0.5
    same = (logits.sigmoid() > 0.5) == high
    return same.float().mean(), logits[high], torch.where(high, logits - 0.2, logits), (_rows(targets) > 0).sum(1)


_RIGHT: list[Use] = [_accuracy_of_rows_only, _largest, _losses, _parts_of_the_batch, _looked_at, _thresholds]


def _trained(module: Using, batch_size: int) -> list[Tensor]:
    fit(module, CoMixup(seed=0), loader=_loader(batch_size), max_epochs=1)
    return [parameter.detach() for parameter in module.parameters()]


@cache
def _untouched(batch_size: int) -> list[Tensor]:
    """What a step that uses the targets in its loss alone comes to."""
    return _trained(Using(lambda logits, targets: None), batch_size)


@pytest.mark.parametrize("batch_size", [10, CLASSES])
@pytest.mark.parametrize("use", _RIGHT)
def test_what_steps_rightly_do_with_targets_raises_nothing_and_changes_nothing(use: Use, batch_size: int) -> None:
    for parameter, expected in zip(_trained(Using(use), batch_size), _untouched(batch_size), strict=True):
        assert torch.equal(parameter, expected)


class Measuring(Using):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        inputs, targets = batch
        logits = self(inputs)
        rows = _rows(targets).detach()
        self.bank = torch.cat([getattr(self, "bank", rows[:0]), rows])
        self.soft_accuracy(logits, targets)
        self.accuracy(logits, targets.int())
        self.log_dict({"soft": self.soft_accuracy, "hard": self.accuracy, "mean": targets.float().mean()})
        weighted = self.comixup_loss(logits, targets, class_weights=torch.ones(CLASSES), label_smoothing=0.1)
        return self.comixup_loss(logits, targets, "bce") + self.comixup_loss(logits, targets, "ce") + weighted


def test_metrics_memory_banks_and_our_own_losses() -> None:
    module = Measuring(lambda logits, targets: None)
    trainer = fit(module, CoMixup(seed=0), loader=_loader(10), max_epochs=1)
    assert 0 < float(trainer.callback_metrics["soft"]) < 1
    assert float(trainer.callback_metrics["mean"]) == pytest.approx(1 / CLASSES)
    assert module.bank.shape == (40, CLASSES)  # of two batches, clean and mixed
    torch.testing.assert_close(module.bank.sum(1), torch.ones(40))


class Binary(Using):
    """A sigmoid for each class, as timm trains; its rows are made by the remedy of our own message."""

    def __init__(self, rows: Callable[[Tensor], Tensor]) -> None:
        super().__init__(lambda logits, targets: None)
        self.rows = rows

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.rows_seen = self.rows(batch[1])
        return F.binary_cross_entropy_with_logits(self(batch[0]), self.rows_seen)


def _scattered_rows(targets: Tensor) -> Tensor:
    if targets.ndim == 2:
        return targets
    return torch.full((len(targets), CLASSES), 0.02).scatter_(1, targets[:, None], 0.92)


@pytest.mark.parametrize("rows", [_rows, _scattered_rows, lambda y: y if y.ndim == 2 else torch.eye(CLASSES)[y]])
def test_a_binary_loss_that_takes_one_hot_rows_takes_mixed_ones(rows: Any) -> None:
    module = Binary(rows)
    fit(module, CoMixup(seed=0), loader=_loader(10), max_epochs=1)
    torch.testing.assert_close(module.rows_seen.sum(1), torch.ones(10))
    assert ((module.rows_seen > 0).sum(1) > 1).any()


class Part(Using):
    def __init__(self, part: nn.Module) -> None:
        super().__init__(lambda logits, targets: self.part(logits, targets))
        self.part = part


def test_misuse_in_another_file_and_in_a_submodule() -> None:
    _check_caught(Part(planted.Accuracy()), last_line(planted.Accuracy.forward))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_misuse_without_gradients(context: Any) -> None:
    _check_caught(Using(context()(planted.compared)), last_line(planted.compared))


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("use", [planted.compared, planted.as_index_after_a_cast])
def test_misuse_in_bfloat16(use: Use, precision: str) -> None:
    _check_caught(Using(use), last_line(use), trainer={"precision": precision})


_needs_stances = pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="compiled calls are hidden")


@_needs_stances
def test_misuse_in_a_compiled_submodule() -> None:
    compiled: Any = torch.compile(planted.Accuracy(), backend="aot_eager")
    _check_caught(Part(compiled), last_line(planted.Accuracy.forward))


@_needs_stances
def test_misuse_in_a_compiled_module() -> None:
    module: Any = torch.compile(Using(planted.as_index_after_a_cast), backend="aot_eager")
    _check_caught(module, last_line(planted.as_index_after_a_cast), batch_size=CLASSES)


class Checkpointed(Using):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return checkpoint(self.loss, *batch, use_reentrant=False)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        logits = self(inputs)
        self.use(logits, targets)
        return F.cross_entropy(logits, targets)


def test_misuse_under_activation_checkpointing() -> None:
    _check_caught(Checkpointed(planted.compared), last_line(planted.compared))


class Manual(Using):
    automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()


def test_misuse_in_manual_optimization() -> None:
    _check_caught(Manual(planted.compared), last_line(planted.compared), manual_optimization=True)


class TwoLabels(Using):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        coarse = batch["coarse"]
        loss = super().training_step((batch["image"], batch["label"]), batch_idx)
        return loss + F.cross_entropy(self(batch["image"])[:, :3], coarse) + 0 * self.second(coarse)

    def second(self, coarse: Tensor) -> Any:
        hard = coarse if coarse.ndim == 1 else coarse.argmax(1)
        return (hard == 1).sum()


class TwoLabelsMisused(TwoLabels):
    def second(self, coarse: Tensor) -> Any:
        return (coarse == 1).sum()


def _two_labels() -> DataLoader[Any]:
    return DataLoader(Items(lambda x, y: {"image": x, "label": y, "coarse": y // 2}), batch_size=10)


def test_misuse_of_the_second_of_two_labels() -> None:
    settings: dict[str, Any] = {"loader": _two_labels(), "also_average": {"coarse": 3}}
    nothing: Use = lambda logits, targets: None  # noqa: E731
    _check_caught(TwoLabelsMisused(nothing), last_line(TwoLabelsMisused.second), **settings)
    _check_caught(TwoLabels(planted.compared), last_line(planted.compared), **settings)
    fit(TwoLabels(nothing), CoMixup(seed=0, also_average={"coarse": 3}), loader=_two_labels(), max_epochs=1)


def test_targets_that_are_numbers_have_a_remedy_of_their_own() -> None:
    class Flags(Using):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            logits, targets = (
                self(batch[0])[:, 0],
                (batch[1] > 2).float() if batch[1].dtype == torch.int64 else batch[1],
            )
            self.use(logits, targets)
            return F.binary_cross_entropy_with_logits(logits, targets)

    inputs, labels = make_data(20)
    loader = DataLoader(TensorDataset(inputs, (labels > 2).float()), batch_size=10)
    fit(Flags(lambda logits, targets: (logits > 0) == (targets > 0.5)), CoMixup(seed=0), loader=loader, max_epochs=1)
    with pytest.raises(ValueError, match=r"averages of several samples' targets.*a threshold such as `targets > 0\.5`"):
        fit(Flags(lambda logits, targets: (logits > 0) == targets), CoMixup(seed=0), loader=loader, max_epochs=1)


def test_a_batch_that_is_left_out_does_not_end_the_watch() -> None:
    class LeavingOut(Using):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return super().training_step(batch, batch_idx) if batch_idx else None

    module = LeavingOut(planted.compared_with_one_class)
    with pytest.raises(ValueError, match="must not be compared with integers"):
        fit(module, CoMixup(seed=0), loader=_loader(10), max_epochs=1)


@pytest.mark.parametrize("use", [planted.as_numpy, planted.as_array, planted.as_list])
def test_what_leaves_pytorch_is_said_but_not_refused(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    """It may be stored or drawn; whether it is compared with integers cannot be seen."""
    with caplog.at_level("INFO"):
        fit(Using(use), CoMixup(seed=0), loader=_loader(10), max_epochs=2)
    said = [record.getMessage() for record in caplog.records if "outside PyTorch" in record.getMessage()]
    assert len(said) == 1
    assert f"at {last_line(use)} gets class probabilities" in said[0]
