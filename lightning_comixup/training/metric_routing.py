"""Metrics of a module in a mixed step: those that are given targets see the clean batch, all others the mixed one.

A metric of class labels makes nothing of a mixed batch: it refuses class probabilities, or returns 0 without a word.
What users want to see is the accuracy on their own images. The clean pass has it for free, since it calls the same
step. A mean of the loss, on the other hand, belongs to the mixed batch, on which the network trains.
"""

from __future__ import annotations

import copy
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from lightning_comixup.soft_targets.metrics import SoftTargetAccuracy
from lightning_comixup.training.derived_tensors import tensors_in

AnyMetric = Metric | MetricCollection
_CALLS = ("forward", "update")


class MetricRouting:
    """Routes the calls of a module's metrics during the two passes of a mixed step.

    Metrics are told apart by identity: torchmetrics overload `==`. Only instances are wrapped, and only during a pass.
    """

    def __init__(self) -> None:
        """Start with nothing known about any metric."""
        # By the metric's number; the metric is kept, so that no other gets its number.
        self._takes_targets: dict[int, tuple[AnyMetric, bool]] = {}
        self._scratch: dict[int, Any] = {}
        self._returned: defaultdict[int, deque[Any]] = defaultdict(deque)
        self._is_inside = False  # a metric that calls others: these follow it
        self._wrappers: list[tuple[AnyMetric, dict[str, Any], dict[str, Any]]] = []  # metric, its own calls, wrappers

    @contextmanager
    def clean_pass(self, module: pl.LightningModule, is_target: Callable[[Tensor], bool]) -> Iterator[None]:
        """Let calls with targets through, and leave no trace of others.

        Args:
            module: The module.
            is_target: Whether a tensor is one of the batch's targets, or computed from them.
        """
        self._returned.clear()

        def route(metric: AnyMetric, name: str, original: Any, args: Any, kwargs: Any) -> Any:
            if self._sees_clean(metric, is_target, args, kwargs):
                value = original(*args, **kwargs)
                self._returned[id(metric)].append(value)
                return value
            return None if name == "update" else self._without_trace(metric, args, kwargs)

        with self._wrapped(module, route):
            yield

    @contextmanager
    def mixed_pass(
        self, module: pl.LightningModule, is_target: Callable[[Tensor], bool], dominant: Callable[[Tensor], Tensor]
    ) -> Iterator[None]:
        """Answer calls with targets by what the clean pass returned, and let others through.

        Args:
            module: The module.
            is_target: Whether a tensor is one of the mixed targets.
            dominant: Where there was no call in the clean pass, replaces mixed targets by those of each output's
                dominant class or input.
        """

        def route(metric: AnyMetric, name: str, original: Any, args: Any, kwargs: Any) -> Any:
            if not self._sees_clean(metric, is_target, args, kwargs):
                return original(*args, **kwargs)
            returned = self._returned[id(metric)]
            if not returned:
                return original(*_replace(args, dominant), **_replace(kwargs, dominant))
            if len(returned) > 1:  # a step may call a metric more often than in the clean pass
                return returned.popleft()
            return returned[0]

        with self._wrapped(module, route):
            yield

    def _sees_clean(self, metric: AnyMetric, is_target: Callable[[Tensor], bool], args: Any, kwargs: Any) -> bool:
        """Whether a metric is one that is given targets. What it was given once decides from then on."""
        if isinstance(metric, SoftTargetAccuracy):  # made for mixed targets
            return False
        known = id(metric) in self._takes_targets and self._takes_targets[id(metric)][1]
        found = known or any(is_target(tensor) for tensor in tensors_in((args, kwargs)))
        self._takes_targets[id(metric)] = (metric, found)
        return found

    def _without_trace(self, metric: AnyMetric, args: Any, kwargs: Any) -> Any:
        """Return what a metric returns for a batch, from an empty copy of it."""
        if id(metric) not in self._scratch:
            own, self._wrappers = self._wrappers, []
            try:
                _set_calls([(wrapped, earlier) for wrapped, earlier, _ in own])
                self._scratch[id(metric)] = _empty_copy(metric)
            finally:
                _set_calls([(wrapped, calls) for wrapped, _, calls in own])
                self._wrappers = own
        return self._scratch[id(metric)](*args, **kwargs)

    @contextmanager
    def _wrapped(self, module: pl.LightningModule, route: Callable[..., Any]) -> Iterator[None]:
        """Wrap the calls of every metric. `update` is an attribute of each metric already: the old one comes back."""
        self._wrappers = [
            (
                metric,
                {name: vars(metric)[name] for name in _CALLS if name in vars(metric)},
                {name: self._wrap(metric, name, route) for name in _CALLS},
            )
            for metric in find_metrics(module)
        ]
        try:
            _set_calls([(metric, calls) for metric, _, calls in self._wrappers])
            yield
        finally:
            _set_calls([(metric, earlier) for metric, earlier, _ in self._wrappers])
            self._wrappers = []

    def _wrap(self, metric: AnyMetric, name: str, route: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(metric, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._is_inside:
                return original(*args, **kwargs)
            self._is_inside = True
            try:
                return route(metric, name, original, args, kwargs)
            finally:
                self._is_inside = False

        return call


def find_metrics(module: pl.LightningModule) -> list[AnyMetric]:
    """Return the module's metrics, each once; also those in lists and dicts, which a module does not register."""
    found = {id(part): part for part in module.modules() if isinstance(part, Metric | MetricCollection)}
    for value in vars(module).values():
        parts = value.values() if isinstance(value, Mapping) else value
        if isinstance(parts, list | tuple | type({}.values())):
            found |= {id(part): part for part in parts if isinstance(part, Metric | MetricCollection)}
    return list(found.values())


def _set_calls(calls: list[tuple[AnyMetric, dict[str, Any]]]) -> None:
    """Give each metric these calls as attributes, in place of any that it has."""
    for metric, attributes in calls:
        for name in _CALLS:
            vars(metric).pop(name, None)
        vars(metric).update(attributes)


def _empty_copy(metric: AnyMetric) -> Any:
    """Return a copy of a metric as it was before its first batch; what it has collected is not copied."""
    memo: dict[int, Any] = {}
    for part in metric.modules():
        if isinstance(part, Metric):
            for state in part.metric_state.values():
                memo[id(state)] = [] if isinstance(state, list) else state.detach().clone()
    duplicate = copy.deepcopy(metric, memo)
    duplicate.reset()
    return duplicate


def _replace(value: Any, replacement: Callable[[Tensor], Tensor]) -> Any:
    """Return arguments with each tensor replaced."""
    if isinstance(value, Tensor):
        return replacement(value)
    if isinstance(value, dict):
        return {name: _replace(part, replacement) for name, part in value.items()}
    return type(value)(_replace(part, replacement) for part in value) if type(value) in (list, tuple) else value
