from __future__ import annotations

import pytest
import torch
from torch import Tensor

from examples.evaluation.calibration import measure_calibration, measure_reliability
from examples.evaluation.network import Predictions


def _logits(confidences: list[float]) -> Tensor:
    """Return logits of two classes that give the first class these probabilities."""
    confidence = torch.tensor(confidences)
    return torch.stack([confidence, 1 - confidence], 1).log()


# With bins of width 0.1, the first two predictions are in [0.6, 0.7), and one of them is right. The other two are in
# [0.9, 1], and both are right.
_FOUR = Predictions(_logits([0.62, 0.66, 0.95, 0.97]), torch.tensor([0, 1, 0, 0]))
_BY_HAND = 0.5 * abs(0.5 - 0.64) + 0.5 * abs(1 - 0.96)


def test_the_error_of_four_predictions() -> None:
    # With 20 bins, 0.62 and 0.66 are in different bins. The value 0.95 may be on either side of an edge, which makes no
    # difference because it and 0.97 are both right.
    twenty = (abs(1 - 0.62) + abs(0 - 0.66) + abs(1 - 0.95) + abs(1 - 0.97)) / 4
    found = measure_calibration(_FOUR, [10, 20])
    assert found == {"10 bins": pytest.approx(_BY_HAND, abs=1e-6), "20 bins": pytest.approx(twenty, abs=1e-6)}


def test_a_confidence_of_one_shares_the_last_bin() -> None:
    predictions = Predictions(torch.tensor([[200.0, 0], _logits([0.92])[0].tolist()]), torch.tensor([1, 0]))
    # One bin has accuracy 1/2 and confidence 0.96. Two bins would give (1 + 0.08) / 2.
    assert measure_calibration(predictions, [10])["10 bins"] == pytest.approx(0.46, abs=1e-6)
    assert measure_reliability(predictions, 10).counts.tolist() == [0] * 9 + [2]


def test_the_bins_of_the_diagram() -> None:
    found = measure_reliability(_FOUR, 10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]
    assert found.accuracy[[6, 9]].tolist() == [0.5, 1]
    assert found.confidence[[6, 9]].tolist() == pytest.approx([0.64, 0.96])
    assert found.accuracy[[0, 7]].isnan().all()


def test_the_diagram_shows_the_error_that_is_reported() -> None:
    draws = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(500, 4, generator=draws)
    predictions = Predictions(logits, torch.randint(4, (500,), generator=draws))
    found = measure_reliability(predictions, 15)
    gaps = found.counts / 500 * (found.accuracy - found.confidence).abs()
    assert float(gaps.nansum()) == pytest.approx(measure_calibration(predictions, [15])["15 bins"], abs=1e-6)


def test_a_confidence_on_an_edge_belongs_to_the_bin_above() -> None:
    predictions = Predictions(torch.zeros(1, 2), torch.tensor([0]))  # 0.5
    assert measure_reliability(predictions, 10).counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
