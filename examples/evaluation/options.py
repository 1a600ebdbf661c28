"""The options of an evaluation. Nothing heavy is imported here: wrong ones are found before PyTorch is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Options:
    """Evaluate a checkpoint of an image classifier.

    Args:
        module: import path of a LightningModule, or of a function from the checkpoint's path to a network
        checkpoint: file to load
        data: import path of a LightningDataModule whose batches are (images, targets); --data.help PATH lists its own
        split: which of its data sets
        module_arguments: arguments of load_from_checkpoint beside the checkpoint, as {name: value}
        mean: what the images were normalised with, for pixels from 0 to 1: a value per channel or one for all
        std: the same
        boxes: CSV file of the objects' boxes (path, x0, y0, x1, y1), in pixels of the images as the network sees them
        resize: with --crop, if the boxes are in pixels of the files: what their shorter side is resized to
        crop: side of the square cropped from the centre after that
        layer: name of the layer of the class activation maps; default: the last one with a (B, C, H, W) output
        pictures: images in the strip of class activation maps
        bins: numbers of bins of the calibration error
        noise: standard deviations of additive noise, for pixels from 0 to 1
        log: metrics.csv of Lightning's CSVLogger
        log_metric: its column to summarise
        output: folder for report.json and the figures
        device: where to compute, such as cpu or cuda; default: cuda where there is one, else cpu
        seed: of the noise and of the other backgrounds
    """

    module: str
    checkpoint: Path
    data: Any
    split: Literal["validate", "test"] = "validate"
    module_arguments: dict[str, Any] = field(default_factory=dict)
    mean: list[float] = field(default_factory=lambda: [0.0])
    std: list[float] = field(default_factory=lambda: [1.0])
    boxes: Path | None = None
    resize: int | None = None
    crop: int | None = None
    layer: str | None = None
    pictures: int = 6
    bins: list[int] = field(default_factory=lambda: [10, 15, 20])
    noise: list[float] = field(default_factory=lambda: [0.05, 0.1, 0.2])
    log: Path | None = None
    log_metric: str = "val_acc"
    output: Path = Path("evaluation")
    device: str | None = None
    seed: int = 0
