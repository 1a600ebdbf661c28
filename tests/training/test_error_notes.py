"""The errors of a step that get a note, and the text of the note."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from lightning_comixup import CoMixup
from lightning_comixup.training.error_notes import explaining_clean_pass, explaining_mixed_targets
from tests.tiny import Tiny, fit, is_clean_pass
from tests.training.planted import last_line

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are logged there")


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("kind", [AssertionError, IndexError, RuntimeError, TypeError, ValueError])
def test_errors_that_soft_targets_may_cause_name_the_line(kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised, explaining_mixed_targets(have_classes=True):
        _raise(kind("the user's"))
    (note,) = _notes(raised.value)
    assert "CoMixup mixed this batch" in note
    assert "For an accuracy take `targets if targets.ndim == 1 else targets.argmax(1)`." in note
    assert note.endswith(f"The error arose at {last_line(_raise)}.")


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, MemoryError])
def test_other_errors_do_not_change(kind: type[BaseException]) -> None:
    with pytest.raises(kind) as raised, explaining_mixed_targets(have_classes=True):
        _raise(kind("the user's"))
    assert not _notes(raised.value)


def test_numbers_need_no_explanation() -> None:
    with pytest.raises(ValueError, match="the user's") as raised, explaining_mixed_targets(have_classes=False):
        _raise(ValueError("the user's"))
    assert not _notes(raised.value)


@pytest.mark.parametrize("kind", [ValueError, KeyError])
def test_every_error_of_the_clean_pass_is_explained(kind: type[Exception]) -> None:
    """Only some kinds of error can come from the targets or the inputs."""
    with pytest.raises(kind) as raised, explaining_clean_pass():
        _raise(kind("the user's"))
    (note,) = _notes(raised.value)
    assert "in CoMixup's clean pass" in note
    assert ("only accepts soft targets" in note) == (kind is ValueError)
    assert "CoMixupMixin" not in note


def test_a_module_without_the_mixin_is_told_to_inherit_from_it() -> None:
    with pytest.raises(AttributeError) as raised, explaining_clean_pass():
        torch.nn.Module().comixup_loss  # noqa: B018
    (note,) = _notes(raised.value)
    assert "class Net(CoMixupMixin, LightningModule)" in note


class Failing(Tiny):
    where: str

    def _fail(self, here: str) -> None:
        if here == self.where:
            raise RuntimeError("the user's")

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self._fail("clean" if is_clean_pass(self) else "mixed")
        return super().training_step(batch, batch_idx)

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self._fail("optimizer")


@pytest.mark.parametrize(
    ("where", "expected"), [("clean", ["clean pass"]), ("mixed", ["mixed this batch"]), ("optimizer", [])]
)
def test_notes_are_added_where_they_belong(where: str, expected: list[str]) -> None:
    module = Failing()
    module.where = where
    with pytest.raises(RuntimeError, match="the user's") as raised:
        fit(module, CoMixup(seed=0, clean_loss="training_step"))
    found = _notes(raised.value)
    assert len(found) == len(expected)
    assert all(part in note for part, note in zip(expected, found, strict=True))


def test_a_cause_that_no_watch_can_see_is_still_named() -> None:
    def broken(values: torch.Tensor) -> torch.Tensor:
        return values.view(7, -1)

    class Shaping(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if not is_clean_pass(self):
                broken(batch[1])
            return super().training_step(batch, batch_idx)

    with pytest.raises(RuntimeError) as raised:
        fit(Shaping(), CoMixup(seed=0, clean_loss="training_step"))
    assert last_line(broken) in _notes(raised.value)[0]
