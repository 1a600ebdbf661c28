"""The configuration of the callback: which batches are mixed, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import Tensor, nn

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.groups import count_groups
from lightning_comixup.saliencies.low_resolution import LowResolution
from lightning_comixup.training.seeding import BatchDraws
from lightning_comixup.validation import (
    LEAST_INTEGER,
    check_choice,
    check_count,
    check_flag,
    check_function,
    check_number,
    check_positive,
)

Getter = Callable[[Any], Any]
Setter = Callable[[Any, Any], Any]
# Functions that read and replace the part, an index or name, or a path of these to a nested part. The functions come
# first because a command line tries the types in order and would mistake import paths for names.
BatchKey = tuple[Getter, Setter] | int | str | list[int | str] | tuple[int | str, ...]
# Keys alone, or a mapping of each key to the number of classes of its part, possibly nested (see `read_averaged`).
AveragedKeys = Sequence[BatchKey] | Mapping[Any, Any]
CleanLoss = Literal["auto", "training_step", "forward"]
CleanGradientMethod = Literal["grad", "backward"]
OnNonfinite = Literal["raise", "skip"]
# (module, inputs in the user's layout, clean targets) to a Tensor (B, *spatial). The result is untyped because
# jsonargparse treats a callable that returns a class as a factory of that class, and would reject callable objects.
SaliencyFunction = Callable[[nn.Module, Tensor, Tensor], Any]


@dataclass(frozen=True, kw_only=True)
class MixingConfig:
    """The options that determine how a batch is mixed, described in `CoMixup`."""

    hyperparameters: Hyperparameters
    num_classes: int | None
    clean_weight: float
    clean_loss: CleanLoss
    mixed_share: float
    input_key: BatchKey | None  # None: found
    target_key: BatchKey | None
    channel_dim: int | None  # None: no channels
    also_mix: tuple[BatchKey, ...]
    also_average: tuple[BatchKey, ...]
    average_classes: tuple[int | None, ...]  # of each part in `also_average`; None: not given
    linear_targets: bool | None  # None: found
    ignore_index: int | None  # None: that of the loss in the clean pass
    saliency: SaliencyFunction | None
    clean_gradient: CleanGradientMethod
    on_nonfinite: OnNonfinite
    manual_optimization: bool

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ValueError: If a value is out of its range.
            TypeError: If a value has the wrong type.
        """
        if self.num_classes is not None:
            advice = "Leave it None if the logits, the loss or soft targets show it."
            check_count("num_classes", self.num_classes, advice=advice)
        advice = "Use 1 for the authors' step, or 0 for the saliency alone."
        check_number("clean_weight", self.clean_weight, lowest=0.0, advice=advice)
        advice = "Use 1 to mix all groups. To mix fewer batches, lower prob."
        check_positive("mixed_share", self.mixed_share, advice=advice)
        check_number("mixed_share", self.mixed_share, lowest=0.0, highest=1.0, advice=advice)
        self._check_keys()
        check_channel_dim(self.channel_dim)
        if self.saliency is not None:
            advice = "Leave it None for the clean pass's input gradient. If it is a class, make an instance: Edges()."
            check_function("saliency", self.saliency, "(module, inputs, targets)", advice=advice)
        if self.low_resolution is not None and self.clean_weight > 0:
            raise ValueError(
                f"clean_weight must be 0 with {self.saliency!r}, found {self.clean_weight}: the clean gradient needs "
                "a clean pass at full size, which gives the exact saliency at no extra cost. Leave saliency=None, or "
                "pass CoMixup(clean_weight=0) for a step without the clean loss."
            )
        if self.linear_targets is not None:
            advice = "Use True for targets that are numbers, False for classes, or leave it out."
            check_flag("linear_targets", self.linear_targets, advice=advice)
        if self.ignore_index is not None:
            advice = "Leave it None to use that of the loss."
            check_count("ignore_index", self.ignore_index, lowest=LEAST_INTEGER, advice=advice)
        advice = 'Use "training_step" for the module\'s own step, "forward" for the cross-entropy of its logits.'
        check_choice("clean_loss", self.clean_loss, get_args(CleanLoss), advice=advice)
        advice = 'Use "grad" unless the module has re-entrant checkpointing.'
        check_choice("clean_gradient", self.clean_gradient, get_args(CleanGradientMethod), advice=advice)
        advice = 'Use "raise" to find the cause, or "skip" to go on without mixing.'
        check_choice("on_nonfinite", self.on_nonfinite, get_args(OnNonfinite), advice=advice)
        advice = "Use True if the module calls manual_backward once per batch."
        check_flag("manual_optimization", self.manual_optimization, advice=advice)

    @property
    def low_resolution(self) -> LowResolution | None:
        """The saliency if it comes from a clean pass on smaller inputs, otherwise None."""
        return self.saliency if isinstance(self.saliency, LowResolution) else None

    @property
    def has_saliency_of_clean_pass(self) -> bool:
        """Whether the saliency comes from the clean pass. Otherwise it comes from a separate function."""
        return self.saliency is None or self.low_resolution is not None

    def _check_keys(self) -> None:
        keys = self.named_keys(self.input_key, self.target_key)
        for name, key in keys:
            check_key(name, key)
        _check_distinct([key for _, key in keys])
        for key, number in zip(self.also_average, self.average_classes, strict=True):
            if number is not None:
                advice = "Use None for a part without classes."
                check_count(f"The number of classes of {key!r} in also_average", number, advice=advice)

    def mixes_every_batch(self, batch_size: int) -> bool:
        """Whether at least one group is drawn in every batch of the given size."""
        return self.mixed_share * count_groups(batch_size, self.hyperparameters.partition_size) >= 1

    def named_keys(self, input_key: BatchKey | None, target_key: BatchKey | None) -> list[tuple[str, BatchKey]]:
        """Return the key of each part that is mixed, with the name of its argument.

        The inputs come first, then the targets, `also_mix` and `also_average`. A key that is None is omitted.
        """
        keys = [("input_key", input_key), ("target_key", target_key)]
        keys += [("also_mix", key) for key in self.also_mix]
        keys += [("also_average", key) for key in self.also_average]
        return [(name, key) for name, key in keys if key is not None]


def _check_distinct(keys: list[BatchKey]) -> None:
    paths = [tuple(key) if isinstance(key, list | tuple) else (key,) for key in keys]
    for position, key in enumerate(keys):
        if paths[position] in paths[:position]:
            raise ValueError(
                "Each part of a batch must be named once in input_key, target_key, also_mix and also_average, "
                f"found {key!r} twice: it would be mixed twice. Leave one of them out."
            )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The options that determine which batches are mixed."""

    prob: float
    start_epoch: int
    stop_epoch: int | None

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ValueError: If a value is out of its range.
            TypeError: If a value has the wrong type.
        """
        check_number("prob", self.prob, lowest=0.0, highest=1.0, advice="Use 1 to mix every batch.")
        check_count("start_epoch", self.start_epoch, lowest=0, advice="Use 0 to mix from the first epoch.")
        if self.stop_epoch is not None:
            check_count("stop_epoch", self.stop_epoch, lowest=0, advice="Leave it None to mix up to the end.")
            if self.stop_epoch <= self.start_epoch:
                raise ValueError(
                    f"stop_epoch must be after start_epoch, found {self.stop_epoch} and {self.start_epoch}: no epoch "
                    "would be mixed. Leave stop_epoch=None to mix up to the end."
                )

    def should_mix(self, draws: BatchDraws) -> bool:
        """Whether to mix a batch. Every rank decides alike, as otherwise synchronised layers would wait forever."""
        epoch = draws.position.epoch
        if epoch < self.start_epoch or (self.stop_epoch is not None and epoch >= self.stop_epoch):
            return False
        return self.prob == 1 or bool(draws.decisions("mix").random() < self.prob)


def check_key(name: str, key: object) -> None:
    """Check that a key is an index, a name, a path of them, or a (getter, setter) pair.

    Raises:
        TypeError: If it is not.
    """
    if is_pair(key):
        return
    steps = list(key) if isinstance(key, tuple | list) else [key]
    if not steps or any(isinstance(step, bool) or not isinstance(step, int | str) for step in steps):
        raise TypeError(
            f"{name} must be an index, a key, a path of them, or a (getter, setter) pair, found {key!r}. For batches "
            '(inputs, targets) give 0 or 1, and for dicts the key, such as "image".'
        )


def check_channel_dim(value: object) -> None:
    """Check that a value is a valid dimension for the channels.

    Raises:
        TypeError: If it is not an integer or None.
        ValueError: If it is 0, the batch dimension.
    """
    advice = "Use 1 for (B, C, *spatial), -1 for (B, *spatial, C), None for inputs without channels."
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"channel_dim must be an integer or None, found {value!r}. {advice}")
    if value == 0:
        raise ValueError(f"channel_dim must not be the batch dimension, found 0. {advice}")


def as_key_tuple(name: str, keys: object) -> tuple[BatchKey, ...]:
    """Return the keys of several parts as a tuple.

    Raises:
        TypeError: If they are not a list or tuple. A string would be treated as a list of letters.
    """
    if not isinstance(keys, list | tuple):
        raise TypeError(f"{name} must be a list of keys, found {keys!r}. Write {name}=[...], one key for each part.")
    return tuple(keys)


def read_averaged(also_average: object) -> tuple[tuple[BatchKey, ...], tuple[int | None, ...]]:
    """Return the keys in `also_average`, and the number of classes of each part, or None if it is not given.

    A nested mapping stands for a path, since YAML does not allow lists as keys: {"data": {"coarse": 20}} means
    ("data", "coarse").

    Raises:
        TypeError: If it is neither a list nor a mapping of keys.
    """
    if not isinstance(also_average, Mapping):
        keys = as_key_tuple("also_average", also_average)
        return keys, (None,) * len(keys)
    found = list(_paths(also_average, ()))
    return tuple(key for key, _ in found), tuple(number for _, number in found)


def _paths(mapping: Mapping[Any, Any], outer: tuple[Any, ...]) -> Iterator[tuple[BatchKey, int | None]]:
    for key, value in mapping.items():
        path = (*outer, *key) if isinstance(key, tuple) and not is_pair(key) else (*outer, key)
        if isinstance(value, Mapping):
            yield from _paths(value, path)
        else:
            yield path[0] if len(path) == 1 else path, value


def is_pair(key: object) -> bool:
    """Whether a key is a (getter, setter) pair."""
    return isinstance(key, tuple | list) and len(key) == 2 and all(callable(part) for part in key)
