"""Write the documentation page that lists the clients: `python -m tests.clients.table`."""

from __future__ import annotations

from pathlib import Path

from examples.command_line import Parser
from tests.clients.base import Client
from tests.clients.registry import CLIENTS

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "clients.md"
_INTRODUCTION = """\
# Tested projects

{total} small projects, written in the styles of real ones as they were before Co-Mixup, are trained with the callback
in the tests (`tests/clients/`). {unchanged} need no change, and {changed} need the lines in the table. Each training
equals one written by hand, to the bit: the module's own `training_step` on the clean batch, then on the mixed batch,
then the optimizer's step. {refused} stop at the first batch with an error that says what to write, because they would
train wrongly or can be read in several ways. "Lines" counts the lines to change besides `callbacks=[CoMixup()]`; an
argument of `CoMixup` is a line.

Other tests (`tests/packages/`) train models, losses and tasks of timm, transformers, MONAI, torch-uncertainty, lightly
and torchgeo themselves.
"""


def _row(client: Client) -> str:
    result = "trains" if client.refusal is None else "refused"
    return f"| {client.style[0].upper()}{client.style[1:]} | {result} | {client.lines} | {client.needed} |"


def render_page() -> str:
    """Return the page: an introduction, then the clients that train, then the refused ones."""
    trained = [client for client in CLIENTS if client.refusal is None]
    refused = [client for client in CLIENTS if client.refusal is not None]
    unchanged = sum(client.lines == 0 for client in trained)
    introduction = _INTRODUCTION.format(
        total=len(CLIENTS), unchanged=unchanged, changed=len(trained) - unchanged, refused=len(refused)
    )
    rows = [_row(client) for client in (*trained, *refused)]
    header = ["| Style | Result | Lines | What is needed |", "| --- | --- | --- | --- |"]
    return "\n".join([introduction, *header, *rows]) + "\n"


def main() -> None:
    """Write the page. The only option is `--help`."""
    Parser(prog="python -m tests.clients.table", description="Write the page that lists the clients.").parse_args()
    PAGE.write_text(render_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
