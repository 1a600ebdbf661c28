"""What happens to each client, as a Markdown table: `python -m tests.clients.survey > table.md`."""

from __future__ import annotations

import logging
import re
import warnings

from tests.clients.base import Client
from tests.clients.record import LINE, Run, is_mixed, train
from tests.clients.registry import CLIENTS
from tests.clients.replay import Replay


def verdict(client: Client) -> str:
    """Return in a few words what the callback does with a client, and whether that is what is expected."""
    plain = train(client, with_callback=False)
    if plain.error is not None:
        return f"INVALID without the callback: {plain.error!r}"
    try:
        run = train(client)
    except (TypeError, ValueError) as error:
        return f"stops: {error}"
    if run.error is not None:
        return _stopped(client, run)
    if client.refusal is not None:
        return "**trains, silently wrong** (should be refused)"
    return _trained(client, run)


def _stopped(client: Client, run: Run) -> str:
    text = " ".join(run.error_text.split())
    expected = client.refusal is not None and re.search(client.refusal, run.error_text) is not None
    word = "refused as expected" if expected else "stops"
    if expected and client.names_line and re.search(LINE, run.error_text) is None:
        word = "stops without naming the line"
    return f"{word}: {type(run.error).__name__}: {text[:160]}"


def _trained(client: Client, run: Run) -> str:
    replay = Replay(client, run)
    difference = replay.difference(run.module)
    parts = ["exact" if difference <= client.tolerance else f"**differs by {difference:.2g}, silently wrong**"]
    if not any(is_mixed(client, step) for step in run.steps):
        parts.append("never mixed")
    for score in client.scores:
        logged, right = float(run.trainer.callback_metrics[score.key]), replay.score(score)
        if abs(logged - right) > 1e-6:
            parts.append(f"**{score.key} {logged:.3f} instead of {right:.3f}**")
    if client.loss_key is not None:
        logged, right = float(run.trainer.callback_metrics[client.loss_key]), replay.loss()
        if abs(logged - right) > 1e-5 * max(1.0, abs(right)):
            parts.append(f"**{client.loss_key} {logged:.4f} instead of {right:.4f}**")
    if client.told is not None and sum(bool(re.search(client.told, text)) for text in run.said) != 1:
        parts.append(f"does not say once {client.told!r}")
    return ", ".join(parts)


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    print("| client | expected | found |\n| --- | --- | --- |")
    for client in CLIENTS:
        expected = "refused" if client.refusal is not None else "exact"
        if client.settings:
            expected += ", " + ", ".join(f"{name}={value!r}" for name, value in client.settings.items())
        print(f"| {client.name} | {expected} | {verdict(client)} |".replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
