"""Wrong values for every argument of every public function. The error states the rule, the value and what to do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import lightning_comixup
from lightning_comixup import CoMixup, CoMixupMixin, SoftTargetAccuracy, compute_saliency
from lightning_comixup.hyperparameters import Hyperparameters
from tests.errors.arguments import HYPERPARAMETERS, SETTINGS
from tests.errors.functions import BATCH, GROUP, INPUTS, MASKS, SALIENCY
from tests.errors.losses_and_pictures import LOSSES, METRIC, PICTURES
from tests.errors.table import CALLS, Head, Row, assert_answers, right_arguments

_TAKE_HYPERPARAMETERS = ("CoMixup", "comixup_batch", "optimize_masks", "energy")
_ROWS = [*SETTINGS, *INPUTS, *BATCH, *SALIENCY, *GROUP, *MASKS, *LOSSES, *METRIC, *PICTURES]
_ROWS += [row._replace(function=function) for row in HYPERPARAMETERS for function in _TAKE_HYPERPARAMETERS]

# Arguments that cannot have a wrong value, and why.
_CANNOT_BE_WRONG = {
    ("comixup_clean_loss", "inputs"): "handed to the user's own module, by the callback after its checks",
}


@pytest.mark.parametrize("function", CALLS)
def test_the_right_arguments_are_accepted(function: str) -> None:
    CALLS[function](**right_arguments(function))


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name)
def test_a_wrong_argument_raises_a_clear_error(row: Row) -> None:
    with pytest.raises(row.error) as raised:
        CALLS[row.function](**(right_arguments(row.function) | row.changes))
    assert_answers(str(raised.value), row.rule, row.found, row.remedy)


def _parameters() -> Iterator[tuple[str, str]]:
    """Yield every public function of the package with each of its arguments."""
    methods = {name: method for name, method in vars(CoMixupMixin).items() if inspect.isfunction(method)}
    public = {name: getattr(lightning_comixup, name) for name in lightning_comixup.__all__}
    functions: dict[str, Any] = {name: value for name, value in public.items() if inspect.isfunction(value)}
    functions |= methods | {"CoMixup": CoMixup.__init__, "SoftTargetAccuracy": SoftTargetAccuracy.update}
    for name, function in functions.items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                yield from ((name, field) for field in inspect.signature(Hyperparameters).parameters)
            elif parameter.name != "self":
                yield name, parameter.name


def test_the_tables_are_complete() -> None:
    offered = set(_parameters())
    assert set(CALLS) == {function for function, _ in offered}
    in_tables = {(row.function, name) for row in _ROWS for name in row.changes}
    assert offered - in_tables == set(_CANNOT_BE_WRONG)


def test_a_loss_kind_of_the_class_is_checked_in_both_losses() -> None:
    class Squared(Head):
        comixup_loss_kind = "mse"  # type: ignore[assignment]

    batch = right_arguments("comixup_clean_loss")
    with pytest.raises(ValueError, match="must be one of 'ce', 'bce', found 'mse'"):
        Squared().comixup_clean_loss(**batch)
    with pytest.raises(ValueError, match="must be one of 'ce', 'bce', found 'mse'"):
        Squared().comixup_loss(**right_arguments("comixup_loss"))


@pytest.mark.parametrize("made_there", [True, False])
def test_inference_mode_has_no_saliency(made_there: bool) -> None:
    arguments = right_arguments("compute_saliency")
    with torch.inference_mode():
        copied = arguments | {"inputs": arguments["inputs"].clone()}
    with torch.inference_mode(not made_there), pytest.raises(RuntimeError) as raised:
        compute_saliency(**(copied if made_there else arguments))
    assert_answers(str(raised.value), "must be able to record gradients", "inference mode", "torch.no_grad()")
