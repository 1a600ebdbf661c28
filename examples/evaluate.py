r"""Evaluate a checkpoint of an image classifier: accuracy, calibration, localization, robustness.

Run it from the root of this repository, or from your own project with this repository on PYTHONPATH (extra `examples`):

    python -m examples.evaluate --module my_project.module.Lit --checkpoint last.ckpt \
        --data my_project.data.DataModule --mean [0.485,0.456,0.406] --std [0.229,0.224,0.225] --boxes boxes.csv

It prints a table and writes report.json and figures. `--data.help my_project.data.DataModule` lists the data module's
own arguments, such as `--data.batch_size 50`. `--config file.yaml` reads all arguments from a file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeVar

from examples.command_line import CommandError, OneLineErrors, one_line_errors
from examples.evaluation.options import Options

_ON_INTERRUPT = "Stopped. Nothing was saved. The report and the figures are written only at the end."
# Options that ask about the data module, and the prefix of the data module's own options.
_ABOUT_DATA = ("--data.help", "--print_config")
_OF_DATA = "--data."

Kind = TypeVar("Kind", bound=Options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write the report and the figures."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("examples", _ON_INTERRUPT):
        if not any(word.startswith(_ABOUT_DATA) for word in words):
            check_files(parse(Options, without_data(words)))  # before PyTorch is imported
        from examples.evaluation.evaluation import OptionsWithData, evaluate_and_report

        evaluate_and_report(parse(OptionsWithData, words))


def parse(kind: type[Kind], words: list[str]) -> Kind:
    """Read options of the given kind."""
    from jsonargparse import ArgumentParser, auto_cli

    class Parser(OneLineErrors, ArgumentParser):
        """A parser that reports a wrong option in one line. The parsers that it creates share its name."""

        def __init__(self, *arguments: Any, prog: str = "python -m examples.evaluate", **settings: Any) -> None:
            super().__init__(*arguments, prog=prog, **settings)

    return auto_cli(kind, args=words, as_positional=False, parser_class=Parser)


def without_data(words: Sequence[str]) -> list[str]:
    """Return the words without the data module's own options, which are unknown before the module is imported."""
    own, is_value = [], False
    for word in words:
        if word.startswith(_OF_DATA):
            is_value = "=" not in word
        elif is_value and not word.startswith("--"):
            continue
        else:
            own.append(word)
            is_value = False
    return own


def check_files(options: Options) -> None:
    """Check that the named files exist, before anything is computed.

    Raises:
        CommandError: If a file is missing.
    """
    for name in ("checkpoint", "boxes", "log"):
        path = getattr(options, name)
        if path is not None and not path.exists():
            raise CommandError(f"--{name} must name a file, found none at {path}.")


if __name__ == "__main__":
    main()
