from __future__ import annotations

import torch

from lightning_comixup.soft_targets.losses import without_autocast


def test_autocast_is_off_meanwhile() -> None:
    factor = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with without_autocast(factor.device):
            assert (factor @ factor).dtype == torch.float32
        assert (factor @ factor).dtype == torch.bfloat16


def test_a_device_that_knows_no_autocast_needs_nothing() -> None:
    with without_autocast(torch.device("meta")):
        pass
