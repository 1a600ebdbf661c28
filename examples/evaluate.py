r"""Evaluate a checkpoint of an image classifier: accuracy, calibration, localization, robustness.

Run from the root of this repository, or with it on PYTHONPATH from your own project (extra `examples`):

    python -m examples.evaluate --module my_project.module.Lit --checkpoint last.ckpt \
        --data my_project.data.DataModule --mean [0.485,0.456,0.406] --std [0.229,0.224,0.225] --boxes boxes.csv

It prints a table and writes report.json and figures. `--data.help my_project.data.DataModule` lists the data module's
own arguments (`--data.batch_size 50`); `--config file.yaml` reads all arguments from a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import torch
from jsonargparse import auto_cli
from matplotlib.figure import Figure
from rich.console import Console

from examples.evaluation.accuracy import measure_accuracy
from examples.evaluation.activation_map import find_layer
from examples.evaluation.calibration import measure_calibration, measure_reliability
from examples.evaluation.localization import localize, measure_localization, spread
from examples.evaluation.localization_strip import draw_localizations
from examples.evaluation.network import Predictions, load_network, predict
from examples.evaluation.normalization import Normalization
from examples.evaluation.reliability_diagram import draw_reliability
from examples.evaluation.report import LOG_SECTION, Section, report_table, write_report
from examples.evaluation.robustness import measure_backgrounds, measure_robustness
from examples.evaluation.robustness_chart import draw_robustness
from examples.evaluation.source import Split, open_source
from examples.evaluation.training_log import read_last_epochs
from examples.evaluation.truth import read_truth

DIAGRAM_BINS = 15  # of the reliability diagram: the middle one of the numbers that are measured
DOTS_PER_INCH = 150


@dataclass(frozen=True)
class Options:
    """Evaluate a checkpoint of an image classifier.

    Args:
        module: import path of a LightningModule, or of a function from the checkpoint's path to a network
        checkpoint: file to load
        data: import path of a LightningDataModule whose batches are (images, targets)
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
        device: where to compute, such as cpu or cuda
        seed: of the noise and of the other backgrounds
    """

    module: str
    checkpoint: Path
    data: L.LightningDataModule
    split: Split = "validate"
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
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    seed: int = 0


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the table, write report and figures."""
    options: Options = auto_cli(Options, args=arguments, as_positional=False, prog="python -m examples.evaluate")
    options.output.mkdir(parents=True, exist_ok=True)
    report, figures = evaluate(options)
    for name, figure in figures.items():
        figure.savefig(options.output / f"{name}.png", dpi=DOTS_PER_INCH)
    write_report(report, options.output / "report.json")
    console = Console()
    console.print(report_table(report))
    console.print(f"Report and figures: {options.output}", highlight=False, markup=False, soft_wrap=True)


def evaluate(options: Options) -> tuple[dict[str, Section], dict[str, Figure]]:
    """Return the report's sections, and the figures by name."""
    device = torch.device(options.device)
    source = open_source(options.data, options.split, device)
    normalization = Normalization(options.mean, options.std)
    first_images = next(source.batches()).images
    normalization.check(first_images)
    log = read_log(options)
    boxes = read_truth(options.boxes, source.names, options.resize, options.crop) if options.boxes else {}
    network = load_network(options.module, options.checkpoint, options.module_arguments, device)
    predictions = predict(network, source.batches())
    report: dict[str, Section] = {
        "images": {"checkpoint": str(options.checkpoint), "split": options.split, "number": len(predictions.targets)},
        "accuracy": measure_accuracy(predictions),
        "calibration error": measure_calibration(predictions, options.bins),
    }
    figures = {"reliability": reliability_figure(predictions)}
    changed = list(measure_robustness(network, source, normalization, options.noise, options.seed))
    if boxes:
        layer = options.layer or find_layer(network, first_images)
        report["localization"] = {"layer": layer, **measure_localization(network, layer, source, boxes)}
        pictures = list(localize(network, layer, source, boxes, spread(list(boxes), options.pictures)))
        figures["localization"] = draw_localizations(pictures, normalization)
        changed += measure_backgrounds(network, source, normalization, boxes, options.seed)
    report["robustness (top-1)"] = {one.change: one.accuracy for one in changed}
    figures["robustness"] = draw_robustness(report["accuracy"]["top-1"], changed)
    return report | log, figures


def read_log(options: Options) -> dict[str, Section]:
    """Return the section of the training log, if there is one."""
    if options.log is None:
        return {}
    return {f"{LOG_SECTION}: {options.log_metric}": read_last_epochs(options.log, options.log_metric)._asdict()}


def reliability_figure(predictions: Predictions) -> Figure:
    """Draw the reliability diagram."""
    [error] = measure_calibration(predictions, [DIAGRAM_BINS]).values()
    return draw_reliability(measure_reliability(predictions, DIAGRAM_BINS), error)


if __name__ == "__main__":
    main()
