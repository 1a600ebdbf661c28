"""Checking that the inputs and targets found in a batch are the ones that the step uses."""

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

# The types of facts about a tensor that do not depend on its values, such as `batch["image"].shape`.
_FACTS = (int, str, torch.Size, torch.device, torch.dtype, type(None))


class InputsWatch(DerivedTensors):
    """Records whether the step computes anything from the values of its inputs."""

    is_used = False

    def after_call(self, name: str, args: tuple[Any, ...], derived: list[Tensor], result: Any) -> None:
        """Record a call that returns more than a fact about the inputs."""
        self.is_used = self.is_used or not isinstance(result, _FACTS)


def check_choice_of_inputs(clean: CleanBatch, inputs: InputsWatch, config: MixingConfig) -> None:
    """Check that the step uses the inputs that were found, if no gradient at them shows it.

    Raises:
        ValueError: If nothing is computed from them. The step then uses another part, which would stay unmixed.
    """
    if config.input_key is None and not config.has_saliency_of_clean_pass and not inputs.is_used:
        key = describe_key(clean.parts.keys.input_key)
        raise ValueError(
            f"input_key must name the part that the step uses, found {key} of {describe_layout(clean.batch)}, from "
            "which training_step computes nothing: another part would stay unmixed. Pass CoMixup(input_key=...), or "
            f"input_key={clean.parts.keys.input_key!r} if that is right nevertheless."
        )


def check_choice_of_targets(clean: CleanBatch, found: LossWatch, others: Mapping[str, LossWatch]) -> None:
    """Check that the losses of the step do not use another part of the batch as targets.

    In a batch (image, age, label) the targets are not obvious, but the step reveals them.

    Args:
        clean: The batch.
        found: The uses of the targets that were found.
        others: The uses of unnamed parts, by their keys.

    Raises:
        ValueError: If the losses use another part, and do not use the targets that were found, or only as numbers.
    """
    taken = [key for key, watch in others.items() if watch.losses]
    of_classes = [key for key, watch in others.items() if any(not call.linear for call in watch.losses)]
    # Numbers next to labels, such as an age or the logits of a teacher. Several labels at once count as labels.
    is_beside = clean.parts.targets.is_floating_point() and not any(call.function in _OF_LABELS for call in found.calls)
    better = (taken if not found.calls else []) or (of_classes if is_beside else [])
    if better:
        key = describe_key(clean.parts.keys.target_key)
        raise ValueError(
            f"target_key must name the part that the losses of the step use, found {key} of "
            f"{describe_layout(clean.batch)}, while they use the part {' and '.join(better)}. Pass "
            f"CoMixup(target_key={better[0]}), with further labels in also_average, or pass target_key="
            f"{clean.parts.keys.target_key!r} if that is right nevertheless."
        )
