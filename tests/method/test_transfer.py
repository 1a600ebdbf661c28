from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_comixup.method.transfer import copy_to_device, copy_to_host
from tests.pretended_device import DEVICE, pretend_device


@pytest.mark.parametrize("pretended", [False, True])
def test_numbers_of_several_types_are_copied_unchanged(pretended: bool) -> None:
    """No number is rounded to another's type. Integers stay exact even beyond 2^24, where float32 rounds them."""
    parts = [torch.tensor([[2**62 + 1]]), torch.tensor(0.1, dtype=torch.float64), torch.tensor([0.1, torch.nan, -0.0])]
    with pretend_device() as device:
        moved = [part.to(DEVICE) if pretended else part for part in parts]
        with device.recording() as crossings:
            found = copy_to_host(moved)
            there = copy_to_device(found, moved[0].device)
        again = copy_to_host(there)
    assert len(crossings.to_host) == len(crossings.to_device) == pretended
    for part, arrays in zip(parts, zip(found, again, strict=True), strict=True):
        for array in arrays:
            assert (array.shape, array.dtype) == (part.shape, part.numpy().dtype)
            assert array.tobytes() == part.numpy().tobytes()
    assert isinstance(found[0], np.ndarray)
