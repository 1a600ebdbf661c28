"""What to do where the user's own loss or metric does not take the targets of a mixed batch."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

# What losses and metrics raise where they want integers: PyTorch's and torchmetrics' errors name no cause.
_OF_TARGETS = (IndexError, RuntimeError, TypeError, ValueError)

_HINT = (
    "CoMixup mixed this batch: its targets are class probabilities (B, K). If a loss or a metric refuses them: "
    "comixup_loss of CoMixupMixin and torch's cross_entropy take them, and so does the metric SoftTargetAccuracy; "
    "CoMixup.clean_targets has the integers of the clean batch."
)


def hint_at_soft_targets(exception: BaseException, clean_targets: Any) -> None:
    """Add the hint to an error in a step on a mixed batch whose own targets were integers.

    Args:
        exception: What ended the run; from Python 3.11 on the hint is printed below it, before that it is logged.
        clean_targets: The batch's own targets, None if it was not mixed.
    """
    had_integers = isinstance(clean_targets, Tensor) and not clean_targets.is_floating_point()
    if not had_integers or not isinstance(exception, _OF_TARGETS):
        return
    if hasattr(exception, "add_note"):
        exception.add_note(_HINT)
    else:
        rank_zero_info(_HINT)
