"""Properties that all saliencies share."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from lightning_comixup import Edges, LowResolution, Random, SpectralResidual, Uniform, comixup_batch
from tests.errors.table import assert_answers
from tests.pretended_device import DEVICE, OnDevice, pretend_device
from tests.saliencies.choices import ALL, CLASSES, SHAPES, WITHOUT_NETWORK, make_inputs, saliency_of

_WIDE = {torch.float64: torch.float64}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("saliency", ALL, ids=repr)
def test_a_map_for_each_input_in_float32_or_wider(saliency: Any, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    maps = saliency_of(saliency, make_inputs(shape, dtype=dtype))
    assert maps.shape == (4, *shape[1:])
    assert maps.dtype == _WIDE.get(dtype, torch.float32)
    assert not maps.requires_grad
    assert bool((maps >= 0).all())
    assert bool(maps.isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("saliency", WITHOUT_NETWORK, ids=repr)
def test_half_precision_is_computed_in_float32(saliency: Any, dtype: torch.dtype) -> None:
    inputs = make_inputs((3, 9, 8), dtype=dtype)
    assert torch.equal(saliency_of(saliency, inputs), saliency_of(saliency, inputs.float()))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(saliency_of(saliency, inputs), saliency_of(saliency, inputs.float()))


@pytest.mark.parametrize("saliency", ALL, ids=repr)
def test_a_map_does_not_depend_on_other_inputs(saliency: Any) -> None:
    """The scale differs, because the loss is the mean over the batch."""
    inputs = make_inputs((3, 9, 8))
    together = saliency_of(saliency, inputs)
    alone = saliency_of(saliency, inputs[:1])
    torch.testing.assert_close(together[:1] / together[:1].sum(), alone / alone.sum())


@pytest.mark.parametrize("saliency", ALL, ids=repr)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_input_that_is_not_finite_spoils_its_own_map_alone(saliency: Any, value: float) -> None:
    inputs = make_inputs((3, 9, 8))
    expected = saliency_of(saliency, inputs)
    inputs[1, 2, 4, 5] = value
    found = saliency_of(saliency, inputs)
    if not (isinstance(saliency, LowResolution) and abs(value) == float("inf")):  # tanh is flat there
        assert not bool(found[1].isfinite().all())
    for other in (0, 2, 3):
        assert torch.equal(found[other], expected[other])


@pytest.mark.parametrize("saliency", ALL, ids=repr)
def test_the_memory_layout_does_not_matter(saliency: Any) -> None:
    inputs = make_inputs((3, 9, 8))
    found = saliency_of(saliency, inputs.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, saliency_of(saliency, inputs))
    strided = torch.stack([inputs, -inputs], -1)[..., 0]
    torch.testing.assert_close(saliency_of(saliency, strided), saliency_of(saliency, inputs))


@pytest.mark.parametrize("saliency", ALL, ids=repr)
def test_inputs_and_global_generators_do_not_change(saliency: Any) -> None:
    inputs = make_inputs((3, 9, 8)).requires_grad_()
    copied = inputs.detach().clone()
    numpys, torchs = np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
    first, second = saliency_of(saliency, inputs), saliency_of(saliency, inputs)
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert torch.equal(inputs, copied)
    assert inputs.grad is None
    assert np.random.get_state()[1].tolist() == numpys  # type: ignore[index]
    assert torch.equal(torch.get_rng_state(), torchs)


@pytest.mark.parametrize("saliency", ALL, ids=repr)
def test_copies_and_pickles_are_equal(saliency: Any) -> None:
    for copied in (copy.deepcopy(saliency), pickle.loads(pickle.dumps(saliency)), eval(repr(saliency))):
        assert copied == saliency
        assert hash(copied) == hash(saliency)
    with pytest.raises(AttributeError):
        saliency.factor = 2


@pytest.mark.parametrize("saliency", WITHOUT_NETWORK, ids=repr)
def test_nothing_crosses_to_the_host_or_back(saliency: Any) -> None:
    inputs = make_inputs((3, 9, 8))
    with pretend_device() as device:
        moved = inputs.to(DEVICE)
        with device.recording() as crossings:
            found = saliency(None, moved, None)
        assert isinstance(found, OnDevice)
        maps = found.twin
    assert not (crossings.reads or crossings.to_host or crossings.to_device)
    torch.testing.assert_close(maps, saliency(None, inputs, None))


@pytest.mark.parametrize("saliency", ALL, ids=repr)
def test_a_custom_loop_can_mix_by_it(saliency: Any) -> None:
    inputs, targets = make_inputs((3, 9, 8), size=12), torch.arange(12) % CLASSES
    mixed = comixup_batch(inputs, targets, saliency_of(saliency, inputs), num_classes=CLASSES, generator=0)
    assert mixed.inputs.shape == inputs.shape


@pytest.mark.parametrize("saliency", ALL, ids=repr)
@pytest.mark.parametrize(
    ("inputs", "error", "rule", "found", "remedy"),
    [
        (np.ones((2, 3, 4)), TypeError, "inputs must be a tensor", "ndarray", "Name the right part"),
        (torch.ones(2, 3, 4).long(), TypeError, "inputs must be floating-point", "torch.int64", "`.float()`"),
        (torch.ones(2, 3), ValueError, "inputs must be (B, C, *spatial)", "shape (2, 3)", "`unsqueeze(1)`"),
    ],
)
def test_inputs_are_checked(
    saliency: Any, inputs: Any, error: type[Exception], rule: str, found: str, remedy: str
) -> None:
    with pytest.raises(error) as raised:
        saliency(None, inputs, torch.zeros(2).long())
    assert rule in str(raised.value)
    assert f"found {found}" in str(raised.value)
    assert remedy in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "rule", "found", "remedy"),
    [
        (LowResolution, {"factor": 0}, ValueError, "factor must be an integer of at least 1", "0", "Use 2 for"),
        (LowResolution, {"factor": 1.5}, TypeError, "factor must be an integer of at least 1", "1.5", "Use 2 for"),
        (LowResolution, {"factor": True}, TypeError, "factor must be an integer", "True", "Use 2 for"),
        (SpectralResidual, {"largest_side": 0}, ValueError, "largest_side must be an integer", "0", "the paper's 64."),
        (SpectralResidual, {"largest_side": "8"}, TypeError, "largest_side must be an integer", "'8'", "Leave it out"),
        (Random, {"seed": -1}, ValueError, "seed must be an integer of at least 0", "-1", "the default, 0."),
        (Random, {"seed": None}, TypeError, "seed must be an integer of at least 0", "None", "the default, 0."),
        (
            Random,
            {"seed": 2**63},
            ValueError,
            "seed must be an integer that fits in 64",
            "one of 64 bits",
            "default, 0.",
        ),
        (Random, {"lattice": 0}, ValueError, "lattice must be an integer of at least 1", "0", "the default, 8."),
    ],
)
def test_arguments_are_checked(
    kind: type[Any], arguments: dict[str, Any], error: type[Exception], rule: str, found: str, remedy: str
) -> None:
    with pytest.raises(error) as raised:
        kind(**arguments)
    assert_answers(str(raised.value), rule, found, remedy)


def test_numbers_of_numpy_become_plain_ones() -> None:
    assert repr(LowResolution(np.int64(4))) == "LowResolution(factor=4)"  # type: ignore[arg-type]
    assert repr(SpectralResidual(np.int32(8))) == "SpectralResidual(largest_side=8)"  # type: ignore[arg-type]
    assert repr(Random(np.int64(1), np.int8(4))) == "Random(seed=1, lattice=4)"  # type: ignore[arg-type]
    assert repr(Edges()) == "Edges()"
    assert repr(Uniform()) == "Uniform()"
