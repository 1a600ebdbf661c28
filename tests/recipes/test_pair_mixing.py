"""The callbacks of the baselines."""

from __future__ import annotations

import lightning as L
import pytest
import torch
from torch import Tensor

from examples.recipes.pair_mixing import Cutmix, Mixup, PairMixing, mix_pairs
from tests.tiny import CLASSES, Tiny, fit

pytest.importorskip("torchvision")


def _seen(callback: PairMixing, monkeypatch: pytest.MonkeyPatch, seed: int = 3) -> list[tuple[Tensor, Tensor]]:
    monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
    module = Tiny()
    fit(module, callback)
    return module.seen


@pytest.mark.parametrize("kind", [Mixup, Cutmix])
def test_inputs_and_targets_are_mixed_alike(kind: type[PairMixing], monkeypatch: pytest.MonkeyPatch) -> None:
    clean = _seen_clean()
    for (inputs, targets), (mixed, soft_targets) in zip(clean, _seen(kind(CLASSES), monkeypatch), strict=True):
        rows = torch.nn.functional.one_hot(targets, CLASSES).float()
        weight = _share_of_first(mixed, inputs, inputs.roll(1, 0))
        torch.testing.assert_close(soft_targets, weight * rows + (1 - weight) * rows.roll(1, 0), atol=1e-4, rtol=0)


def _seen_clean() -> list[tuple[Tensor, Tensor]]:
    module = Tiny()
    fit(module, L.Callback())
    return module.seen


def _share_of_first(mixed: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return the share of `first` that best explains `mixed`. For pasted boxes, this is the share of the area."""
    difference = first - second
    is_pasted = bool(((mixed == first) | (mixed == second)).all())
    if is_pasted:
        return (mixed == first).float().mean()
    return ((mixed - second) * difference).sum() / difference.square().sum()


def test_draws_depend_on_seed_and_batch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    first = _seen(Mixup(CLASSES), monkeypatch)
    torch.manual_seed(2)
    again = _seen(Mixup(CLASSES), monkeypatch)
    assert all(torch.equal(a, b) for pair in zip(first, again, strict=True) for a, b in zip(*pair, strict=True))
    other = _seen(Mixup(CLASSES), monkeypatch, seed=4)
    assert not torch.equal(first[0][0], other[0][0])
    assert not torch.equal(first[0][0], first[4][0])  # both are from the same clean batch, in different epochs


def test_signals_are_images_of_one_row() -> None:
    from torchvision.transforms import v2

    signals = torch.randn(4, 2, 50, generator=torch.Generator().manual_seed(0))
    mixed, soft_targets = mix_pairs(v2.MixUp(num_classes=3), signals, torch.tensor([0, 1, 2, 0]))
    assert mixed.shape == signals.shape
    weight = _share_of_first(mixed, signals, signals.roll(1, 0))
    torch.testing.assert_close(mixed, weight * signals + (1 - weight) * signals.roll(1, 0))
    torch.testing.assert_close(soft_targets[1], torch.tensor([1 - float(weight), float(weight), 0.0]))


def test_alpha_of_zero() -> None:
    with pytest.raises(ValueError, match="--mixing none"):
        Mixup(CLASSES, alpha=0.0)
