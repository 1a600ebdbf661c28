"""Finding the metrics of a module, and saving and restoring their state."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, TypeGuard

from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

AnyMetric = Metric | MetricCollection
ROUTED = ("forward", "update", "reset")  # the methods that are replaced during a pass

_OF_MODULES = frozenset(vars(nn.Module()))
# The rest of a metric's attributes that no call changes.
_FIXED = _OF_MODULES | {*ROUTED, "compute", "_defaults", "_reductions", "_persistent"}
# Limits of the search for metrics in plain lists and dicts. Heuristic: a list of outputs may be long.
_DEPTH, _LENGTH = 3, 64
_CONTAINERS = (dict, list, tuple)


def find_metrics(module: nn.Module) -> list[AnyMetric]:
    """Return a module's metrics, each once.

    These are its submodules that are metrics, the metrics within those, and the metrics in lists and dicts of the
    module or its submodules, which PyTorch does not register.
    """
    found: dict[int, AnyMetric] = {}
    for part in module.modules():
        if is_metric(part):
            found[id(part)] = part
        elif not type(part).__module__.startswith("torch."):  # PyTorch's own classes have no lists of metrics
            for name, value in vars(part).items():
                if type(value) in _CONTAINERS and name not in _OF_MODULES:
                    for metric in _metrics_in(value, _DEPTH):
                        found |= {id(inner): inner for inner in metric.modules() if is_metric(inner)}
    return list(found.values())


def is_metric(value: object) -> TypeGuard[AnyMetric]:
    """Whether a value is a metric or a collection of them."""
    return _is_class_of_metrics(type(value))  # type: ignore[arg-type]


@cache  # metric classes are abstract, for which `isinstance` is slow
def _is_class_of_metrics(kind: type) -> bool:
    return issubclass(kind, Metric | MetricCollection)


def _metrics_in(container: Any, depth: int) -> Iterator[AnyMetric]:
    """Yield the metrics in nested lists, tuples and dicts."""
    for part in islice(container.values() if isinstance(container, dict) else container, _LENGTH):
        if is_metric(part):
            yield part
        elif depth > 1 and type(part) in _CONTAINERS:
            yield from _metrics_in(part, depth - 1)


class MetricSnapshot:
    """The state of a metric, and of those within it, at one moment.

    Copying the metric itself could fail: its last result may have a graph, which cannot be copied.
    """

    def __init__(self, metric: AnyMetric) -> None:
        """Save the state of a metric."""
        self._parts = [
            (part, _state_of(part), {name: _copy(buffer) for name, buffer in part.named_buffers(recurse=False)})
            for part in metric.modules()
            if is_metric(part)
        ]

    def restore(self) -> None:
        """Restore the saved state."""
        for part, state, buffers in self._parts:
            own = vars(part)
            for name in own.keys() - state.keys() - _FIXED:
                del own[name]
            own.update(state)
            for name, buffer in buffers.items():
                setattr(part, name, buffer)


def _state_of(part: AnyMetric) -> dict[str, Any]:
    return {name: _copy(value) for name, value in vars(part).items() if name not in _FIXED}


def _copy(value: Any) -> Any:
    """Copy values that a metric may change in place: tensors and containers, but not the tensors in lists."""
    if isinstance(value, Tensor):
        return value if value.requires_grad else value.clone()
    if type(value) is dict:
        return {name: _copy(part) for name, part in value.items()}
    return copy.copy(value) if isinstance(value, list | dict | set | deque) else value
