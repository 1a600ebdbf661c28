"""Pictures of mixed batches during training, for the loggers or a folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
from lightning.pytorch.loggers import Logger

from lightning_comixup.method.channels import channels_first
from lightning_comixup.plotting.mixed_batch import plot_mixed_batch, require_matplotlib
from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.training.training_step import MixedStep
from lightning_comixup.validation import check_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME = "comixup"


class ImageLogger:
    """Draws a mixed batch at regular intervals, on one rank."""

    def __init__(self, every: int | None, folder: str | Path | None) -> None:
        """Set the options.

        Args:
            every: Batches from one picture to the next. None means no pictures.
            folder: Folder for the pictures. If None, they go to the loggers, or to the run's folder if no logger
                accepts them.

        Raises:
            ValueError: If `every` is below 1, or `folder` is not a possible folder.
            TypeError: If a value has the wrong type.
            ImportError: If pictures are wanted and matplotlib is not installed.
        """
        if every is not None:
            check_count("log_images_every", every, advice="Leave it None for no pictures.")
            require_matplotlib()
        self._every = every
        self._folder = None if folder is None else _check_folder(folder)
        self._due = 0  # the next picture is due from this batch on

    def restart(self) -> None:
        """Begin a new run, whose first mixed batch is drawn."""
        self._due = 0

    def draw(self, trainer: pl.Trainer, step: MixedStep) -> None:
        """Draw the batch if a picture is due."""
        if self._every is None or step.plan is None:
            return
        batches = trainer.fit_loop.total_batch_idx
        leaves_no_trace = bool(trainer.fast_dev_run) or trainer.barebones  # type: ignore[attr-defined]
        if batches < self._due or leaves_no_trace:
            return
        self._due = batches + self._every
        if trainer.is_global_zero:
            inputs = channels_first(step.clean.parts.inputs, step.channel_dim)
            targets = flatten_labels(step.clean.parts.targets)
            saliency = None if step.saliency is None else step.groups.scatter(step.saliency)
            figure = plot_mixed_batch(inputs, step.mixed_batch(), targets=targets, saliency=saliency)
            self._write(trainer, figure, batches)

    def _write(self, trainer: pl.Trainer, figure: Figure, batches: int) -> None:
        loggers = trainer.loggers if self._folder is None else []
        accepted = [_give_to_logger(figure, logger, trainer.global_step) for logger in loggers]
        if not any(accepted):
            path = self._path(trainer, batches)
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path)

    def _path(self, trainer: pl.Trainer, batches: int) -> Path:
        if self._folder is not None:
            return Path(self._folder) / _file(batches)
        # `trainer.log_dir` would wait for the other ranks, which do not draw.
        folders = [logger.log_dir or logger.save_dir for logger in trainer.loggers]
        found = next((folder for folder in folders if folder), trainer.default_root_dir)
        return Path(found) / _NAME / _file(batches)


def _check_folder(folder: str | Path) -> Path:
    """Return the path of a folder with a leading ~ expanded, after checking that there is no file in its place."""
    advice = "Leave it None to use the loggers."
    if not isinstance(folder, str | Path):
        raise TypeError(f"images_folder must be a path, found {folder!r}. {advice}")
    try:
        path = Path(folder).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"images_folder must begin with the home of an existing user, found {str(folder)!r}. {advice}"
        ) from error
    existing = next((part for part in (path, *path.parents) if part.exists()), path)
    if existing.is_file():
        raise ValueError(
            f"images_folder must be a folder, found the file {str(existing)!r}. Name another one. {advice}"
        )
    return path


def _file(batches: int) -> str:
    return f"batch_{batches:07d}.png"


def _give_to_logger(figure: Figure, logger: Logger, step: int) -> bool:
    """Pass a figure to a logger through the logger's own method; return whether it has one."""
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(logger, "log_image"):  # W&B
        logger.log_image(_NAME, [_image(figure)])
    elif hasattr(experiment, "add_figure"):  # TensorBoard
        experiment.add_figure(_NAME, figure, step)
    elif hasattr(experiment, "log_figure") and hasattr(logger, "run_id"):  # MLflow
        experiment.log_figure(logger.run_id, figure, f"{_NAME}/step_{step:07d}.png")
    elif hasattr(experiment, "log_figure"):  # Comet
        experiment.log_figure(_NAME, figure, step=step)
    else:
        return False
    return True


def _image(figure: Figure) -> Any:
    """Return the figure as a PIL image; matplotlib depends on PIL."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer)
