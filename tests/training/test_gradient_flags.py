"""Steps that set `requires_grad` of tensors computed from the inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack as active_modes

from tests.tiny import Plain, fit, is_clean_pass, largest_difference


class Flagging(Plain):
    """Requests a gradient at a view of the inputs, as models with checkpointing do."""

    flag: bool | None = True

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[int] = []  # active in each clean pass

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if is_clean_pass(self):
            self.modes.append(len(active_modes()))
        inputs = batch[0][:, :]
        if self.flag is not None:
            inputs.requires_grad = self.flag
        return super().training_step([inputs, batch[1]], batch_idx)


class Unset(Flagging):
    flag = None


class Clearing(Flagging):
    flag = False


class ClearingSomethingElse(Unset):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        torch.zeros(1, requires_grad=True).requires_grad = False
        return super().training_step(batch, batch_idx)


def test_a_flag_may_be_set_again() -> None:
    flagging, other = Flagging(), Unset()
    fit(flagging)
    fit(other)
    assert largest_difference(flagging, other) == 0
    assert len(flagging.modes) == 8
    assert min(flagging.modes) > 0


@pytest.mark.parametrize("kind", [Unset, ClearingSomethingElse])
def test_only_the_first_clean_pass_watches_flags_if_none_is_set(kind: type[Flagging]) -> None:
    module = kind()
    fit(module)
    assert module.modes[0] > 0
    assert set(module.modes[1:]) == {0}


def test_a_flag_that_is_cleared_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="leaf variables") as caught:
        fit(Clearing())
    assert any("clean pass" in note for note in getattr(caught.value, "__notes__", ["clean pass"]))
