"""`python -m examples.recipes fit --config FILE`, or `--help`."""

from __future__ import annotations

import sys

from examples.command_line import exit_for_usage, one_line_errors

_PROG = "python -m examples.recipes"
_COMMANDS = ("fit", "validate", "test", "predict")
_HELP = f"""\
usage: {_PROG} {{{",".join(_COMMANDS)}}} --config FILE [options]

Train or test with a recipe from examples/recipes/configs. examples/recipes/README.md describes the recipes.

  {_PROG} fit --config examples/recipes/configs/cifar100.yaml --data.download true
  {_PROG} fit --help    lists all options
"""
_ON_INTERRUPT = (
    "Stopped. The checkpoints of all finished epochs are saved. The same command with --ckpt_path last continues from "
    "the last one."
)


def main() -> None:
    """Run this process's command line, importing Lightning only if it is needed."""
    words = sys.argv[1:]
    if words in (["--help"], ["-h"]):
        sys.stdout.write(_HELP)
        return
    if not words or (words[0] not in _COMMANDS and not words[0].startswith("-")):
        found = words[0] if words else "nothing"
        exit_for_usage(_PROG, f"the first word must be one of {', '.join(_COMMANDS)}, found {found}")
    with one_line_errors("recipes", _ON_INTERRUPT):
        from examples.recipes.cli import run

        run(prog=_PROG)


if __name__ == "__main__":
    main()
