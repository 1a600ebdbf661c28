"""The whole evaluation: its measurements, report and figures."""

from __future__ import annotations

from dataclasses import dataclass

import lightning as L
import torch
from matplotlib.figure import Figure
from rich.console import Console

from examples.evaluation.accuracy import measure_accuracy
from examples.evaluation.activation_map import find_layer
from examples.evaluation.calibration import measure_calibration, measure_reliability
from examples.evaluation.localization import localize, measure_localization, spread
from examples.evaluation.localization_strip import draw_localizations
from examples.evaluation.network import Predictions, load_network, predict
from examples.evaluation.normalization import Normalization
from examples.evaluation.options import Options
from examples.evaluation.reliability_diagram import draw_reliability
from examples.evaluation.report import LOG_SECTION, Section, report_table, write_report
from examples.evaluation.robustness import measure_backgrounds, measure_robustness
from examples.evaluation.robustness_chart import draw_robustness
from examples.evaluation.source import open_source
from examples.evaluation.training_log import read_last_epochs
from examples.evaluation.truth import read_truth

DIAGRAM_BINS = 15  # of the reliability diagram, the middle one of the default numbers of bins
DOTS_PER_INCH = 150


@dataclass(frozen=True)
class OptionsWithData(Options):
    """Evaluate a checkpoint of an image classifier."""

    data: L.LightningDataModule


def evaluate_and_report(options: OptionsWithData) -> None:
    """Measure, print the table, and write the report and the figures."""
    report, figures = evaluate(options)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(options.output / f"{name}.png", dpi=DOTS_PER_INCH)
    write_report(report, options.output / "report.json")
    console = Console()
    console.print(report_table(report))
    console.print(f"Report and figures: {options.output}", highlight=False, markup=False, soft_wrap=True)


def evaluate(options: OptionsWithData) -> tuple[dict[str, Section], dict[str, Figure]]:
    """Return the report's sections, and the figures by name."""
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
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


def read_log(options: OptionsWithData) -> dict[str, Section]:
    """Return the section of the training log, if there is one."""
    if options.log is None:
        return {}
    return {f"{LOG_SECTION}: {options.log_metric}": read_last_epochs(options.log, options.log_metric)._asdict()}


def reliability_figure(predictions: Predictions) -> Figure:
    """Draw the reliability diagram."""
    [error] = measure_calibration(predictions, [DIAGRAM_BINS]).values()
    return draw_reliability(measure_reliability(predictions, DIAGRAM_BINS), error)
