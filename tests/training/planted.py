"""Misuses of mixed targets to plant in a step. An error must name the last line of the function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.tiny import CLASSES

Use = Callable[[Tensor, Tensor], Any]


def last_line(function: Any) -> str:
    """Return "file:line" of the last line of a function."""
    lines, start = inspect.getsourcelines(function)
    return f"{inspect.getsourcefile(function)}:{start + len(lines) - 1}"


def compared(logits: Tensor, targets: Tensor) -> Any:
    return (logits.argmax(1) == targets).float().mean()


def compared_the_other_way(logits: Tensor, targets: Tensor) -> Any:
    return targets != logits.argmax(1)


def compared_by_eq(logits: Tensor, targets: Tensor) -> Any:
    return logits.argmax(1).eq(targets)


def compared_with_one_class(logits: Tensor, targets: Tensor) -> Any:
    return (targets == 3).sum()


def compared_with_each_other(logits: Tensor, targets: Tensor) -> Any:
    return targets[:, None] == targets[None, :]


def ordered(logits: Tensor, targets: Tensor) -> Any:
    return (targets >= 2).float().mean()


def is_in(logits: Tensor, targets: Tensor) -> Any:
    return torch.isin(targets, torch.tensor([0, 1]))


def cast_by_long(logits: Tensor, targets: Tensor) -> Any:
    return logits.argmax(1) == targets.long()


def cast_by_int(logits: Tensor, targets: Tensor) -> Any:
    return logits.argmax(1) == targets.int()


def cast_by_to(logits: Tensor, targets: Tensor) -> Any:
    return targets.to(torch.int64) + 1


def cast_by_type(logits: Tensor, targets: Tensor) -> Any:
    return targets.detach().type(torch.int64).cpu() + 1


def cast_like(logits: Tensor, targets: Tensor) -> Any:
    return targets.type_as(logits.argmax(1)) + 1


def cast_by_a_copy(logits: Tensor, targets: Tensor) -> Any:
    return torch.as_tensor(targets, dtype=torch.int64) + 1


def one_as_integer(logits: Tensor, targets: Tensor) -> Any:
    return int(targets.max())


def one_hot(logits: Tensor, targets: Tensor) -> Any:
    return F.one_hot(targets, CLASSES)


def one_hot_of_a_cast(logits: Tensor, targets: Tensor) -> Any:
    return F.one_hot(targets.long(), CLASSES)


def counted(logits: Tensor, targets: Tensor) -> Any:
    return torch.bincount(targets, minlength=CLASSES)


def found_unique(logits: Tensor, targets: Tensor) -> Any:
    return len(torch.unique(targets))


def in_a_histogram(logits: Tensor, targets: Tensor) -> Any:
    return torch.histc(targets.float(), CLASSES, 0, CLASSES)


def as_index(logits: Tensor, targets: Tensor) -> Any:
    return logits.log_softmax(1)[range(len(logits)), targets]


def as_index_after_a_cast(logits: Tensor, targets: Tensor) -> Any:
    return logits.log_softmax(1)[torch.arange(len(logits)), targets.long()]


def as_index_of_weights(logits: Tensor, targets: Tensor) -> Any:
    return torch.ones(CLASSES)[targets.long()]


def as_index_to_write_to(logits: Tensor, targets: Tensor) -> Any:
    rows = torch.zeros_like(logits)
    rows[torch.arange(len(logits)), targets] = 1.0


def gathered(logits: Tensor, targets: Tensor) -> Any:
    return logits.gather(1, targets.view(len(targets), -1))


def gathered_after_a_cast(logits: Tensor, targets: Tensor) -> Any:
    return logits.gather(1, targets.view(len(targets), -1).long())


def scattered(logits: Tensor, targets: Tensor) -> Any:
    return torch.zeros_like(logits).scatter_(1, targets.view(len(targets), -1), 1.0)


def selected(logits: Tensor, targets: Tensor) -> Any:
    return torch.ones(CLASSES, 2).index_select(0, targets)


def added_by_index(logits: Tensor, targets: Tensor) -> Any:
    return torch.zeros(CLASSES).index_add_(0, targets, torch.ones(len(targets)))


def embedded(logits: Tensor, targets: Tensor) -> Any:
    return F.embedding(targets, torch.ones(CLASSES, 2))


def in_nll_loss(logits: Tensor, targets: Tensor) -> Any:
    return F.nll_loss(logits.log_softmax(1), targets)


def in_an_object_of_nll_loss(logits: Tensor, targets: Tensor) -> Any:
    return nn.NLLLoss()(logits.log_softmax(1), targets)


def in_a_margin_loss(logits: Tensor, targets: Tensor) -> Any:
    return F.multi_margin_loss(logits, targets)


def flattened(logits: Tensor, targets: Tensor) -> Any:
    return nn.CrossEntropyLoss()(logits.view(-1, CLASSES), targets.view(-1))


def masked(logits: Tensor, targets: Tensor) -> Any:
    valid = targets >= 0
    return F.cross_entropy(logits[valid], targets[valid])


def shifted(logits: Tensor, targets: Tensor) -> Any:
    return F.cross_entropy(logits, (targets + 1) % CLASSES)


def in_a_loss_that_depends_on_the_dtype(logits: Tensor, targets: Tensor) -> Any:
    loss: Any = F.binary_cross_entropy_with_logits if targets.is_floating_point() else F.cross_entropy
    return loss(logits, targets)


def as_numpy(logits: Tensor, targets: Tensor) -> Any:
    return targets.detach().cpu().numpy()


def as_array(logits: Tensor, targets: Tensor) -> Any:
    return np.asarray(targets)


def as_list(logits: Tensor, targets: Tensor) -> Any:
    return targets.tolist()


MISUSES: list[Use] = [
    *(compared, compared_the_other_way, compared_by_eq, compared_with_one_class, compared_with_each_other, ordered),
    *(is_in, cast_by_long, cast_by_int, cast_by_to, cast_by_type, cast_like, cast_by_a_copy, one_as_integer),
    *(one_hot, one_hot_of_a_cast, counted, found_unique, in_a_histogram, as_index, as_index_after_a_cast),
    *(as_index_of_weights, as_index_to_write_to, gathered, gathered_after_a_cast, scattered, selected),
    *(added_by_index, embedded, in_nll_loss, in_an_object_of_nll_loss, in_a_margin_loss, flattened, masked, shifted),
    in_a_loss_that_depends_on_the_dtype,
]


def minus_predictions(logits: Tensor, targets: Tensor) -> Any:
    return (logits.argmax(1) - targets).abs()


def against_outputs(logits: Tensor, targets: Tensor) -> Any:
    return ((logits.sum(1) - targets) ** 2).mean()


class Accuracy(nn.Module):
    """A submodule that is defined in another file than the step."""

    def forward(self, logits: Tensor, targets: Tensor) -> Any:
        return (logits.argmax(1) == targets).float().mean()
