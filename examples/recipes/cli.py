"""The command line of all recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import lightning as L
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]  # mypy cannot read its list of names
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from examples.command_line import OneLineErrors
from examples.recipes.classifier import Classifier
from examples.recipes.pair_mixing import Cutmix, Mixup
from lightning_comixup import CoMixup

Mixing = Literal["comixup", "mixup", "cutmix", "none"]


class _Parser(OneLineErrors, LightningArgumentParser):
    """A parser that reports a wrong option in one line."""


class RecipeCLI(LightningCLI):
    """LightningCLI with a switch for the mixing, checkpoints after every epoch, and CSV and TensorBoard logs."""

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Make the parser. Lightning 2.5 has no argument for its class."""
        parser = _Parser(**kwargs)
        parser.add_argument("-c", "--config", action=ActionConfigFile, help="Path of a YAML file with settings.")
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the switch, the settings of each mixing, and the checkpoints."""
        parser.add_argument("--mixing", type=Mixing, default="comixup", help="How training batches are mixed.")
        parser.add_class_arguments(CoMixup, "comixup")
        parser.add_class_arguments(Mixup, "mixup")
        parser.add_class_arguments(Cutmix, "cutmix")
        for target in ("model", "comixup", "mixup", "cutmix"):
            parser.link_arguments("data.num_classes", f"{target}.num_classes", apply_on="instantiate")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({"checkpoint.save_last": True})
        folder = ("trainer.default_root_dir", "mixing")
        parser.link_arguments(
            folder, "checkpoint.dirpath", lambda root, mixing: f"{run_folder(root, mixing)}/checkpoints"
        )

    def instantiate_classes(self) -> None:
        """Make the module, the data and the Trainer. A value out of range is reported like a wrong option."""
        try:
            super().instantiate_classes()
        except ValueError as error:
            self.parser.error(str(error))

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Make the Trainer with the chosen mixing and, unless you set others, with the default loggers."""
        settings = self.config_init if self.subcommand is None else self.config_init[self.subcommand]
        if settings.mixing != "none":
            self.trainer_defaults = {**self.trainer_defaults, "callbacks": [settings[settings.mixing]]}
        if settings.trainer.logger is None:
            kwargs["logger"] = make_loggers(run_folder(settings.trainer.default_root_dir, settings.mixing))
        return super().instantiate_trainer(**kwargs)


def run_folder(root: str | Path | None, mixing: Mixing) -> Path:
    """Return the folder for a run's checkpoints and logs. Each mixing has its own, which resumed runs use again."""
    return Path(root or "runs") / mixing


def make_loggers(folder: Path) -> list[Logger]:
    """Return the loggers of a run."""
    return [TensorBoardLogger(folder, name="tensorboard"), CSVLogger(folder, name="csv")]


def run(arguments: ArgsType = None, prog: str | None = None) -> RecipeCLI:
    """Run a command line.

    Args:
        arguments: The words of the command line. None means those of this process.
        prog: The program's name in its messages.
    """
    return RecipeCLI(
        Classifier,
        L.LightningDataModule,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
        args=arguments,
        parser_kwargs={"prog": prog},
    )
