"""What the callback must know of strategies and of hooks that Lightning has its own version of.

Strategies are told by the names of their classes: the packages `lightning` and `pytorch_lightning` each have their own.
"""

from __future__ import annotations

import lightning.pytorch as pl
from lightning.pytorch.strategies import Strategy


def shards_outside(strategy: Strategy) -> bool:
    """Whether a wrapper or an engine shards the parameters, so that the module itself never sees their gradients."""
    return _is_a(strategy, "FSDPStrategy", "DeepSpeedStrategy")


def calls_through_wrapper(strategy: Strategy) -> bool:
    """Whether the module can only be called through its wrapper, which gathers the parameters."""
    return _is_a(strategy, "FSDPStrategy")


def shards_in_place(strategy: Strategy) -> bool:
    """Whether the module's own parameters are sharded (FSDP2, tensor parallelism).

    Their gradients then arrive in the shards' `.grad`, which only a backward fills.
    """
    return _is_a(strategy, "ModelParallelStrategy")


def overrides(instance: object, hook: str) -> bool:
    """Whether a module or data module has its own version of one of Lightning's hooks."""
    origin: str = getattr(getattr(instance, hook, None), "__module__", None) or "lightning."
    return not origin.startswith(("lightning.", "pytorch_lightning."))


def data_rank(trainer: pl.Trainer) -> int:
    """Return which share of the data this process works on: ranks of one tensor-parallel group have the same."""
    sampling = trainer.distributed_sampler_kwargs
    return trainer.global_rank if sampling is None else int(sampling["rank"])


def _is_a(strategy: Strategy, *names: str) -> bool:
    return any(kind.__name__ in names for kind in type(strategy).__mro__)
