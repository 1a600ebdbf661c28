"""A run, which consists of a training and its measurements."""

from __future__ import annotations

from pathlib import Path

from examples.study_parts.data import draw_split
from examples.study_parts.measures import fit_temperature, measure
from examples.study_parts.plan import Result, Run
from examples.study_parts.training import Way, predict, train


def do_run(run: Run, folder: Path, accelerator: str) -> Result:
    """Carry out a run.

    Args:
        run: The run.
        folder: Folder of Fashion-MNIST.
        accelerator: Lightning's name for the device.
    """
    split = draw_split(run.part, run.labels, run.seed, folder)
    way = Way(run.part, run.steps, run.network, accelerator)
    trained = train(split.train, split.validation, way, run.method, run.seed)
    val_logits, logits = (predict(trained.module, part.pixels) for part in (split.validation, split.test))
    temperature = fit_temperature(val_logits, split.validation.labels)
    scaled = measure(logits / temperature, split.test.labels)
    measures = (*measure(val_logits, split.validation.labels), *measure(logits, split.test.labels))
    return Result(*run, *measures, temperature, scaled.ece, scaled.nll, trained.seconds)
