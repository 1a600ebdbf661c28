"""The study's training: the step of each method, what runs of the same seed share, and the state that is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from examples.study_parts import training
from examples.study_parts.choice import missing_code
from examples.study_parts.methods import METHODS
from examples.study_parts.mixup import draw_cutmix, draw_mixup
from examples.study_parts.module import Student
from examples.study_parts.names import (
    AUTHORS_CUTS,
    HALF_CUTMIX,
    METHOD_NAMES,
    NONE,
    PAPER,
    RESNET18,
    SMALL,
    STOPPED,
    TUNED,
    TUNED_MIXING,
)
from examples.study_parts.network import make_network
from examples.study_parts.recipes import RECIPES, Rates
from examples.study_parts.training import Batches, Way, predict, train
from tests.study.tiny import make_images

_CLASSES = 10
_IMAGES = make_images(50, side=16)
_WAY = Way("digits", 3)


def _note_batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """Return a list to which every step appends its batch."""
    seen: list[tuple[Tensor, Tensor]] = []
    step = Student.training_step

    def note(self: Student, batch: Any, batch_idx: int) -> Tensor:
        seen.append(batch)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Student, "training_step", note)
    return seen


def _clean_and_cutmix(network: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor, draws: Any) -> Tensor:
    mixed = draw_cutmix(images, targets, draws)
    return F.cross_entropy(network(images), targets) + F.cross_entropy(network(mixed.inputs), mixed.targets)


def _half_mixup(network: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor, draws: Any) -> Tensor:
    mixed = draw_mixup(images[:25], targets[:25], draws)
    logits = network(torch.cat([mixed.inputs, images[25:]]))
    losses = F.cross_entropy(logits, torch.cat([mixed.targets, targets[25:]]), reduction="none")
    return losses.sum() / 50


@pytest.mark.parametrize(
    ("method", "loss"), [("clean + CutMix", _clean_and_cutmix), ("MixUp, half of each batch", _half_mixup)]
)
def test_steps_by_hand(method: str, loss: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _note_batches(monkeypatch)
    trained = train(_IMAGES, _IMAGES, _WAY, method, seed=3).module
    assert [len(labels) for _, labels in seen] == [50] * 3
    by_hand = Student(SMALL, RECIPES["digits"], METHODS[method], 3, Rates(0.2))
    network, draws, rate = by_hand.network, np.random.default_rng(3), RECIPES["digits"].rates.learning_rate
    optimizer = torch.optim.SGD(network.parameters(), rate, momentum=0.9, nesterov=True, weight_decay=1e-4)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=3, cycle_momentum=False)
    for images, labels in seen:
        optimizer.zero_grad()
        loss(network, images, F.one_hot(labels, _CLASSES).float(), draws).backward()
        optimizer.step()
        cycle.step()
    for found, expected in zip(trained.network.state_dict().values(), network.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_every_method_has_its_name() -> None:
    assert tuple(METHODS) == METHOD_NAMES


def test_batches_go_through_all_images_in_each_epoch() -> None:
    batches = Batches(7, 3, 5, seed=0)
    found = list(batches)
    assert len(batches) == len(found) == 5
    epochs = [found[0] + found[1], found[2] + found[3]]
    assert all(len(set(epoch)) == 6 and set(epoch) <= set(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert list(batches) == found
    assert list(Batches(7, 3, 5, seed=1)) != found
    assert [len(batch) for batch in Batches(4, 100, 2, seed=0)] == [4, 4]


def test_runs_of_a_seed_start_the_same_and_differ_by_method(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _note_batches(monkeypatch)
    firsts, weights = [], []
    like_others = (TUNED, STOPPED, *TUNED_MIXING)
    methods = [method for method in METHODS if method not in like_others and not missing_code(method)]
    for method in methods:
        seen.clear()
        trained = train(_IMAGES, _IMAGES, _WAY, method, seed=0)
        firsts.append(seen[0][0])  # for Co-Mixup, the batch of the clean pass or a part of it
        weights.append(trained.module.network.state_dict()["0.weight"])
        assert trained.seconds > 0
    plain = dict(zip(methods, firsts, strict=True))
    assert all(
        torch.equal(plain[NONE], plain[method])
        for method in ("MixUp", HALF_CUTMIX, PAPER, AUTHORS_CUTS)
        if method in plain
    )
    assert all(not torch.equal(a, b) for number, a in enumerate(weights) for b in weights[:number])
    again = train(_IMAGES, _IMAGES, _WAY, PAPER, seed=0).module.network.state_dict()["0.weight"]
    assert torch.equal(again, weights[methods.index(PAPER)])


def test_weights_follow_from_the_seed() -> None:
    def first_weight(method: str, seed: int) -> Tensor:
        return Student(SMALL, RECIPES["cells"], METHODS[method], seed, Rates(0.1)).network.state_dict()["0.weight"]

    assert torch.equal(first_weight(NONE, 0), first_weight(PAPER, 0))
    assert not torch.equal(first_weight(NONE, 0), first_weight(NONE, 1))


def test_early_stopping_restores_the_best_state(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = iter([2, 5, 5, 1])
    states = []

    def pretend(module: Student, images: Tensor) -> Tensor:
        right = next(hits)
        states.append(module.network.state_dict()["0.weight"].clone())
        labels = _IMAGES.labels.clone()
        labels[right:] = (labels[right:] + 1) % _CLASSES
        return F.one_hot(labels, _CLASSES).float()

    monkeypatch.setattr(training, "predict", pretend)
    monkeypatch.setattr(training, "_CHOICES", 4)
    trained = train(_IMAGES, _IMAGES, Way("digits", 8), STOPPED, seed=0).module
    assert len(states) == 4
    assert torch.equal(trained.network.state_dict()["0.weight"], states[2])  # the last of several equally good states
    assert not torch.equal(states[2], states[1])


def test_prediction_is_of_the_evaluated_network_without_augmentation() -> None:
    module = train(_IMAGES, _IMAGES, _WAY, NONE, seed=0).module
    module.train()
    found = predict(module, _IMAGES.pixels)
    assert module.training
    with torch.no_grad():
        torch.testing.assert_close(found, module.eval()(_IMAGES.pixels))


def test_rates_come_from_the_recipe_unless_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[tuple[float, float]] = []

    def note(self: Student, *_: Any) -> None:
        chosen.append((self.rates.learning_rate, self.rates.weight_decay))
        raise KeyError

    monkeypatch.setattr(Student, "configure_optimizers", note)
    recipe = RECIPES["cells"]
    tuned = type(recipe)(recipe.classes, Rates(0.3), Rates(0.4, 0.01))
    monkeypatch.setitem(RECIPES, "cells", tuned)
    tuned_paper = f"{PAPER}, tuned"
    for method, rates in ((NONE, None), (TUNED, None), (tuned_paper, None), (NONE, Rates(0.5, 0.02))):
        with pytest.raises(KeyError):
            train(_IMAGES, _IMAGES, Way("cells", 2, rates=rates), method, seed=0)
    assert chosen == [(0.3, 1e-4), (0.4, 0.01), (0.4, 0.01), (0.5, 0.02)]
    assert METHODS[tuned_paper] == replace(METHODS[PAPER], is_tuned=True)


def test_the_time_leaves_the_first_steps_out(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(100))
    monkeypatch.setattr(training, "_now", lambda module: float(next(times)))
    clock = training._Clock(skipped=2)
    module: Any = L.LightningModule()
    trainer: Any = None
    clock.on_train_start(trainer, module)
    for step in range(4):
        clock.on_train_batch_end(trainer, module, None, None, step)
        next(times)
    clock.on_train_end(trainer, module)
    # The fake clock adds 1 at each reading and after each step. It is read at 2, after the skipped steps, and at 6.
    assert clock.seconds == 4


@pytest.mark.parametrize(("name", "parameters", "side"), [(SMALL, 77_850, 2), (RESNET18, 11_170_000, 2)])
def test_networks_have_their_sizes(name: str, parameters: int, side: int) -> None:
    network = make_network(name, _CLASSES)
    assert sum(part.numel() for part in network.parameters()) == pytest.approx(parameters, rel=0.01)
    with torch.no_grad():
        assert network(torch.rand(side, 1, 16, 16)).shape == (side, _CLASSES)
