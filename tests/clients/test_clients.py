"""The clients with the callback: they train bit for bit as by hand, or an error says what to write."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.clients.base import Client
from tests.clients.record import LINE, Run, is_mixed, train
from tests.clients.registry import CLIENTS
from tests.clients.replay import Replay
from tests.clients.table import render_page

_PAGE = Path(__file__).parents[2] / "docs" / "guides" / "clients.md"
_TRAINED = [client for client in CLIENTS if client.refusal is None]
_REFUSED = [client for client in CLIENTS if client.refusal is not None]


def _parametrize(clients: list[Client]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", clients, ids=lambda client: client.name)


@cache
def _trained(name: str) -> tuple[Client, Run, Replay]:
    """Return a client, its run and the same training by hand."""
    [client] = [client for client in CLIENTS if client.name == name]
    run = train(client)
    if run.error is not None:
        raise run.error
    return client, run, Replay(client, run)


def test_each_client_has_its_own_name() -> None:
    names = {client.name for client in CLIENTS}
    assert len(names) == len(CLIENTS)


@_parametrize(CLIENTS)
def test_client_trains_without_the_callback(client: Client) -> None:
    run = train(client, with_callback=False)
    assert run.error is None
    assert run.trainer.global_step > 0


@_parametrize(_TRAINED)
def test_training_equals_that_by_hand(client: Client) -> None:
    _, run, replay = _trained(client.name)
    assert all(step.mixed is not None for step in run.steps)
    assert replay.difference(run.module) <= client.tolerance
    assert replay.difference(run.initial) > 0  # training changed the module


@_parametrize(_TRAINED)
def test_batches_are_mixed(client: Client) -> None:
    _, run, _ = _trained(client.name)
    mixed = [is_mixed(client, step) for step in run.steps]
    assert any(mixed)


@_parametrize([client for client in _TRAINED if client.scores])
def test_logged_scores_are_from_clean_batches(client: Client) -> None:
    _, run, replay = _trained(client.name)
    for score in client.scores:
        assert float(run.trainer.callback_metrics[score.key]) == pytest.approx(replay.score(score), abs=1e-6)


@_parametrize([client for client in _TRAINED if client.loss_key is not None])
def test_logged_loss_is_from_mixed_batches(client: Client) -> None:
    _, run, replay = _trained(client.name)
    assert client.loss_key is not None
    assert float(run.trainer.callback_metrics[client.loss_key]) == pytest.approx(replay.loss(), rel=1e-5)


@_parametrize([client for client in _TRAINED if client.told is not None])
def test_a_message_names_unmixed_parts_once(client: Client) -> None:
    _, run, _ = _trained(client.name)
    assert client.told is not None
    assert sum(re.search(client.told, text) is not None for text in run.said) == 1


@_parametrize(_REFUSED)
def test_refusal_comes_with_the_first_batch(client: Client) -> None:
    run = train(client)
    assert client.refusal is not None
    assert run.error is not None, "the client trains"
    assert re.search(client.refusal, run.error_text), run.error_text
    assert len(run.steps) <= 1
    assert run.trainer.global_step == 0
    if client.names_line:
        assert re.search(LINE, run.error_text), run.error_text


def test_the_page_is_up_to_date() -> None:
    assert _PAGE.read_text(encoding="utf-8") == render_page(), "run `python -m tests.clients.table`"
