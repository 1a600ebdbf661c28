"""The module that all recipes train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from lightning_comixup import CoMixupMixin, LossKind
from lightning_comixup.soft_targets.losses import clean_loss

_BEST = 5  # classes of the top-5 accuracy
_LAST_EPOCHS = 10  # the authors report the median of the last ten epochs
_NORMS = (nn.modules.batchnorm._BatchNorm,)


class Classifier(CoMixupMixin, L.LightningModule):
    """A network with its loss, its optimizer and top-1 and top-5 accuracy."""

    last_top1: Tensor

    def __init__(
        self,
        num_classes: int,
        network: Callable[[int], nn.Module],
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None = None,
        loss: LossKind = "ce",
        decay_norms: bool = True,
    ) -> None:
        """Build the network and the metrics.

        Args:
            num_classes: Number K of classes. The command line sets it from the data.
            network: Makes the network, with logits (B, K), from the number of classes.
            optimizer: Makes the optimizer from the parameters.
            scheduler: Makes the learning-rate schedule, which steps after each epoch. None means no schedule.
            loss: The authors use "bce" on CIFAR and Tiny-ImageNet, and "ce" on ImageNet.
            decay_norms: Whether weight decay also applies to the BatchNorm layers.
        """
        super().__init__()
        self.network = network(num_classes)
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.loss_kind: LossKind = loss
        self.decay_norms = decay_norms
        accuracies = {
            "top1": MulticlassAccuracy(num_classes, average="micro"),
            "top5": MulticlassAccuracy(num_classes, average="micro", top_k=min(_BEST, num_classes)),
        }
        # Not grouped, because torchmetrics groups metrics that agree on the first batch. These do if it is all correct.
        self.validation_metrics = MetricCollection(dict(accuracies), prefix="val/", compute_groups=False)
        self.test_metrics = self.validation_metrics.clone(prefix="test/")
        self.register_buffer("last_top1", torch.full((_LAST_EPOCHS,), torch.nan))  # a buffer, which checkpoints save

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of a batch, mixed or not."""
        inputs, targets = batch
        loss = self.comixup_loss(self(inputs), targets, self.loss_kind)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(inputs))
        self.log("train/learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        return loss

    def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the clean loss that matches the kind of loss."""
        return clean_loss(self(inputs), targets, self.loss_kind)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Update and log the metrics with a batch."""
        inputs, targets = batch
        logits = self(inputs)
        self.validation_metrics.update(logits, targets)
        self.log("val/loss", self.comixup_loss(logits, targets, self.loss_kind), batch_size=len(inputs), sync_dist=True)
        self.log_dict(self.validation_metrics, prog_bar=True, batch_size=len(inputs))

    def on_validation_epoch_end(self) -> None:
        """Log the median top-1 accuracy of the last ten epochs."""
        if self.trainer.sanity_checking:
            return
        self.last_top1.copy_(self.last_top1.roll(-1))  # in place, as a new tensor would be bound to inference mode
        self.last_top1[-1] = self.validation_metrics["top1"].compute()
        self.log("val/top1_median_of_last_ten", self.last_top1.nanquantile(0.5), sync_dist=True)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Update and log the metrics with a batch."""
        inputs, targets = batch
        self.test_metrics.update(self(inputs), targets)
        self.log_dict(self.test_metrics, batch_size=len(inputs))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and, if there is one, the schedule."""
        parameters: Any = self.parameters() if self.decay_norms else parameter_groups(self)
        optimizer = self.make_optimizer(parameters)
        if self.make_scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.make_scheduler(optimizer)}}


def parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Return two parameter groups for an optimizer. The second one, for BatchNorm layers, has no weight decay."""
    norms = [parameter for part in module.modules() if isinstance(part, _NORMS) for parameter in part.parameters()]
    is_norm = {id(parameter) for parameter in norms}
    others = [parameter for parameter in module.parameters() if id(parameter) not in is_norm]
    return [{"params": others}, {"params": norms, "weight_decay": 0.0}]
