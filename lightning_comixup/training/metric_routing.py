"""Metrics of a module in a mixed step: those that receive targets see the clean batch, all others the mixed one.

A metric of class labels cannot measure a mixed batch: it rejects class probabilities, or silently returns 0. Users want
to see the accuracy on their own images, and the clean pass provides it for free, since it calls the same step. A mean
of the loss, on the other hand, belongs to the mixed batch, on which the network trains.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from lightning_comixup.soft_targets.metrics import SoftTargetAccuracy
from lightning_comixup.training.derived_tensors import map_tensors, tensors_in
from lightning_comixup.training.metric_instances import ROUTED, AnyMetric, MetricSnapshot, find_metrics

TensorTest = Callable[[Tensor], bool]


class TargetTests(NamedTuple):
    """Tests that recognise the targets of a pass among the arguments of a metric."""

    is_target: TensorTest  # a target or a view of one, or in a watched step a tensor computed from targets
    has_their_values: TensorTest  # used only for a metric's first call, since it waits for the device

    def found_in(self, arguments: Any, *, by_value: bool) -> bool:
        """Whether the arguments of a call contain targets."""
        tensors = list(tensors_in(arguments))
        return any(map(self.is_target, tensors)) or (by_value and any(map(self.has_their_values, tensors)))


class MetricRouting:
    """Routes the calls of a module's metrics during the two passes of a mixed step.

    Metrics are identified by `id`: torchmetrics overloads `==`. Only instances are changed, and only during a pass.
    """

    def __init__(self) -> None:
        """Start without knowing any metric."""
        # Keyed by the metric's id. Each call keeps its metric alive, so that the id is not reused.
        self._calls: dict[int, list[_RoutedCall]] = {}
        self._takes_targets: dict[int, bool] = {}
        self._returned: defaultdict[int, deque[Any]] = defaultdict(deque)  # by the clean pass
        self._snapshots: dict[int, MetricSnapshot] = {}  # of the clean pass
        self._called: dict[int, AnyMetric] = {}  # in the clean pass
        self._was_reset: set[int] = set()  # by the clean pass
        self._is_inside = False  # within a routed call: calls that it makes of other metrics or itself are not routed
        self._route: Callable[[_RoutedCall, Any, Any], Any] | None = None  # of the current pass

    @contextmanager
    def clean_pass(self, module: pl.LightningModule, tests: TargetTests) -> Iterator[None]:
        """Let calls with targets through, and undo the effect of all others.

        Args:
            module: The module.
            tests: Tests that recognise the batch's targets.
        """
        self.forget_step()

        def route(call: _RoutedCall, args: Any, kwargs: Any) -> Any:
            if call.name == "reset":
                return self._reset_in_clean_pass(call)
            number = id(call.metric)
            sees_clean = self._sees_clean(call.metric, tests, (args, kwargs))
            self._called[number] = call.metric
            if not sees_clean and number not in self._snapshots:
                self._snapshots[number] = MetricSnapshot(call.metric)
            value = call.original(*args, **kwargs)
            if sees_clean:
                self._returned[number].append(map_tensors(value, _without_graph))
            return value

        try:
            with self._routed(module, route):
                yield
        finally:
            for snapshot in reversed(self._snapshots.values()):
                snapshot.restore()
            self._snapshots, self._called = {}, {}

    @contextmanager
    def mixed_pass(
        self,
        module: pl.LightningModule,
        tests: TargetTests,
        dominant: Callable[[Any], Any],
        *,
        takes_mixed: bool,
    ) -> Iterator[None]:
        """Answer calls with targets with the values from the clean pass, and let all others through.

        Args:
            module: The module.
            tests: Tests that recognise the mixed targets.
            dominant: Used if there was no such call in the clean pass. It replaces mixed targets among the arguments by
                the targets of each output's dominant class or input.
            takes_mixed: Whether the mixed targets are numbers like the clean ones, so that metrics can handle them. A
                value that may become part of the loss is then computed for the mixed batch.
        """

        def route(call: _RoutedCall, args: Any, kwargs: Any) -> Any:
            number = id(call.metric)
            if call.name == "reset":
                if number in self._was_reset:
                    return self._was_reset.discard(number)
                return call.original()
            if not self._sees_clean(call.metric, tests, (args, kwargs)):
                return call.original(*args, **kwargs)
            returned = self._returned[number]
            if not returned:
                args, kwargs = dominant((args, kwargs))
                return call.original(*args, **kwargs)
            # A step may call a metric more often than in the clean pass.
            value = returned.popleft() if len(returned) > 1 else returned[0]
            if takes_mixed and torch.is_grad_enabled() and any(part.requires_grad for part in tensors_in(value)):
                return _without_trace(call, args, kwargs)
            return map_tensors(value, _refuse_backward)

        with self._routed(module, route):
            yield

    def forget_step(self) -> None:
        """Forget the values from the clean pass of the previous step."""
        self._returned.clear()
        self._was_reset.clear()

    def _sees_clean(self, metric: AnyMetric, tests: TargetTests, arguments: Any) -> bool:
        """Whether a metric receives targets. Once it has received some, it counts as such from then on."""
        if isinstance(metric, SoftTargetAccuracy):  # made for mixed targets
            return False
        known = self._takes_targets.get(id(metric))
        if not known:
            self._takes_targets[id(metric)] = tests.found_in(arguments, by_value=known is None)
        return self._takes_targets[id(metric)]

    def _reset_in_clean_pass(self, call: _RoutedCall) -> None:
        """Reset a metric only once in the two passes: here before it collects values, in the mixed pass after that."""
        metric = call.metric
        around = [number for number, called in self._called.items() if any(part is metric for part in called.modules())]
        if around and not any(number in self._snapshots for number in around):
            return  # the mixed pass may still log its value
        call.original()
        if not around:
            self._was_reset.add(id(metric))

    @contextmanager
    def _routed(self, module: pl.LightningModule, route: Callable[[_RoutedCall, Any, Any], Any]) -> Iterator[None]:
        """Replace methods of every metric. `update` is already an attribute of each metric, and is restored later."""
        calls = [call for metric in find_metrics(module) for call in self._calls_of(metric)]
        try:
            self._route = route
            for call in calls:
                call.install()
            yield
        finally:
            for call in calls:
                call.remove()
            self._route = None

    def _calls_of(self, metric: AnyMetric) -> list[_RoutedCall]:
        if id(metric) not in self._calls:
            self._calls[id(metric)] = [_RoutedCall(self, metric, name) for name in ROUTED]
        return self._calls[id(metric)]

    def call(self, call: _RoutedCall, args: Any, kwargs: Any) -> Any:
        """Route a call, unless it comes from within a routed call."""
        if self._is_inside or self._route is None or _is_routed_by_member(call.metric):
            return call.original(*args, **kwargs)
        self._is_inside = True
        try:
            return self._route(call, args, kwargs)
        finally:
            self._is_inside = False


def _is_routed_by_member(metric: AnyMetric) -> bool:
    """Whether a collection has a metric for the mixed batch, so that its members do not all see the same batch."""
    return isinstance(metric, MetricCollection) and any(
        isinstance(part, SoftTargetAccuracy) for part in metric.children()
    )


class _RoutedCall:
    """Replaces one method of one metric. It is created only once, since a compiled step depends on its identity."""

    def __init__(self, routing: MetricRouting, metric: AnyMetric, name: str) -> None:
        self._routing, self.metric, self.name = routing, metric, name
        self.original: Callable[..., Any] = getattr(metric, name)
        self._earlier: dict[str, Any] = {}

    def install(self) -> None:
        own = vars(self.metric)
        if own.get(self.name) is not self:
            self.original = getattr(self.metric, self.name)
            self._earlier = {self.name: own[self.name]} if self.name in own else {}
            own[self.name] = self

    def remove(self) -> None:
        own = vars(self.metric)
        if own.get(self.name) is self:
            del own[self.name]
            own.update(self._earlier)
        self._earlier = {}

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._routing.call(self, args, kwargs)

    def __reduce__(self) -> Any:
        """Copy and pickle like the method itself, since a step may copy a metric."""
        return getattr, (self.metric, self.name)


class _RefusedBackward(torch.autograd.Function):
    """The identity, without a gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError(
            "A metric that receives class labels must not be part of the loss, found that it is: it sees the clean "
            "batch, but the loss belongs to the mixed one. Compute the loss with a function that accepts class "
            "probabilities, such as torch's cross_entropy."
        )


def _without_graph(value: Tensor) -> Tensor:
    return value.detach().requires_grad_() if value.requires_grad else value


def _refuse_backward(value: Tensor) -> Tensor:
    return _RefusedBackward.apply(value) if value.requires_grad else value  # type: ignore[no-untyped-call]


def _without_trace(call: _RoutedCall, args: Any, kwargs: Any) -> Any:
    snapshot = MetricSnapshot(call.metric)
    try:
        return call.original(*args, **kwargs)
    finally:
        snapshot.restore()
