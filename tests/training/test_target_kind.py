"""The kind of targets in a run, and disagreements between the user's arguments and the step."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from lightning_comixup.training.target_kind import TargetKind, target_values
from tests.tiny import CLASSES, Items, fit, is_clean_pass, make_network


class Stepping(pl.LightningModule):
    """A module with any loss, which records the mixed targets."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.network, self.own_loss = make_network(), loss
        self.seen: list[Tensor] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if not is_clean_pass(self):
            self.seen.append(batch[1])
        return self.own_loss(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _fit(loss: Any, target: Any = lambda label: label, **settings: Any) -> Tensor:
    module = Stepping(loss)
    loader = DataLoader(Items(lambda x, y: (x, target(y))), batch_size=10)
    fit(module, CoMixup(seed=0, **settings), loader=loader, max_epochs=1)
    return module.seen[0]


def _both(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets) + F.mse_loss(logits[:, 0], targets.float())


def _two_heads(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets) + F.cross_entropy(logits[:, :4], targets.clamp(max=3))


def _number(logits: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(logits[:, 0], targets.float())


@pytest.mark.parametrize(
    ("loss", "settings", "parts"),
    [
        (F.cross_entropy, {"num_classes": 4}, ["num_classes must be", "found 4", "cross_entropy of 5 classes"]),
        (F.cross_entropy, {"linear_targets": True}, ["linear_targets=True", "cross_entropy of 5 classes"]),
        (_number, {"linear_targets": False}, ["linear_targets=False", "mse_loss"]),
        (_both, {}, ["cross_entropy of 5 classes and mse_loss", "linear_targets=True"]),
        (_two_heads, {}, ["cross_entropy of 5 classes and cross_entropy of 4 classes", "num_classes=..."]),
    ],
)
def test_disagreements_name_both_sides(loss: Any, settings: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ValueError, match="found") as raised:
        _fit(loss, **settings)
    assert all(part in str(raised.value) for part in parts)
    assert str(raised.value).endswith(".")


def test_a_number_of_classes_in_also_average_is_named() -> None:
    class TwoLabels(Stepping):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            logits = self.network(batch["x"])
            return F.cross_entropy(logits, batch["y"]) + F.cross_entropy(logits[:, :3], batch["coarse"])

    loader = DataLoader(Items(lambda x, y: {"x": x, "y": y, "coarse": y // 2}), batch_size=10)
    with pytest.raises(ValueError, match=r"in also_average must be the number of the module's logits, 3, found 4"):
        fit(TwoLabels(None), CoMixup(seed=0, also_average={"coarse": 4}), loader=loader, max_epochs=1)


def test_the_user_decides_if_losses_differ() -> None:
    mixed = _fit(_number, linear_targets=True)
    assert mixed.shape == (10,)
    assert _fit(lambda z, y: F.cross_entropy(z, y), num_classes=CLASSES).shape == (10, CLASSES)
    with pytest.raises(ValueError, match="must have the shape of the logits"):
        _fit(_both, linear_targets=False)


def test_targets_of_each_kind() -> None:
    assert _fit(F.cross_entropy).shape == (10, CLASSES)
    assert _fit(F.cross_entropy, lambda label: F.one_hot(label, CLASSES).float()).shape == (10, CLASSES)
    flags = _fit(lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.float()), lambda label: label // 3)
    assert flags.shape == (10,)
    assert flags.is_floating_point()
    assert ((flags > 0) & (flags < 1)).any()


@pytest.mark.parametrize("batch_size", [10, CLASSES])
def test_contrastive_losses_never_train_on_nonsense(batch_size: int) -> None:
    def contrast(logits: Tensor, targets: Tensor) -> Tensor:
        same = targets[:, None] == targets[None, :]
        return -(logits @ logits.T).log_softmax(1)[same].mean()

    with pytest.raises(ValueError, match=r"must not be compared with integers.*targets\.argmax\(1\)"):
        fit(
            Stepping(contrast),
            CoMixup(seed=0, num_classes=CLASSES),
            loader=DataLoader(Items(lambda x, y: (x, y)), batch_size=batch_size),
        )


def test_values_to_average() -> None:
    labels = torch.tensor([[1], [0]])
    assert target_values(labels, TargetKind(False, 3)).rows.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert target_values(labels, TargetKind(True, None)).rows.tolist() == [[1], [0]]
    with pytest.raises(ValueError, match="num_classes must be given"):
        target_values(labels, TargetKind(False, None))
