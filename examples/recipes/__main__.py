"""`python -m examples.recipes fit --config FILE`, or `--help`.

This module imports Lightning only for a run or for the list of all options. The rest it answers itself, and so at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from examples.command_line import exit_for_usage, one_line_errors

_PROG = "python -m examples.recipes"
COMMANDS = ("fit", "validate", "test", "predict")
# The options of all commands, without what follows a point, as in `--data.batch_size`.
FAMILIES = (
    *("config", "mixing", "comixup", "mixup", "cutmix", "data", "model", "trainer", "checkpoint", "ckpt_path"),
    *("weights_only", "seed_everything", "print_config", "verbose", "return_predictions", "help"),
)
_ALL_OPTIONS = "--help-all"
_HELP = f"""\
usage: {_PROG} {{{",".join(COMMANDS)}}} --config FILE [options]

Train or test with a recipe from examples/recipes/configs. examples/recipes/README.md describes the recipes.

  {_PROG} fit --config examples/recipes/configs/cifar100.yaml --data.download true

options:
  --config FILE              a recipe; a second --config FILE changes some of its settings
  --mixing NAME              comixup (the default), mixup, cutmix or none
  --comixup.ARGUMENT VALUE   any argument of CoMixup; --mixup.alpha and --cutmix.alpha are those of the others
  --data.ARGUMENT VALUE      data, such as --data.download true or --data.batch_size 50
  --model.ARGUMENT VALUE     network, loss and schedule, such as --model.network.width 16
  --trainer.ARGUMENT VALUE   any argument of Lightning's Trainer, such as --trainer.max_epochs 30
  --ckpt_path last           continue with the last checkpoint of this mixing
  --print_config             print all settings and stop

  {_PROG} fit {_ALL_OPTIONS}   list every option (this takes some seconds)
"""
_ON_INTERRUPT = (
    "Stopped. The checkpoints of all finished epochs are saved. The same command with --ckpt_path last continues from "
    "the last one."
)


def main() -> None:
    """Run this process's command line."""
    words = sys.argv[1:]
    if "--help" in words or "-h" in words:
        sys.stdout.write(_HELP)
        return
    _check(words)
    with one_line_errors("recipes", _ON_INTERRUPT):
        from examples.recipes.cli import run

        sys.argv[1:] = ["--help" if word == _ALL_OPTIONS else word for word in words]  # which LightningCLI reads
        run(prog=_PROG)


def _check(words: Sequence[str]) -> None:
    """Exit if the command or the beginning of an option is wrong."""
    if not words or (words[0] not in COMMANDS and not words[0].startswith("-")):
        found = words[0] if words else "nothing"
        exit_for_usage(_PROG, f"the first word must be one of {', '.join(COMMANDS)}, found {found}")
    for word in words:
        match = re.match(r"--([^.=]+)", word)
        if match and word != _ALL_OPTIONS and match[1] not in FAMILIES:
            near = get_close_matches(match[1], FAMILIES, n=1)
            known = ", ".join(f"--{name}" for name in near or FAMILIES)
            exit_for_usage(_PROG, f"an option must begin with {'' if near else 'one of '}{known}, found {word}")
    names_recipe = re.compile(rf"(--config|-c|--print_config|{_ALL_OPTIONS})\b")
    if words[0] in COMMANDS and not any(map(names_recipe.match, words)):
        exit_for_usage(_PROG, "a recipe must be given by --config FILE, found none")


if __name__ == "__main__":
    main()
