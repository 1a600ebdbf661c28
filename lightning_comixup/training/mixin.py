"""A mixin that a LightningModule may inherit to train on mixed batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from lightning_comixup.soft_targets.integer_losses import PerSampleLoss
from lightning_comixup.soft_targets.loss_checks import LossKind, Reduction
from lightning_comixup.soft_targets.losses import clean_loss, soft_target_loss


class CoMixupMixin:
    """Losses for mixed batches: `class Lit(CoMixupMixin, LightningModule)`.

    Attributes:
        comixup_loss_kind: "ce" (default) or "bce", see `comixup_loss`.
    """

    comixup_loss_kind: ClassVar[LossKind] = "ce"

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Call the module."""

    def comixup_loss(
        self,
        logits: Tensor,
        targets: Tensor,
        kind: LossKind | None = None,
        *,
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
        ignore_index: int | None = None,
        loss_fn: PerSampleLoss | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """Return the loss of a mixed or clean batch; use it in training, validation and test steps.

        Args:
            logits: (B, K), any floating-point dtype. With a `loss_fn`, (B, D), such as embeddings for a margin loss.
            targets: (B,) or (B, 1) integer, or (B, K) class probabilities.
            kind: "ce" for cross-entropy, or "bce" for the authors' loss on CIFAR and Tiny-ImageNet, the binary
                cross-entropy of the softmax averaged over batch and classes. None means `comixup_loss_kind`.
            label_smoothing: Share of each target that is spread evenly over the classes.
            class_weights: (K,) weight of each class. The mean of "ce" divides by the weights of the targets, in which
                each class counts by its share, so that one-hot rows and integers have the same loss. (PyTorch divides
                the loss of class probabilities by B.)
            ignore_index: Integer target of samples that do not count, such as PyTorch's -100. If None, such a target is
                an error. Otherwise the mean divides by the sum of the targets that count, and a row of zeros does not
                count. If nothing counts, the loss is 0.
            loss_fn: A loss that accepts only integer targets, such as a focal or margin loss, used instead of the
                kinds. It maps (logits, integers) of n samples to n losses, `reduction="none"`. For (B, K) targets it is
                called once on all pairs of a sample and a class with a share in its target, and the losses are averaged
                by these shares. Finding these pairs, or the samples to ignore, waits for the device once.
            reduction: "mean", "sum", or "none" for one loss per sample.

        Returns:
            A scalar, or (B,) with `reduction="none"`, in float32 or wider.

        Raises:
            TypeError: If logits are not a floating-point tensor, targets are not a tensor, or an option has the wrong
                type.
            ValueError: If shapes, dtypes or devices do not fit, an integer is not a class (on a GPU with PyTorch's
                own error), or an option is out of range.
        """
        default = None if loss_fn is not None else self.comixup_loss_kind
        return soft_target_loss(
            logits,
            targets,
            default if kind is None else kind,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            ignore_index=ignore_index,
            loss_fn=loss_fn,
            reduction=reduction,
        )

    def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss that the clean pass differentiates; override it for a loss other than `training_step`'s.

        If it is overridden, the clean pass calls it, and otherwise `training_step`. This default is used for the loss
        kind "bce", manual optimization and `CoMixup(clean_loss="forward")`.

        Args:
            inputs: The clean inputs; the loss must depend on this tensor.
            targets: The batch's own targets.

        Returns:
            A scalar, before `clean_weight`: the cross-entropy, times 2/K for the loss kind "bce" (as in the authors'
            code).

        Raises:
            TypeError: See `comixup_loss`; also if the module's output is not a floating-point tensor.
            ValueError: See `comixup_loss`.
        """
        return clean_loss(self(inputs), targets, self.comixup_loss_kind)
