"""Lightning's internals: the kinds of its strategies, its own hooks, and the private names that this package uses.

A strategy's kind is recognised by class names, because the packages `lightning` and `pytorch_lightning` each have their
own classes. Private names may change with any release of Lightning, so they are used only here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.strategies import Strategy


def shards_outside(strategy: Strategy) -> bool:
    """Whether a wrapper or an engine shards the parameters, so that the module itself never sees their gradients."""
    return _is_a(strategy, "FSDPStrategy", "DeepSpeedStrategy")


def shards_in_place(strategy: Strategy) -> bool:
    """Whether the module's own parameters are sharded (FSDP2, tensor parallelism).

    Their gradients then end up in the `.grad` of the shards, which only a backward fills.
    """
    return _is_a(strategy, "ModelParallelStrategy")


def has_static_graph(strategy: Strategy) -> bool:
    """Whether DistributedDataParallel was told that its graph is static."""
    return bool(getattr(strategy, "_ddp_kwargs", {}).get("static_graph"))


def call_module(strategy: Strategy, module: pl.LightningModule, method: str, *arguments: Any) -> Any:
    """Call a method of the module with its hooks, under FSDP through the wrapper, which gathers the parameters."""
    if _is_a(strategy, "FSDPStrategy"):
        wrapper = strategy.model
        assert wrapper is not None
        if method == "forward":  # the wrapper calls it by itself, and the redirection does not support it
            return wrapper(*arguments)
        return strategy._forward_redirection(wrapper, module, method, *arguments)
    return module(*arguments) if method == "forward" else getattr(module, method)(*arguments)


def is_compiled(module: pl.LightningModule) -> bool:
    """Whether the module as a whole was compiled, in which case Lightning replaces its steps."""
    return getattr(module, "_compiler_ctx", None) is not None


def skips_backward(trainer: pl.Trainer) -> bool:
    """Whether the loop skips its backward, as it does while weight averaging updates BatchNorm."""
    return bool(getattr(trainer.fit_loop, "_skip_backward", False))


def records_step(trainer: pl.Trainer) -> bool:
    """Whether loggers record this step. Lightning's own monitors, such as DeviceStatsMonitor, check it in this way."""
    return bool(trainer._logger_connector.should_update_logs)


def overrides(instance: object, hook: str) -> bool:
    """Whether a module, data module or callback has its own version of one of Lightning's hooks."""
    origin: str = getattr(getattr(instance, hook, None), "__module__", None) or "lightning."
    return not origin.startswith(("lightning.", "pytorch_lightning."))


def makes_containers(trainer: pl.Trainer, module: pl.LightningModule) -> bool:
    """Whether Lightning's own transfer to the device, instead of the user's, created the batch's containers."""
    data_module = getattr(trainer, "datamodule", None)
    return not any(overrides(owner, "transfer_batch_to_device") for owner in (module, data_module))


def data_rank(trainer: pl.Trainer) -> int:
    """Return the index of this process's share of the data. The ranks of a tensor-parallel group have the same one."""
    sampling = trainer.distributed_sampler_kwargs
    return trainer.global_rank if sampling is None else int(sampling["rank"])


def _is_a(strategy: Strategy, *names: str) -> bool:
    return not _kinds(type(strategy)).isdisjoint(names)


@cache
def _kinds(strategy: type[Strategy]) -> frozenset[str]:
    return frozenset(kind.__name__ for kind in strategy.__mro__)
