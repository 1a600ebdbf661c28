"""Misuses of mixed targets, planted in a module. Each is found in the first mixed step, with its line and a remedy."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Items, fit, make_data
from tests.training import planted
from tests.training.planted import MISUSES, Use, last_line
from tests.training.using import Using, make_batches

_REMEDIES = (
    "targets.argmax(1)",
    "self.comixup_loss(logits, targets)",
    "`targets if targets.ndim == 2 else F.one_hot(targets, K).float()`",
)


def _check_caught(
    module: Any, line: str, *, batch_size: int = 10, trainer: Any = None, loader: Any = None, **settings: Any
) -> str:
    start = copy.deepcopy(list(module.parameters()))
    with pytest.raises(ValueError, match="Mixed targets are class probabilities") as raised:
        fit(
            module,
            CoMixup(seed=0, **settings),
            loader=loader or make_batches(batch_size),
            max_epochs=1,
            **(trainer or {}),
        )
    message = str(raised.value)
    assert f" at {line}. " in message
    assert "found __" not in message  # the error shows the user's code, such as == or int(targets)
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
    """With B = K, one number for each sample and a row of K numbers have the same shape."""
    _check_caught(Using(use), last_line(use), batch_size=CLASSES)


class Switching(Using):
    """Uses another loss for rows, which it treats as several labels at once."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits, targets = self(batch[0]), batch[1]
        if targets.is_floating_point():
            return F.binary_cross_entropy_with_logits(logits, targets)
        return F.cross_entropy(logits, targets)


def test_a_binary_loss_only_for_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="several labels at once"):
        fit(Switching(lambda logits, targets: None), CoMixup(seed=0), loader=make_batches(10), max_epochs=1)


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


def test_targets_that_are_numbers_have_their_own_remedy() -> None:
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
        fit(module, CoMixup(seed=0), loader=make_batches(10), max_epochs=1)


@pytest.mark.parametrize("use", [planted.as_numpy, planted.as_array, planted.as_list])
def test_targets_that_leave_pytorch_are_reported_but_not_refused(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    """They may be stored or plotted, and it is not visible whether they are compared with integers."""
    with caplog.at_level("INFO"):
        fit(Using(use), CoMixup(seed=0), loader=make_batches(10), max_epochs=2)
    said = [record.getMessage() for record in caplog.records if "outside PyTorch" in record.getMessage()]
    assert len(said) == 1
    assert f"at {last_line(use)} gets class probabilities" in said[0]


def _smoothed(rows: Tensor) -> Tensor:
    return 0.9 * rows + 0.1 / CLASSES


class _BinaryLoss(Using):
    """Makes rows from integer targets, and smooths these rows, other rows, both or neither."""

    def __init__(self, *, smooths_labels: bool, smooths_rows: bool) -> None:
        super().__init__(lambda *_: None)
        self.smooths = {1: smooths_labels, 2: smooths_rows}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits, targets = self(batch[0]), batch[1]
        rows = targets if targets.ndim == 2 else torch.zeros_like(logits).scatter_(1, targets[:, None], 1)
        rows = _smoothed(rows) if self.smooths[targets.ndim] else rows
        return F.binary_cross_entropy_with_logits(logits, rows)


@pytest.mark.parametrize("smooths_rows", [False, True])
@pytest.mark.parametrize("smooths_labels", [False, True])
def test_a_loss_that_smooths_only_labels_is_reported(
    smooths_labels: bool, smooths_rows: bool, caplog: pytest.LogCaptureFixture
) -> None:
    module = _BinaryLoss(smooths_labels=smooths_labels, smooths_rows=smooths_rows)
    with caplog.at_level("INFO"):
        fit(module, CoMixup(seed=0), loader=make_batches(10), max_epochs=2)
    said = [record.getMessage() for record in caplog.records if "the loss smooths integer" in record.getMessage()]
    assert len(said) == (smooths_labels and not smooths_rows)


def test_losses_of_numbers_keep_the_shapes_of_the_clean_batch() -> None:
    """The targets are distributions around labels, such as ages. With rows, they broadcast to (B, B, K)."""

    class Distributed(Using):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            logits, targets = self(batch[0]), batch[1]
            around = (-((torch.arange(CLASSES) - targets.unsqueeze(-1).float()) ** 2)).softmax(-1)
            return F.kl_div(logits.log_softmax(1), around, reduction="batchmean")

    with pytest.raises(ValueError, match="kl_div must get the shapes that it gets on a clean batch"):
        fit(Distributed(lambda *_: None), CoMixup(seed=0), loader=make_batches(CLASSES))


def test_rows_computed_from_mixed_targets_and_others_must_sum_to_one() -> None:
    class Noisy(Using):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            targets = batch[1]
            noise = torch.randint(0, CLASSES, targets.shape)
            return F.cross_entropy(self(batch[0]), torch.where(torch.rand(targets.shape) < 0.3, noise, targets))

    with pytest.raises(ValueError, match="must still sum to 1 in a loss"):
        fit(Noisy(lambda *_: None), CoMixup(seed=0), loader=make_batches(10))
