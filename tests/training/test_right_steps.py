"""Steps and hooks that are correct with mixed batches but look like incorrect ones. None of them is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, fit, make_data, make_network

_X, _Y = make_data(20)
_ROWS = F.one_hot(_Y, CLASSES).float()


class Module(pl.LightningModule):
    """Computes its loss with a function, and calls another one at the end of a batch."""

    def __init__(self, loss: Callable[[Any, Any], Tensor], hook: Callable[[Any, Any], Any] | None) -> None:
        super().__init__()
        self.network, self.box, self.head = make_network(), nn.Linear(64, 4), nn.Linear(4, CLASSES)
        self.recurrent, self.convolution = nn.LSTM(8, 4, batch_first=True), nn.Conv2d(1, 4, 3)
        self.loss, self.hook = loss, hook

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self.loss(self, batch)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.hook is not None:
            self.hook(self, batch)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def _rows(targets: Tensor) -> Tensor:
    return targets if targets.ndim == 2 else F.one_hot(targets, CLASSES).float()


def _plain(module: Any, batch: Any) -> Tensor:
    return F.cross_entropy(module.network(batch[0]), batch[1])


def _by_hand_with_a_box(module: Any, batch: Any) -> Tensor:
    by_hand = -(_rows(batch[1]) * module.network(batch[0]).log_softmax(1)).sum() / len(batch[0])
    return by_hand + F.smooth_l1_loss(module.box(batch[0].flatten(1)), batch[2])


def _prior_of_the_batch(module: Any, batch: Any) -> Tensor:
    return F.cross_entropy(module.network(batch[0]) + (_rows(batch[1]).mean(dim=0) + 1e-3).log(), batch[1])


def _divided_by_the_mass(module: Any, batch: Any) -> Tensor:
    rows = _rows(batch[1])
    return -(rows * module.network(batch[0]).log_softmax(1)).sum() / rows.sum()


def _reconstruction_of_a_mask(module: Any, batch: Any) -> Tensor:
    mask = torch.rand_like(batch[0]) < 0.3
    return _plain(module, batch) + F.mse_loss((batch[0] * module.box.weight.mean())[mask], batch[0][mask])


def _rows_of_pixels(module: Any, batch: Any) -> Tensor:
    return F.cross_entropy(module.head(module.recurrent(batch[0].squeeze(1))[0][:, -1]), batch[1])


def _weighted_rows(module: Any, batch: Any) -> Tensor:
    return F.cross_entropy(module.network(batch[0]), _rows(batch[1]) * batch[2][:, None])


def _electrodes(module: Any, batch: Any) -> Tensor:
    return F.cross_entropy(module.head(module.convolution(batch[0].unsqueeze(1)).mean((2, 3))), batch[1])


def _two_tasks(module: Any, batch: Any) -> Tensor:
    several = F.binary_cross_entropy_with_logits(module.network(batch[0]), batch[1])
    return several + F.cross_entropy(module.box(batch[0].flatten(1)), batch[2])


def _shown_mean(module: Any, batch: Any) -> Tensor:
    assert batch[1].float().mean().detach().cpu().numpy() >= 0
    return _plain(module, batch)


def _binary(module: Any, batch: Any) -> Tensor:
    return F.binary_cross_entropy_with_logits(module.network(batch[0]), _rows(batch[1]))


def _compiled_average(module: Any, batch: Any) -> Any:
    return torch.compile(lambda weight: weight * 0.9, backend="eager", fullgraph=True)(module.box.weight.detach())


_CASES: dict[str, tuple[Any, tuple[Tensor, ...], Any]] = {
    "a loss by hand and one of another part": (_by_hand_with_a_box, (_X, _Y, torch.rand(20, 4)), None),
    "the prior of a batch": (_prior_of_the_batch, (_X, _Y), None),
    "divided by the mass": (_divided_by_the_mass, (_X, _Y), None),
    "a random mask": (_reconstruction_of_a_mask, (_X, _Y), None),
    "images as series of rows": (_rows_of_pixels, (_X, _Y), None),
    "weights of samples": (_weighted_rows, (_X, _Y, torch.rand(20)), None),
    "signals as images": (_electrodes, (torch.rand(20, 8, 32), _Y), None),
    "several labels and a domain": (_two_tasks, (_X, _ROWS, _Y % 4), None),
    "a mean that is shown": (_shown_mean, (_X, _Y), None),
    "a binary loss in a hook": (_binary, (_X, _Y), _binary),
    "compiled code in a hook": (_plain, (_X, _Y), _compiled_average),
}


@pytest.mark.parametrize(("loss", "parts", "hook"), _CASES.values(), ids=_CASES)
def test_right_steps_train(loss: Any, parts: tuple[Tensor, ...], hook: Any) -> None:
    module = Module(loss, hook)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    fit(module, CoMixup(seed=0), loader=DataLoader(TensorDataset(*parts), batch_size=10))
    after = list(module.parameters())
    assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert all(bool(parameter.isfinite().all()) for parameter in after)
