"""Applying losses that accept only integer targets (focal losses, margin losses and the like) to soft targets."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lightning_comixup.validation import widen

PerSampleLoss = Callable[[Tensor, Tensor], Tensor]


def losses_by_class(loss_fn: PerSampleLoss, logits: Tensor, targets: Tensor, ignore_index: int | None) -> Tensor:
    """Return each sample's loss, averaged over the classes of its target and weighted by their shares.

    `loss_fn` is called once, on all pairs of a sample and a class that has a share in its target. Integer targets
    without `ignore_index` are passed on directly. Ignored samples are left out, because some losses depend on the whole
    batch. Finding the pairs waits for the device.

    Args:
        loss_fn: Maps n rows of logits and n integers to n losses.
        logits: (B, D).
        targets: (B,) integer or (B, K) class probabilities.
        ignore_index: Integer target of samples whose loss is 0. The loss of a row of zeros is always 0.

    Returns:
        (B,), float32 or wider.

    Raises:
        TypeError: If `loss_fn` does not return a floating-point tensor.
        ValueError: If it does not return one loss per sample.
    """
    if targets.ndim == 2:
        samples, classes = targets.nonzero(as_tuple=True)
        return _sum_by_sample(loss_fn, logits, samples, classes, targets[samples, classes])
    targets = targets.long()
    if ignore_index is None:
        return _call(loss_fn, logits, targets)
    (samples,) = (targets != ignore_index).nonzero(as_tuple=True)
    return _sum_by_sample(loss_fn, logits, samples, targets[samples], None)


def _sum_by_sample(
    loss_fn: PerSampleLoss, logits: Tensor, samples: Tensor, classes: Tensor, shares: Tensor | None
) -> Tensor:
    chosen = logits[samples]
    # Many losses fail or return NaN for an empty batch. An empty sum of logits takes their place and keeps the graph.
    losses = _call(loss_fn, chosen, classes) if len(samples) > 0 else widen(chosen.sum(1))
    if shares is not None:
        losses = losses * shares.to(losses.dtype)
    return losses.new_zeros(len(logits)).index_add(0, samples, losses)


def _call(loss_fn: PerSampleLoss, logits: Tensor, targets: Tensor) -> Tensor:
    losses = loss_fn(logits, targets)
    remedy = 'Leave out its mean or sum, by reduction="none" if it has that argument.'
    if not isinstance(losses, Tensor) or not losses.is_floating_point():
        found = losses.dtype if isinstance(losses, Tensor) else type(losses).__name__
        raise TypeError(f"loss_fn must return a floating-point tensor of one loss per sample, found {found}. {remedy}")
    if losses.shape != targets.shape:
        raise ValueError(
            f"loss_fn must return one loss per sample, {tuple(targets.shape)}, found shape {tuple(losses.shape)}. "
            f"{remedy}"
        )
    return widen(losses)
