from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lightning_comixup import MixedBatch, comixup_batch, plot_mixed_batch


def _mixed(channels: int, spatial: tuple[int, ...], classes: int = 10) -> tuple[torch.Tensor, torch.Tensor, MixedBatch]:
    draws = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(12, channels, *spatial, generator=draws), torch.arange(12) % classes
    saliency = inputs.abs().mean(1) ** 4
    return inputs, targets, comixup_batch(inputs, targets, saliency, num_classes=classes, generator=0)


@pytest.mark.parametrize(("channels", "spatial"), [(1, (8, 8)), (3, (8, 12)), (2, (30,)), (5, (9, 9)), (1, (4, 8, 8))])
def test_rows_of_sources_masks_mixed_and_target(channels: int, spatial: tuple[int, ...]) -> None:
    inputs, targets, mixed = _mixed(channels, spatial)
    figure = plot_mixed_batch(inputs, mixed, targets=targets, saliency=inputs.abs().mean(1), rows=3)
    figure.canvas.draw()
    assert len(figure.axes) == 3 * 6


def test_bars_are_the_targets() -> None:
    inputs, targets, mixed = _mixed(1, (8, 8))
    for axis in plot_mixed_batch(inputs, mixed, targets=targets, rows=12).axes[5::6]:
        heights = np.zeros(10)
        bars: list[Any] = list(axis.patches)
        for bar in bars[10:]:  # the parts of the sources follow the grey bars
            heights[round(bar.get_x() + bar.get_width() / 2)] += bar.get_height()
        grey = np.array([bar.get_height() for bar in bars[:10]])
        assert (heights <= grey + 1e-6).all()
        assert heights.sum() >= 0.5  # up to three sources are shown separately


def test_targets_that_are_not_classes() -> None:
    inputs, _, mixed = _mixed(1, (8, 8))
    values = mixed._replace(targets=mixed.mixing_weights @ torch.linspace(-3, 9, 12))
    figure = plot_mixed_batch(inputs, values, targets=torch.linspace(-3, 9, 12), rows=2)
    assert [axis.axison for axis in figure.axes[5::6]] == [False, False]
    several = mixed._replace(targets=3 * mixed.targets - 1)
    low, high = plot_mixed_batch(inputs, several, rows=1).axes[5].get_ylim()
    assert low == -1
    assert 1 <= high <= 2


def test_the_middle_slice_of_a_volume_is_drawn() -> None:
    inputs, targets, mixed = _mixed(1, (4, 8, 8))
    figure = plot_mixed_batch(inputs, mixed, targets=targets, rows=12)
    for row in range(12):
        image = figure.axes[6 * row + 4].get_images()[0].get_array()
        assert image is not None
        drawn, expected = np.asarray(image), mixed.inputs[row, 0, 2].numpy()
        np.testing.assert_allclose(drawn, (expected - expected.min()) / np.ptp(expected), rtol=1e-5, atol=1e-6)


def test_many_classes_show_those_above_zero_by_name() -> None:
    inputs, targets, mixed = _mixed(1, (8, 8), classes=40)
    figure = plot_mixed_batch(inputs, mixed, targets=targets, class_names=[f"class {k}" for k in range(40)], rows=1)
    labels = [label.get_text() for label in figure.axes[5].get_xticklabels()]
    assert 2 <= len(labels) <= 12
    assert all(label.startswith("class ") for label in labels)
