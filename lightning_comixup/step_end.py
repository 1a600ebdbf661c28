"""The end of a step: was the clean gradient used?"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl

from lightning_comixup.kept_gradients import KeptGradients


def check_taken(kept: KeptGradients, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any) -> None:
    """Check that a backward took the clean gradient, unless the step was meant to have none.

    Raises:
        RuntimeError: If it is left over.
    """
    if not kept.added and not _step_was_skipped(trainer, module, outputs):
        raise RuntimeError(
            "The clean gradient must be taken by the backward of the mixed loss, found none that callbacks see in "
            "this step. With manual optimization call self.manual_backward(loss), not loss.backward(), or use "
            "clean_weight=0."
        )


def _step_was_skipped(trainer: pl.Trainer, module: pl.LightningModule, outputs: Any) -> bool:
    """Whether the step had no backward on purpose: it returned None, or weight averaging updates BatchNorm only."""
    returned_nothing = outputs is None or (isinstance(outputs, dict) and not outputs)
    skips_backward = bool(getattr(trainer.fit_loop, "_skip_backward", False))
    return module.automatic_optimization and (returned_nothing or skips_backward)
