"""The presets of the callback."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from lightning_comixup import CoMixup, Edges, Hyperparameters, LowResolution
from lightning_comixup.training.presets import FAST, PAPER
from tests.tiny import Tiny, fit, largest_difference
from tests.training.test_low_resolution import make_network

_ARGUMENTS = inspect.signature(CoMixup).parameters


@pytest.mark.parametrize(("make", "preset"), [(CoMixup.paper, PAPER), (CoMixup.fast, FAST)])
def test_arguments_of_a_preset_and_changes(make: Any, preset: Mapping[str, Any]) -> None:
    assert make()._config == CoMixup(**preset)._config
    changed = make(smoothness=0.5, seed=3)
    assert changed._config == CoMixup(**{**preset, "smoothness": 0.5})._config
    assert changed.seed == 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'smothness'"):
        make(smothness=0.5)
    with pytest.raises(TypeError):
        preset["smoothness"] = 0.5  # type: ignore[index]


def test_the_papers_preset_equals_the_defaults() -> None:
    assert CoMixup.paper()._config == CoMixup()._config
    assert all(_ARGUMENTS[name].default == value for name, value in PAPER.items())
    assert {field.name for field in fields(Hyperparameters)} - set(PAPER) == {"solver"}


def test_the_fast_preset() -> None:
    callback = CoMixup.fast()
    assert callback._config.clean_weight == 0
    assert callback._config.mixed_share == 0.5
    assert callback._config.saliency == Edges()


def test_values_of_a_preset_may_be_changed() -> None:
    assert CoMixup.fast(saliency=LowResolution(2))._config.saliency == LowResolution(2)
    assert CoMixup.fast(clean_weight=1)._config.clean_weight == 1
    with pytest.raises(ValueError, match=r"clean_weight must be 0 with LowResolution\(factor=2\), found 1"):
        CoMixup.fast(clean_weight=1, saliency=LowResolution(2))


def test_it_makes_callbacks_of_a_subclass() -> None:
    class Own(CoMixup):
        pass

    assert type(Own.fast()) is type(Own.paper()) is Own


@pytest.mark.parametrize("make", [CoMixup.paper, CoMixup.fast])
def test_copies_and_pickles_train_alike(make: Any) -> None:
    callback = make(seed=0, partition_size=8)
    modules = []
    for other in (callback, copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        modules.append(Tiny(make_network()))
        fit(modules[-1], other)
    assert largest_difference(modules[0], modules[1]) == largest_difference(modules[0], modules[2]) == 0
