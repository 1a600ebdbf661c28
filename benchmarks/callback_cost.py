"""The callback's own share of a training step, by phase, without the clean pass and the kernels of solver and mixing.

To time functions of the package, this benchmark wraps them, so it depends on their names.
"""

from __future__ import annotations

import functools
import pkgutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import lightning.pytorch as pl
import torch
from torch import nn

from benchmarks.data import CLASSES, SIDE
from benchmarks.step import Training, train
from benchmarks.step_module import Lit, make_resnet
from lightning_comixup import CoMixup

# The functions of each phase. If they call another function, its time counts towards its own phase if it has one, and
# towards the caller's phase if not.
_PHASES = {
    "rest": "training.callback.CoMixup: on_train_batch_start on_before_backward on_train_batch_end",
    "batch": "training.batch_reader.BatchReader: read; training.batch_reader.CleanBatch: with_parts",
    "clean pass": "training.training_step: run_clean_pass",
    "metrics": "training.metric_routing: find_metrics",
    "clean gradient": "training.clean_pass: CleanGradient trained_parameters; "
    "training.current_batch: trained_parameters; training.clean_gradient.CleanGradient: add",
    "saliency": "training.clean_pass: saliency_of_gradient",
    "summary": "planning: summarize_saliency",
    "draws": "training.seeding.BatchDraws: decisions masks; planning: draw_prior draw_starts",
    "problems": "planning: build_problems",
    "solver": "planning: solve_groups",
    "indices": "planning: _stack_labels _count_labels _send_indices _make_report",
    "mixing": "training.training_step: mix_inputs",
    "targets": "training.training_step: _target_rows mix_targets",
    "logging": "training.callback: should_log step_metrics",
}
# These compute the clean pass, the labeling and the mixed inputs. They do not count as the callback's own share.
_KERNELS = "solvers.descent: best_descent; .benchmarks.step_module.Lit: forward; "
_KERNELS += ".torch.nn.functional: cross_entropy; .torch.autograd: grad"
_MIXING_KERNELS = ".torch: where; .torch.Tensor: index_select add_ mul_"


class _Stopwatch(pl.Callback):
    """Times nested phases in each step. Time counts only towards the innermost phase."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self._running = [""]
        self._seconds: dict[str, float] = defaultdict(float)
        self._since = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps.append(dict(self._seconds))
        self._seconds.clear()

    def _count(self) -> None:
        now = time.perf_counter()
        self._seconds[self._running[-1]] += now - self._since
        self._since = now

    def wrap(self, function: Callable[..., Any], phase: str, within: str = "") -> Callable[..., Any]:
        """Return the function, timed as a phase. With `within`, it is timed only while that phase is running."""

        @functools.wraps(function, updated=())
        def timed(*args: Any, **kwargs: Any) -> Any:
            if within not in ("", self._running[-1]):
                return function(*args, **kwargs)
            self._count()
            self._running.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self._count()
                self._running.pop()

        return timed


def _patches(stopwatch: _Stopwatch, functions: str, phase: str, within: str = "") -> list[Any]:
    patches = []
    for entry in functions.split("; "):
        place, names = entry.split(": ")
        owner = pkgutil.resolve_name(place[1:] if place.startswith(".") else f"lightning_comixup.{place}")
        timed = {name: stopwatch.wrap(getattr(owner, name), phase, within) for name in names.split()}
        patches += [patch.object(owner, name, function) for name, function in timed.items()]
    return patches


class _Still(Lit):
    """A module that does not learn. On a single batch, gradients would soon get so small that computing slows down."""

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def _make_small() -> nn.Sequential:
    """Return a network with short passes and a gradient that reaches every pixel."""
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 8 * 8, CLASSES))


def callback_rows(steps: int = 200, resnet_steps: int = 5) -> list[dict[str, Any]]:
    """Return the median milliseconds of each phase for a small network and for a ResNet-18 with its many parameters."""
    trainings = [
        Training("small network", _make_small, SIDE, 100, "32-true", steps, 1, 5),
        Training("ResNet-18", make_resnet, SIDE, 100, "32-true", resnet_steps, 1, 1),
    ]
    columns = {f"{training.name} ms": _milliseconds(training) for training in trainings}
    phases = next(iter(columns.values()))
    return [{"phase": phase} | {name: found[phase] for name, found in columns.items()} for phase in phases]


def _milliseconds(training: Training) -> dict[str, float]:
    stopwatch = _Stopwatch()
    patches = [part for phase, functions in _PHASES.items() for part in _patches(stopwatch, functions, phase)]
    patches += _patches(stopwatch, _KERNELS, "kernels") + _patches(stopwatch, _MIXING_KERNELS, "kernels", "mixing")
    with ExitStack() as stack:
        for part in patches:
            stack.enter_context(part)
        train(_Still(training.make_network()), [CoMixup(seed=0), stopwatch], training, "cpu")
    steps = stopwatch.steps[training.warm_up :]
    for step in steps:
        step["all of these"] = sum(step.get(phase, 0.0) for phase in _PHASES)
    phases = [*_PHASES, "all of these", "kernels"]
    return {phase: 1e3 * statistics.median(step.get(phase, 0.0) for step in steps) for phase in phases}
