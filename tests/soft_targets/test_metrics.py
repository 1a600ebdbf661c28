from __future__ import annotations

import pytest
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


def test_the_top_classes_count_together() -> None:
    predictions = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    for top_k, soft, hard in ((1, 0.3, 0.0), (2, 0.75, 0.5), (3, 1.0, 1.0)):
        metric = SoftTargetAccuracy(top_k=top_k)
        metric.update(predictions, torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.65, 0.1]]))
        assert float(metric.compute()) == pytest.approx(soft)
        metric.reset()
        metric.update(predictions, torch.tensor([1, 0]))
        assert float(metric.compute()) == hard


def test_predicted_classes_may_replace_logits() -> None:
    logits, rows = torch.eye(3), torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.65, 0.1], [0.2, 0.2, 0.6]])
    for target in (rows, torch.tensor([0, 2, 2])):
        found, wanted = SoftTargetAccuracy(), SoftTargetAccuracy()
        wanted.update(logits, target)
        found.update(torch.arange(3), target)
        assert torch.equal(found.compute(), wanted.compute())


def test_no_state_needs_float64() -> None:
    metric = SoftTargetAccuracy()
    metric.update(torch.eye(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64))
    states = [getattr(metric, name) for name in ("mass", "samples", "counted_classes")]
    dtypes = {tensor.dtype for tensor in (*states, *metric.buffers(), *metric.state_dict().values())}
    assert dtypes == {torch.int64}
    assert metric.compute().dtype == torch.float32
    assert not metric.state_dict()


@pytest.mark.parametrize("way", ["update", "forward"])
def test_millions_of_samples_do_not_drift(way: str) -> None:
    """`forward` merges states outside `update`. A sum in float32 would stop growing at 2**24."""
    metric = SoftTargetAccuracy()
    share = torch.tensor([[0.7, 0.3]])
    logits = torch.tensor([[1.0, 0.0]])
    metric.update(logits.expand(5_000_000, 2), share.expand(5_000_000, 2))
    metric.mass, metric.samples = metric.mass * 4, metric.samples * 4
    before = metric.mass.clone()
    for _ in range(1000):
        metric.update(logits, share) if way == "update" else metric(logits, share)
    assert metric.samples == 20_001_000
    added = float(metric.mass - before) / float(before) * 20_000_000
    assert added == pytest.approx(1000, rel=1e-6)
    assert float(metric.compute()) == pytest.approx(0.7, rel=1e-6)


def test_ranks_add_up() -> None:
    """The states are reduced as `dist_reduce_fx` reduces gathered states."""
    whole, parts = SoftTargetAccuracy(top_k=2), [SoftTargetAccuracy(top_k=2) for _ in range(2)]
    draws = torch.Generator().manual_seed(0)
    for rows in (3, 5):
        for part in parts:
            batch = torch.rand(rows, 4, generator=draws), torch.rand(rows, 4, generator=draws).softmax(1)
            whole.update(*batch)
            part.update(*batch)
    gathered = {name: [getattr(part, name) for part in parts] for name in ("mass", "samples", "counted_classes")}
    reduced = SoftTargetAccuracy(top_k=2)
    reduced.update(*batch)
    for name, values in gathered.items():
        setattr(reduced, name, reduced._reductions[name](torch.stack(values)))  # type: ignore[misc, operator]
    assert torch.equal(reduced.compute(), whole.compute())
    assert reduced.counted_classes == 2


def test_a_collection_does_not_merge_metrics_that_agree_on_the_first_batch() -> None:
    metrics = MetricCollection({f"top{k}": SoftTargetAccuracy(top_k=k) for k in (1, 2)})
    metrics.update(torch.eye(3), torch.tensor([0, 1, 2]))
    metrics.update(torch.eye(3) + torch.eye(3).roll(1, 1) / 2, torch.tensor([1, 2, 0]))
    assert {name: float(value) for name, value in metrics.compute().items()} == {"top1": 0.5, "top2": 1.0}
