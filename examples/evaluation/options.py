"""The options of an evaluation. This module imports nothing heavy, so wrong options are found before PyTorch loads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Options:
    """Evaluate a checkpoint of an image classifier.

    Args:
        module: import path of a LightningModule, or of a function that loads a network from the checkpoint's path
        checkpoint: file to load
        data: import path of a LightningDataModule with batches (images, targets); --data.help PATH lists its options
        split: data set to use
        module_arguments: further arguments for load_from_checkpoint, as {name: value}
        mean: mean that normalised the images, for pixels from 0 to 1; one value per channel or one for all
        std: standard deviation that normalised the images, in the same form
        boxes: CSV file of the objects' boxes (path, x0, y0, x1, y1), in pixels of the images as the network sees them
        resize: length of the files' shorter side after resizing; with --crop, if the boxes are in pixels of the files
        crop: side of the square cropped from the centre after resizing
        layer: layer for the class activation maps; default: the last one with a (B, C, H, W) output
        pictures: number of images in the strip of class activation maps
        bins: numbers of bins for the calibration error
        noise: standard deviations of the additive noise, for pixels from 0 to 1
        log: metrics.csv of Lightning's CSVLogger
        log_metric: column of the log to summarise
        output: folder for report.json and the figures
        device: device such as cpu or cuda; default: cuda if available, else cpu
        seed: seed of the noise and the replaced backgrounds
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
