from __future__ import annotations

import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassCalibrationError

from lightning_comixup.soft_targets.metrics import SoftTargetAccuracy


def test_integer_targets_give_the_accuracy_over_all_batches() -> None:
    metric = SoftTargetAccuracy()
    metric.update(torch.eye(3), torch.tensor([0, 1, 0]))
    metric.update(torch.eye(3)[:1], torch.tensor([0]))
    assert float(metric.compute()) == 0.75


def test_soft_targets_give_the_mass_of_the_predicted_class() -> None:
    metric = SoftTargetAccuracy()
    metric.update(torch.tensor([[0.0, 5.0], [5.0, 0.0]]), torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    assert float(metric.compute()) == 0.625
    metric.reset()
    assert int(metric.samples) == 0


def test_it_works_in_a_collection() -> None:
    metrics = MetricCollection([SoftTargetAccuracy(), MulticlassCalibrationError(3)])
    metrics.update(torch.eye(3), torch.tensor([0, 1, 2]))
    assert float(metrics.compute()["SoftTargetAccuracy"]) == 1
