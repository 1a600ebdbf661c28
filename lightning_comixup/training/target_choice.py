"""Whether the inputs and targets that were found in a batch are those that the step takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_comixup.training.batch_layout import describe_key, describe_layout
from lightning_comixup.training.batch_reader import CleanBatch
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.derived_tensors import DerivedTensors
from lightning_comixup.training.loss_watch import BINARY_LOSSES, CLASS_LOSSES, LossWatch

# Losses whose floating-point targets are rows of class probabilities, or several labels at once.
_OF_LABELS = (*CLASS_LOSSES, *BINARY_LOSSES, "soft_margin_loss", "multilabel_soft_margin_loss")

# What is asked of a tensor whose values do not matter, as `batch["image"].shape`.
_FACTS = (int, str, torch.Size, torch.device, torch.dtype, type(None))


class InputsWatch(DerivedTensors):
    """Notes whether the step computes anything with the values of its inputs."""

    is_used = False

    def after_call(self, name: str, args: tuple[Any, ...], derived: list[Tensor], result: Any) -> None:
        """Note a call that gives more than a fact about them."""
        self.is_used = self.is_used or not isinstance(result, _FACTS)


def check_choice_of_inputs(clean: CleanBatch, inputs: InputsWatch, config: MixingConfig) -> None:
    """Check that the step uses the inputs that were found, where the gradient at them does not show it.

    Raises:
        ValueError: If nothing is computed with them: the step uses another part, which would stay as it is.
    """
    if config.input_key is None and not config.has_saliency_of_clean_pass and not inputs.is_used:
        key = describe_key(clean.parts.keys.input_key)
        raise ValueError(
            f"input_key must name the part that the step uses, found {key} of {describe_layout(clean.batch)}, of which "
            "training_step computes nothing: another part would stay unmixed. Pass CoMixup(input_key=...); or "
            f"input_key={clean.parts.keys.input_key!r} if that is right all the same."
        )


def check_choice_of_targets(clean: CleanBatch, found: LossWatch, others: Mapping[str, LossWatch]) -> None:
    """Check that no other part of the batch is what the losses of the step take for targets.

    A batch (image, age, label) does not show which one that is; the step does.

    Args:
        clean: The batch.
        found: What the step did with the targets that were found.
        others: What it did with parts that nobody named, by their keys.

    Raises:
        ValueError: If the losses take another part, and not the targets that were found or those as numbers alone.
    """
    taken = [key for key, watch in others.items() if watch.losses]
    of_classes = [key for key, watch in others.items() if any(not call.linear for call in watch.losses)]
    # Numbers beside labels, such as an age or the logits of a teacher; several labels at once are labels as well.
    is_beside = clean.parts.targets.is_floating_point() and not any(call.function in _OF_LABELS for call in found.calls)
    better = (taken if not found.calls else []) or (of_classes if is_beside else [])
    if better:
        key = describe_key(clean.parts.keys.target_key)
        raise ValueError(
            f"target_key must name the part that the losses of the step take, found {key} of "
            f"{describe_layout(clean.batch)}, while they take that of the key {' and '.join(better)}. Pass "
            f"CoMixup(target_key={better[0]}), and further labels in also_average; or target_key="
            f"{clean.parts.keys.target_key!r} if that is right all the same."
        )
