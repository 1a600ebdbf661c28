"""Checks of training with another package: it equals training by hand, or its error says what to write."""

from __future__ import annotations

import copy
from operator import attrgetter
from typing import Any

import pytest
import torch

from tests.clients.base import Client
from tests.clients.record import EPOCHS, Run, is_mixed, train
from tests.clients.replay import Replay

LINE = r"[\w./-]+\.py:\d+"  # a file and line in an error


def train_as_by_hand(client: Client) -> tuple[Run, Replay]:
    """Train a client, and check that it mixes and that parameters and buffers equal those of training by hand."""
    run = train(client)
    if run.error is not None:
        raise run.error
    assert run.trainer.global_step == len(run.steps) > 0
    assert all(step.mixed is not None for step in run.steps)
    assert any(is_mixed(client, step) for step in run.steps)
    replay = Replay(client, run)
    assert replay.difference(run.module) == 0
    assert replay.difference(run.initial) > 0  # training changed the module
    if client.loss_key is not None:
        assert float(run.trainer.callback_metrics[client.loss_key]) == pytest.approx(replay.loss(), rel=1e-5)
    return run, replay


def check_metrics(run: Run, replay: Replay, path: str, *, whole_epoch: bool) -> None:
    """Check a logged metric or collection against a new one that is updated by hand with the clean batches.

    Args:
        run: The run.
        replay: The same training by hand.
        path: The attribute path of a collection in the module.
        whole_epoch: Whether the logged value covers the whole last epoch, or only its last batch.
    """
    metrics: Any = copy.deepcopy(attrgetter(path)(run.initial))
    calls = [call for epoch, is_clean, call in replay.spies[path].calls if is_clean and epoch == EPOCHS - 1]
    assert calls
    for call in calls if whole_epoch else calls[-1:]:
        metrics.update(*(part.detach() for part in call))
    by_hand = metrics.compute()
    assert by_hand
    for key, value in by_hand.items():
        torch.testing.assert_close(run.trainer.callback_metrics[key], value, rtol=0, atol=1e-6)


def refusal(client: Client) -> str:
    """Check that a client trains without the callback and stops at its first batch with it, and return the error."""
    without = train(client, with_callback=False)
    assert without.error is None
    assert without.trainer.global_step > 0
    run = train(client)
    assert run.error is not None, "the client trains"
    assert len(run.steps) <= 1
    assert run.trainer.global_step == 0
    return run.error_text
