"""The parameters' gradients of the clean loss, from the clean pass until the backward of the mixed loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from lightning_comixup.training.lightning_internals import skips_backward


class CleanGradient:
    """Gradients to be added to their parameters' `.grad` once."""

    def __init__(self, parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
        """Copy the gradients.

        `autograd.grad` may return one tensor for two parameters, views of stride 0, or strides that differ from the
        parameter's. Each `.grad` must be a separate tensor with the parameter's layout.

        Args:
            parameters: The parameters.
            gradients: Their gradients; None where the clean loss does not reach one.
        """
        found = [(p, gradient) for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None]
        reached = [parameter for parameter, _ in found]
        self._pairs = list(zip(reached, own_copies(reached, [gradient for _, gradient in found]), strict=True))
        self._known = {id(parameter) for parameter in parameters}
        self.consumed = False

    def add(self, trained: Sequence[nn.Parameter]) -> None:
        """Add the gradients to the `.grad` of those parameters that still require one.

        Args:
            trained: The optimizers' parameters that require a gradient now.

        Raises:
            RuntimeError: If this is the second call, or one of `trained` did not require a gradient in the clean pass.
        """
        if self.consumed:
            raise RuntimeError(
                "There must be one backward per mixed batch, found a second one: an optimizer calls its closure "
                "several times (LBFGS, SAM), or there are several manual_backward calls. The clean gradient belongs to "
                "only one of them. Use clean_weight=0."
            )
        if any(id(parameter) not in self._known for parameter in trained):
            raise RuntimeError(
                "Parameters must be thawed before the clean pass, found some that require a gradient only now: their "
                "clean gradient is missing. Thaw them in on_train_epoch_start or in a callback placed before CoMixup."
            )
        sums: list[Tensor] = []
        terms: list[Tensor] = []
        for parameter, gradient in self._pairs:
            if not parameter.requires_grad:
                continue  # frozen in the meantime, for example by toggle_optimizer
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                sums.append(parameter.grad)
                terms.append(gradient)
        if sums:
            with torch.no_grad():
                _together(torch._foreach_add_, Tensor.add_, sums, terms)
        self._pairs = []
        self.consumed = True


def trained_parameters(trainer: pl.Trainer, module: pl.LightningModule) -> list[nn.Parameter]:
    """Return the parameters of the module and the optimizers that require a gradient at this moment, each once.

    The module's parameters matter too, since it may step optimizers of its own that the Trainer does not know.
    """
    groups = (group for optimizer in trainer.optimizers for group in optimizer.param_groups)
    found = {id(p): p for p in module.parameters() if p.requires_grad}
    found |= {id(p): p for group in groups for p in group["params"] if p.requires_grad}
    return list(found.values())


def check_reached(trainer: pl.Trainer, parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    """Check that the clean loss reaches the optimizers' parameters, if there are any.

    Raises:
        RuntimeError: If it reaches none of them.
    """
    optimized = {id(p) for optimizer in trainer.optimizers for group in optimizer.param_groups for p in group["params"]}
    found = [gradient for p, gradient in zip(parameters, gradients, strict=True) if id(p) in optimized]
    if found and all(gradient is None for gradient in found):
        raise RuntimeError(
            f"The clean loss must reach the parameters, found all of their {len(found)} gradients missing. "
            "The clean loss uses none of the optimizer's parameters: the layers it uses are frozen, or the strategy "
            "shards them. Use clean_weight=0, which needs no parameter gradients."
        )


def check_leaves(loss: Tensor, known: Sequence[Tensor]) -> None:
    """Check that the loss reaches no tensors that require a gradient except the known ones.

    Raises:
        RuntimeError: If it reaches another one, whose clean gradient would be lost.
    """
    numbers = {id(tensor) for tensor in known}
    pending, seen = [loss.grad_fn], set[Any]()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        pending += [following for following, _ in node.next_functions]
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor) and leaf.is_leaf and id(leaf) not in numbers:
            raise RuntimeError(
                "Tensors that the clean loss trains must be parameters of the module or of its optimizers, found one "
                f"of shape {tuple(leaf.shape)} that is neither: its clean gradient would be lost. If it is not "
                "trained, such as a teacher's, freeze it with requires_grad_(False). Otherwise register it as an "
                "nn.Parameter of the module, or use clean_weight=0."
            )


def check_hooks(parameters: Sequence[nn.Parameter]) -> None:
    """Check that a backward of the clean loss alone triggers no hooks.

    Raises:
        RuntimeError: If a parameter has a hook on its gradient, which may step an optimizer.
    """
    found = sum(bool(getattr(parameter, "_post_accumulate_grad_hooks", None)) for parameter in parameters)
    if found:
        raise RuntimeError(
            "Parameters must not have post-accumulate-grad hooks if the clean pass runs a backward, found "
            f"{found} with hooks: one that steps an optimizer would step it twice. Leave clean_gradient and the "
            "module's backward at their defaults, or use clean_weight=0."
        )


def check_consumed(gradient: CleanGradient, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any) -> None:
    """Check that a backward has consumed the clean gradient, unless the step intentionally had no backward.

    Args:
        gradient: The clean gradient of the step.
        trainer: The Trainer.
        module: The module.
        outputs: The outputs of the step, as passed to `on_train_batch_end`.

    Raises:
        RuntimeError: If the gradient is left over.
    """
    if not gradient.consumed and not _has_no_backward(trainer, module, outputs):
        raise RuntimeError(
            "The clean gradient must be used in the backward of the mixed loss, found no backward that callbacks "
            "notice in this step. With manual optimization call self.manual_backward(loss) instead of "
            "loss.backward(), or use clean_weight=0."
        )


def _has_no_backward(trainer: pl.Trainer, module: pl.LightningModule, outputs: Any) -> bool:
    """Whether the step intentionally had no backward: it returned None, or weight averaging is updating BatchNorm."""
    returned_nothing = outputs is None or (isinstance(outputs, dict) and not outputs)
    return module.automatic_optimization and (returned_nothing or skips_backward(trainer))


def own_copies(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor]) -> list[Tensor]:
    """Return copies of gradients with their parameters' own strides; sparse gradients keep their layout."""
    copies = [
        torch.empty_like(parameter) if gradient.layout == torch.strided else gradient.clone()
        for parameter, gradient in zip(parameters, gradients, strict=True)
    ]
    to_fill = [pair for pair in zip(copies, gradients, strict=True) if pair[1].layout == torch.strided]
    if to_fill:
        _together(torch._foreach_copy_, Tensor.copy_, *map(list, zip(*to_fill, strict=True)))
    return copies


def _together(
    all_at_once: Callable[..., Any], one_by_one: Callable[..., Any], changed: list[Tensor], others: list[Tensor]
) -> None:
    """Change tensors in place by others, all at once if possible.

    On a GPU, launching a kernel takes longer than processing one gradient. Subclasses of Tensor may not support the
    operations on many tensors, and sparse gradients do not.
    """
    if all(type(tensor) is Tensor and tensor.layout == torch.strided for tensor in (*changed, *others)):
        all_at_once(changed, others)
        return
    for tensor, other in zip(changed, others, strict=True):
        one_by_one(tensor, other)


@contextmanager
def cleared_gradients(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Clear every `.grad` for a backward, and restore it afterwards.

    The context must begin before the forward, because FSDP2 exchanges a module's parameters between forward and
    backward.
    """
    earlier = [(parameter, parameter.grad) for parameter in {id(p): p for p in parameters}.values()]
    try:
        for parameter, _ in earlier:
            parameter.grad = None
        yield
    finally:
        for parameter, gradient in earlier:
            parameter.grad = gradient
