"""Reading the parts of batches that are mixed: finding them, checking them, and reporting them once per run."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from lightning_comixup.method.channels import channel_advice, check_channels
from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.training.batch import ExhaustedLoaderError, get_part, with_part
from lightning_comixup.training.batch_keys import BatchKeys, find_keys, keys_fit
from lightning_comixup.training.batch_layout import Leaf, tensor_leaves, unnamed_rows
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.validation import (
    check_class_targets,
    check_dense,
    check_device,
    check_mixable,
    check_rows,
    is_mixable,
)


class BatchParts(NamedTuple):
    """The parts of a batch that are mixed, in the user's layout."""

    inputs: Tensor  # (B, C, *spatial), or with the channels at `channel_dim`
    targets: Tensor  # (B, ...)
    others: list[Tensor]  # the parts of `also_mix`, each in the inputs' layout
    averaged: list[Tensor]  # the parts of `also_average`, each (B, ...)
    keys: BatchKeys  # of inputs and targets


class CleanBatch(NamedTuple):
    """A batch from the training loop before mixing."""

    batch: Any
    batch_idx: int
    parts: BatchParts
    is_part: bool = False  # whether it has only some rows of the loop's batch

    def inputs(self) -> list[Tensor]:
        """Return the inputs and the parts of `also_mix`."""
        return [self.parts.inputs, *self.parts.others]

    def targets(self) -> list[Tensor]:
        """Return the targets and the parts of `also_average`."""
        return [self.parts.targets, *self.parts.averaged]

    def unnamed_labels(self) -> list[Tensor]:
        """Return integer parts that the user did not name, with one row per sample, such as labels of a second head."""
        named = {id(part) for part in (*self.inputs(), *self.targets())}
        leaves = [leaf.tensor for leaf in tensor_leaves(self.batch) if id(leaf.tensor) not in named]
        rows = [part for part in leaves if part.shape[:1] == self.parts.inputs.shape[:1]]
        return [part for part in rows if not part.is_floating_point()]

    def with_parts(
        self, inputs: Sequence[Tensor], targets: Sequence[Tensor], config: MixingConfig, *, in_place: bool
    ) -> Any:
        """Return the batch with the parts of `inputs()` and `targets()` replaced, see `with_part`."""
        input_key, target_key = self.parts.keys
        keys = [input_key, *config.also_mix, target_key, *config.also_average]
        batch = self.batch
        for key, part in zip(keys, [*inputs, *targets], strict=True):
            batch = with_part(batch, key, part, in_place=in_place)
        return batch


class BatchReader:
    """Reads the batches of one run. It remembers the keys it has found, and logs each message for the user once."""

    def __init__(self, config: MixingConfig) -> None:
        """Start without any keys found or messages logged."""
        self._config = config
        self.restart()

    def restart(self) -> None:
        """Begin a run."""
        self._found: BatchKeys | None = None
        self._said: set[Hashable] = set()

    def read(self, batch: Any) -> BatchParts | None:
        """Return the checked parts of a batch that are mixed, or None if they are missing because a loader ran out.

        Raises:
            TypeError: If a part is not a tensor, or has a layout or dtype that cannot be mixed.
            ValueError: If a part is missing or cannot be found, does not fit the inputs or requires a gradient.
        """
        try:
            keys = self._keys_of(batch)
            parts = read_parts(batch, keys, self._config)
        except ExhaustedLoaderError:
            self._say(
                "exhausted",
                "CoMixup leaves batches unmixed if the part with the inputs or the targets is None: its loader has "
                "run out before the others.",
            )
            return None
        self._say_what_is_mixed(batch, parts)
        return parts

    def _keys_of(self, batch: Any) -> BatchKeys:
        if self._found is None or not keys_fit(batch, self._found, self._config):
            self._found = find_keys(batch, self._config)
        return self._found

    def _say_what_is_mixed(self, batch: Any, parts: BatchParts) -> None:
        config, keys = self._config, parts.keys
        if config.input_key is None or config.target_key is None:
            inputs, targets = (
                Leaf(key if isinstance(key, tuple) else (key,), part)  # type: ignore[arg-type]
                for key, part in zip(keys, parts[:2], strict=True)
            )
            self._say(str(keys), f"CoMixup mixes {inputs.describe()}, with the targets {targets.describe()}.")
        if "layout" in self._said:
            return
        advice = channel_advice(tuple(parts.inputs.shape), config.channel_dim)
        channels, *spatial = parts.inputs.shape[1:]
        cut = f"CoMixup treats the inputs as {channels} channels of size {tuple(spatial)}"
        self._say("layout", f"{cut}, which the grid divides. {advice}" if advice else "")
        unnamed = unnamed_rows(batch, named_parts(batch, keys, config), len(parts.inputs))
        names = ", ".join(unnamed)
        self._say(
            "unnamed",
            f"CoMixup leaves these parts with a row for each input unmixed: {names}. A mixed sample has several "
            "sources, so if the step needs these rows mixed as well, name them in also_mix or also_average."
            if unnamed
            else "",
        )

    def _say(self, topic: Hashable, message: str) -> None:
        """Log the first message on a topic, unless it is empty."""
        if topic not in self._said and message:
            rank_zero_info(message)
        self._said.add(topic)


def named_parts(batch: Any, keys: BatchKeys, config: MixingConfig) -> list[Any]:
    """Return the parts to mix unchanged: inputs, targets, then those of `also_mix` and `also_average`."""
    return [get_part(batch, name, key) for name, key in config.named_keys(*keys)]


def read_parts(batch: Any, keys: BatchKeys, config: MixingConfig) -> BatchParts:
    """Return the parts that the keys and the configuration name, after checking them.

    Raises:
        TypeError: If a part is not a tensor, or has a layout or dtype that cannot be mixed.
        ValueError: If a part is missing, does not fit the inputs or requires a gradient.
        ExhaustedLoaderError: If a container on the path to a part is None.
    """
    found = read_named_parts(batch, keys, config)
    inputs, targets, others, averaged, _ = found
    for name, part in [("inputs", inputs)] + [("also_mix", part) for part in others]:
        check_mixable(part, name)
        check_channels(part, config.channel_dim, name)
    parts = [("targets", targets)]
    parts += [("also_mix", part) for part in others] + [("also_average", part) for part in averaged]
    for name, part in parts:
        check_rows(name, part, len(inputs))
        check_device(name, part, inputs)
    _check_targets(targets, config.linear_targets)
    for part in averaged:
        _check_averaged("also_average", part)
    _check_no_gradient(inputs, targets, *others, *averaged)
    return found


def read_named_parts(batch: Any, keys: BatchKeys, config: MixingConfig) -> BatchParts:
    """Return the parts that the keys and the configuration name, without checking them."""
    inputs, targets, *rest = (_usable(part) for part in named_parts(batch, keys, config))
    return BatchParts(inputs, targets, rest[: len(config.also_mix)], rest[len(config.also_mix) :], keys)


def _usable(part: Any) -> Any:
    """Return a part, or a copy if it is a tensor made in inference mode, which autograd rejects."""
    return part.clone() if isinstance(part, Tensor) and part.is_inference() else part


def _check_targets(targets: Tensor, linear: bool | None) -> None:
    """Check the targets as far as possible before the losses of the step have shown their kind."""
    _check_averaged("targets", targets)
    is_map = targets.ndim > 2 and not targets.is_floating_point()
    if linear is False or (linear is None and (is_map or targets.is_complex())):
        check_class_targets(flatten_labels(targets))


def _check_averaged(name: str, part: Tensor) -> None:
    """Check that a tensor can be averaged: dense, with any dtype except 8-bit floating-point."""
    check_dense(name, part)
    if part.is_floating_point() and not is_mixable(part.dtype):
        raise TypeError(f"{name} must have 16 bits or more, found {part.dtype}. Convert with `.float()`.")


def _check_no_gradient(*parts: Tensor) -> None:
    """Check that nothing trainable comes before the mixing, since it would get no gradient."""
    if any(part.requires_grad for part in parts):
        raise ValueError(
            "The parts of a batch that are mixed must not require a gradient, found some that do: mixing cuts them off "
            "from the graph that computed them. Move a learned on_after_batch_transfer into the module's forward."
        )
