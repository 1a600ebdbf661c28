"""Notes on the errors of a user's step, which say in which of its two passes they arose and what that means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch.utilities import rank_zero_info

from lightning_comixup.saliencies.low_resolution import LowResolution
from lightning_comixup.training.call_origin import users_line

_CLEAN_PASS = (
    "This happened in CoMixup's clean pass, which differentiates the loss of the clean batch before the step on the "
    "mixed one. Without the callback the step would get the same batch, except that the inputs require a gradient "
    "here."
)
_CLEAN_BATCH = (
    " If the error is about that, use `.detach()` or `.clone()` of the inputs. A loss that only accepts soft targets "
    "cannot take the clean batch's integers: use torch's cross_entropy, which accepts both."
)
_MIXIN = (
    " The losses belong to CoMixupMixin: import it from lightning_comixup, and derive the module as in "
    "`class Net(CoMixupMixin, LightningModule)`."
)
_LOSSES_OF_MIXIN = ("comixup_loss", "comixup_clean_loss")
_EVAL_MODE = (
    " With clean_weight=0 the module is in eval mode there. A step that requires training mode needs a clean_weight "
    "above 0."
)
_LOOK = (
    "This happened while CoMixup looked at the targets: in the first step of a run it calls training_step once more, "
    "in eval mode, to find out the kind of its targets. If the step only works in training mode, pass "
    "CoMixup(num_classes=...), or linear_targets=True for numeric targets. Errors there are then ignored."
)
_SMALLER = (
    "This happened in CoMixup's clean pass, on inputs that saliency={saliency} made smaller. A head of a fixed size, "
    "such as a linear layer after a Flatten, does not accept them: put an nn.AdaptiveAvgPool2d or the like before it. "
    "Nor do they fit parts of the batch that have the inputs' size: name those in also_mix. Alternatively pass "
    "CoMixup(saliency=None), or use Edges() or SpectralResidual(), which need no network."
)
_PART_OF_BATCH = (
    " With mixed_share and clean_weight=0 it gets only the rows of the mixed groups. A step that requires whole "
    "batches needs CoMixup(mixed_share=1), or a clean_weight above 0."
)
# Losses and metrics that require integers raise these errors. The messages of other libraries do not name the cause.
_ERRORS_OF_TARGETS = (AssertionError, IndexError, RuntimeError, TypeError, ValueError)
_MIXED_TARGETS = (
    "CoMixup mixed this batch: its targets are class probabilities (B, K). If a loss or a metric rejects them, use "
    "comixup_loss of CoMixupMixin, torch's cross_entropy or the metric SoftTargetAccuracy, which accept them. For an "
    "accuracy take `targets if targets.ndim == 1 else targets.argmax(1)`. A loss that only accepts integers works as "
    "comixup_loss(..., loss_fn=...). CoMixup.clean_targets has the integers of the clean batch."
)


class MisusedTargetsError(ValueError):
    """A step misuses mixed targets. The message is complete and needs no further note."""


@contextmanager
def explaining_clean_pass(
    *, in_eval_mode: bool = False, of_part: bool = False, smaller: LowResolution | None = None, is_look: bool = False
) -> Iterator[None]:
    """Note on any error that it arose in the clean pass, and how that differs from a step without the callback.

    Args:
        in_eval_mode: Whether the module is in eval mode during the pass.
        of_part: Whether the pass gets only some rows of the batch.
        smaller: The saliency that made its inputs smaller, if any.
        is_look: Whether the pass only serves to find out the kind of the targets.
    """
    try:
        yield
    except Exception as error:
        is_smaller = smaller is not None and smaller.factor > 1
        about = _SMALLER.format(saliency=smaller) if is_smaller else _CLEAN_PASS + _remedy(error)
        note = _LOOK if is_look else about + _EVAL_MODE * in_eval_mode + _PART_OF_BATCH * of_part
        _add_note(error, f"{note} The error arose at {users_line(error)}.")
        raise


def _remedy(error: Exception) -> str:
    """Return what to do about an error in the clean pass, if its kind shows that."""
    if isinstance(error, AttributeError) and error.name in _LOSSES_OF_MIXIN:
        return _MIXIN
    return _CLEAN_BATCH * isinstance(error, _ERRORS_OF_TARGETS)


@contextmanager
def explaining_mixed_targets(*, have_classes: bool) -> Iterator[None]:
    """If targets were labels before mixing, explain the soft targets on any error that they may have caused."""
    try:
        yield
    except _ERRORS_OF_TARGETS as error:
        if have_classes:
            note_mixed_targets(error)
        raise


def note_mixed_targets(error: BaseException) -> None:
    """Add an explanation of the mixed targets, and the user's line, to an error that they may have caused."""
    if isinstance(error, _ERRORS_OF_TARGETS) and not isinstance(error, MisusedTargetsError):
        _add_note(error, f"{_MIXED_TARGETS} The error arose at {users_line(error)}.")


def _add_note(error: BaseException, note: str) -> None:
    """Add a note to an error. From Python 3.11 on it is printed below the error. Older versions log it."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        rank_zero_info(note)
