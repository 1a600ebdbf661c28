"""The callback's own part of a training step, by phases: without the clean pass, the solver's and the mixing's kernels.

Functions of the package are wrapped to time them, so this table follows them by name.
"""

from __future__ import annotations

import functools
import pkgutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import lightning.pytorch as pl
import torch
from torch import nn

from benchmarks.data import CLASSES, SIDE
from benchmarks.step import Training, train
from benchmarks.step_module import Lit, make_resnet
from lightning_comixup import CoMixup

# Kernels that are no part of the callback's own time: they compute the clean pass, the labeling and the mixed inputs.
_KERNELS = (
    "benchmarks.step_module.Lit.forward",
    "torch.nn.functional.cross_entropy",
    "torch.autograd.grad",
    "lightning_comixup.solvers.exact.best_descent",
)
_MIXING_KERNELS = ("torch.Tensor.index_select", "torch.Tensor.add_", "torch.Tensor.mul_", "torch.where")
_TRAINING, _PLANNING = "lightning_comixup.training", "lightning_comixup.planning"
_STEP = f"{_TRAINING}.training_step"
# The functions of each phase; what they call counts for the phase that names it.
_PHASES = {
    "rest": [
        f"{_TRAINING}.callback.CoMixup.{hook}"
        for hook in ("on_train_batch_start", "on_before_backward", "on_train_batch_end")
    ]
    + [f"{_TRAINING}.batch_replacement.BatchReplacement._replaced"],
    "batch": [f"{_STEP}.read_parts", f"{_STEP}.with_part"],
    "clean pass": [f"{_STEP}.run_clean_pass"],
    "clean gradient": [
        f"{_TRAINING}.clean_pass.CleanGradient",
        f"{_TRAINING}.clean_gradient.CleanGradient.add",
        f"{_TRAINING}.clean_pass.trained_parameters",
        f"{_TRAINING}.callback.trained_parameters",
    ],
    "saliency": [f"{_TRAINING}.clean_pass.saliency_of_gradient"],
    "summary": [f"{_PLANNING}.summarize_saliency"],
    "draws": [
        f"{_TRAINING}.seeding.BatchDraws.decisions",
        f"{_TRAINING}.seeding.BatchDraws.masks",
        f"{_PLANNING}.draw_prior",
        f"{_PLANNING}.draw_starts",
    ],
    "problems": [f"{_PLANNING}.build_problems"],
    "solver": [f"{_PLANNING}.solve_groups"],
    "indices": [f"{_PLANNING}.{name}" for name in ("_stack_labels", "_count_labels", "_send_indices", "_make_report")],
    "mixing": [f"{_STEP}.mix_inputs"],
    "targets": [f"{_STEP}.target_rows", f"{_STEP}.mix_targets"],
    "logging": [f"{_TRAINING}.callback.{name}" for name in ("should_log", "step_metrics")]
    + ["lightning.pytorch.LightningModule.log_dict"],
}


class _Stopwatch:
    """Times phases that call each other; each moment counts for the innermost one."""

    def __init__(self) -> None:
        self.running = [""]
        self.seconds: dict[str, float] = defaultdict(float)
        self._since = time.perf_counter()

    def switch(self) -> None:
        """Credit the time since the last switch to the phase that is running."""
        now = time.perf_counter()
        self.seconds[self.running[-1]] += now - self._since
        self._since = now

    def timed(self, function: Callable[..., Any], phase: str, within: str | None = None) -> Callable[..., Any]:
        """Return the function timed as a phase, or only while another phase is running."""

        @functools.wraps(function, updated=())
        def call(*args: Any, **kwargs: Any) -> Any:
            if within is not None and self.running[-1] != within:
                return function(*args, **kwargs)
            self.switch()
            self.running.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self.running.pop()

        return call


class _Steps(pl.Callback):
    """Collects the phases of each step; placed behind the callback that they are of."""

    def __init__(self, stopwatch: _Stopwatch) -> None:
        self.stopwatch = stopwatch
        self.found: list[dict[str, float]] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.found.append(dict(self.stopwatch.seconds))
        self.stopwatch.seconds.clear()


@contextmanager
def _timing(stopwatch: _Stopwatch) -> Iterator[None]:
    """Time every function of the phases meanwhile."""
    phases = {name: (phase, None) for phase, names in _PHASES.items() for name in names}
    phases |= dict.fromkeys(_KERNELS, ("kernels", None)) | dict.fromkeys(_MIXING_KERNELS, ("kernels", "mixing"))
    with ExitStack() as stack:
        for name, (phase, within) in phases.items():
            owner, _, function = name.rpartition(".")
            found = pkgutil.resolve_name(owner)
            timed = stopwatch.timed(getattr(found, function), phase, within)
            stack.enter_context(patch.object(found, function, timed))
        yield


class _Still(Lit):
    """A module that learns nothing: on its one batch the gradients would soon be too small to compute with at speed."""

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def _make_small() -> nn.Sequential:
    """Return a network whose passes are over soon."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 8 * 8, CLASSES))


def callback_rows(steps: int = 200, resnet_steps: int = 5) -> list[dict[str, Any]]:
    """Return the median milliseconds of each phase, with a small network and with a ResNet-18's many parameters."""
    trainings = [
        Training("small network", _make_small, SIDE, 100, "32-true", steps, 1, 5),
        Training("ResNet-18", make_resnet, SIDE, 100, "32-true", resnet_steps, 1, 1),
    ]
    columns = {training.name: _milliseconds(training) for training in trainings}
    phases = [*_PHASES, "all of these", "kernels"]
    return [{"phase": phase} | {f"{name} ms": found[phase] for name, found in columns.items()} for phase in phases]


def _milliseconds(training: Training) -> dict[str, float]:
    stopwatch = _Stopwatch()
    collected = _Steps(stopwatch)
    with _timing(stopwatch):
        train(_Still(training.make_network()), [CoMixup(seed=0), collected], training, "cpu")
    found = collected.found[training.warm_up :]
    for step in found:
        step["all of these"] = sum(step.get(phase, 0.0) for phase in _PHASES)
    return {
        phase: 1e3 * statistics.median(step.get(phase, 0.0) for step in found)
        for phase in [*_PHASES, "all of these", "kernels"]
    }
