"""The study's training: what each method's step is, what the runs of a seed share, and what they return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from examples.study_parts.data import Split
from examples.study_parts.methods import AUTHORS_CUTS, METHODS, REFERENCE, has_authors_cuts
from examples.study_parts.mixup import draw_mixup
from examples.study_parts.module import Student
from examples.study_parts.recipes import RECIPES
from examples.study_parts.training import split, train

_CLASSES = 10


def _small_split(size: int = 100) -> Split:
    whole = split("digits", 100, seed=0)
    test = TensorDataset(*(part[:200] for part in whole.test.tensors))
    return Split(TensorDataset(*(part[:size] for part in whole.train.tensors)), test)


def test_clean_and_mixup_is_the_sum_of_two_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    images = _small_split()
    seen: list[tuple[Tensor, Tensor]] = []
    step = Student.training_step

    def note(self: Student, batch: Any, batch_idx: int) -> Tensor:
        seen.append(batch)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Student, "training_step", note)
    trained = train(images, "digits", "clean + MixUp", seed=3, epochs=2).module
    assert len(seen) == 4
    by_hand = Student(RECIPES["digits"], METHODS["clean + MixUp"], seed=3)
    _train_by_hand(by_hand, seen)
    for found, expected in zip(
        trained.network.state_dict().values(), by_hand.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def _train_by_hand(module: Student, batches: list[tuple[Tensor, Tensor]]) -> None:
    network, draws = module.network, np.random.default_rng(3)
    rate = RECIPES["digits"].learning_rate
    optimizer = torch.optim.SGD(network.parameters(), rate, momentum=0.9, nesterov=True, weight_decay=1e-4)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=len(batches), cycle_momentum=False)
    for images, targets in batches:
        optimizer.zero_grad()
        F.cross_entropy(network(images), targets).backward()
        mixed = draw_mixup(images, F.one_hot(targets, _CLASSES).float(), draws)
        F.cross_entropy(network(mixed.inputs), mixed.targets).backward()
        optimizer.step()
        cycle.step()


def test_runs_of_a_seed_start_alike_and_differ_by_method() -> None:
    images = _small_split()
    assert torch.equal(_first_weight(METHODS["none"]), _first_weight(METHODS[REFERENCE]))
    methods = [method for method in METHODS if method != AUTHORS_CUTS or has_authors_cuts()]
    runs = {method: train(images, "digits", method, seed=0, epochs=1) for method in methods}
    weights = [run.module.network.state_dict()["0.weight"] for run in runs.values()]
    assert all(not torch.equal(a, b) for number, a in enumerate(weights) for b in weights[:number])
    again = train(images, "digits", REFERENCE, seed=0, epochs=1)
    assert again.measures == runs[REFERENCE].measures
    assert all(len(run.epoch_seconds) == 1 and run.epoch_seconds[0] > 0 for run in runs.values())


def _first_weight(method: Any) -> Tensor:
    return Student(RECIPES["digits"], method, seed=0).network.state_dict()["0.weight"]


def test_measures_by_hand() -> None:
    images = _small_split()
    trained = train(images, "digits", "none", seed=0, epochs=2)
    inputs, labels = images.test.tensors
    with torch.no_grad():
        logits = trained.module.eval()(inputs)
    assert trained.measures.accuracy == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    assert trained.measures.nll == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    confidence, chosen = logits.softmax(1).max(1)
    bins = (confidence * 15).ceil()
    gaps = [((chosen == labels).float() - confidence)[bins == number].sum().abs() for number in range(1, 16)]
    assert trained.measures.calibration_error == pytest.approx(float(torch.stack(gaps).sum() / len(labels)), rel=1e-4)


def test_fashion_is_augmented_in_training_only() -> None:
    draws = torch.Generator().manual_seed(0)
    images = TensorDataset(
        torch.rand(20, 1, 28, 28, generator=draws), torch.randint(0, _CLASSES, (20,), generator=draws)
    )
    trained = train(Split(images, images), "fashion", "none", seed=0, epochs=1)
    with torch.no_grad():
        logits = trained.module.eval()(images.tensors[0])
    assert trained.measures.nll == pytest.approx(float(F.cross_entropy(logits, images.tensors[1])), rel=1e-5)
    fresh = torch.Generator().manual_seed(0)
    assert not torch.equal(trained.module.augmentation.get_state(), fresh.get_state())
