"""Finding the inputs and targets of a batch if the user has not named them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_comixup.method.channels import check_channels, layout_of
from lightning_comixup.training.batch import get_part
from lightning_comixup.training.batch_layout import (
    Leaf,
    describe_key,
    describe_layout,
    is_named_tuple,
    tensor_leaves,
)
from lightning_comixup.training.config import BatchKey, MixingConfig
from lightning_comixup.validation import check_mixable, is_mixable

# If several parts fit, the first of these names that belongs to a part decides.
_INPUT_NAMES = (
    *("image", "images", "pixel_values", "x", "input", "inputs", "img", "imgs", "data", "audio", "waveform"),
    *("waveforms", "signal", "signals", "video", "videos", "input_values", "input_features", "spectrogram", "volume"),
)
_TARGET_NAMES = ("label", "labels", "target", "targets", "y", "class", "classes", "cls", "category", "categories")
# A part whose name has one of these words is neither the inputs nor the targets.
_NUMBERS = {"id", "ids", "idx", "idxs", "index", "indices", "indexes"}
_OTHER_WORDS = _NUMBERS | {
    *("uid", "uuid", "key", "keys", "weight", "weights", "mask", "masks", "fold", "folds", "group", "groups"),
    *("length", "lengths", "len", "lens", "size", "sizes", "shape", "shapes", "height", "width", "split", "seed"),
    *("path", "paths", "file", "files", "filename", "offset", "offsets", "rate", "fps", "time", "times", "timestamp"),
}


class BatchKeys(NamedTuple):
    """The keys of a batch's inputs and targets."""

    input_key: BatchKey
    target_key: BatchKey


def find_keys(batch: Any, config: MixingConfig) -> BatchKeys:
    """Return the keys of inputs and targets from the configuration, and search for those that it leaves None.

    In a list or tuple they are at 0 and 1 if these parts fit. Otherwise shape and dtype decide: the inputs are the
    floating-point tensor with a spatial dimension, the targets the tensor (B,), (B, 1) or (B, K) with as many rows. If
    several fit, the usual names decide. If none has such a name, integers take precedence over floating-point numbers.

    Raises:
        ValueError: If no part fits, or several do.
        TypeError: If the configuration names a part as inputs that cannot be mixed.
    """
    search = _Search(batch, config)
    input_key, target_key = config.input_key, config.target_key
    if input_key is not None and target_key is not None:
        return BatchKeys(input_key, target_key)
    by_position = search.at_positions()
    if by_position is not None and not is_named_tuple(batch):
        return by_position
    try:
        return search.by_shape_and_name()
    except ValueError:
        if by_position is None:
            raise
        return by_position


def keys_fit(batch: Any, keys: BatchKeys, config: MixingConfig) -> bool:
    """Whether the parts at keys found earlier can still be the inputs and targets.

    Raises:
        ExhaustedLoaderError: If a container on the path to one of them is None.
    """
    try:
        inputs, targets = (get_part(batch, "input_key", key) for key in keys)
    except ValueError:
        return False
    return _is_input(inputs, config) and isinstance(targets, Tensor) and targets.shape[:1] == inputs.shape[:1]


class _Search:
    """A search for the keys in one batch."""

    def __init__(self, batch: Any, config: MixingConfig) -> None:
        self._batch, self._config = batch, config
        named = config.named_keys(config.input_key, config.target_key)
        taken = {id(get_part(batch, name, key)) for name, key in named}
        self._leaves = [leaf for leaf in tensor_leaves(batch) if leaf.path and id(leaf.tensor) not in taken]
        is_sequence = isinstance(batch, list | tuple)
        self._positions = [(k, part) for k, part in enumerate(batch) if id(part) not in taken] if is_sequence else []

    def at_positions(self) -> BatchKeys | None:
        """Return 0 for the inputs and 1 for the targets, unless the user named them, or None if they do not fit."""
        input_key, target_key = self._config.input_key, self._config.target_key
        parts = dict(self._positions)
        inputs: Any = parts.get(0) if input_key is None else self._given_inputs(input_key)
        if not _is_input(inputs, self._config) or any(_is_other(name) for name in self._names_of_positions()):
            return None
        if target_key is None and not self._is_target_at_position(parts.get(1), inputs):
            return None
        return BatchKeys(0 if input_key is None else input_key, 1 if target_key is None else target_key)

    def _names_of_positions(self) -> Sequence[str]:
        return self._batch._fields[:2] if is_named_tuple(self._batch) else ()

    def _is_target_at_position(self, part: Any, inputs: Tensor) -> bool:
        """Whether a part can be the targets. It may have an unusual shape only if no other part has a usual one."""
        if not isinstance(part, Tensor) or part.shape[:1] != inputs.shape[:1] or part is inputs:
            return False
        if _is_target(part, len(inputs), self._config):
            return True
        others = [leaf.tensor for leaf in self._leaves if leaf.tensor is not inputs and leaf.tensor is not part]
        if part.shape == inputs.shape and any(other.shape == inputs.shape for other in others):
            return False  # several views, such as an anchor, a positive and a negative
        return is_mixable(part.dtype) and not any(_is_target(other, len(inputs), self._config) for other in others)

    def _given_inputs(self, key: BatchKey) -> Tensor:
        """Return the inputs that the configuration names, after checking them; the targets need as many rows."""
        inputs = get_part(self._batch, "input_key", key)
        check_mixable(inputs)
        check_channels(inputs, self._config.channel_dim)
        return inputs

    def by_shape_and_name(self) -> BatchKeys:
        """Return the keys by shape, dtype and name, or raise an error that shows the layout."""
        input_key, target_key = self._config.input_key, self._config.target_key
        if input_key is None:
            found = self._find("inputs", 0, _INPUT_NAMES, lambda tensor: _is_input(tensor, self._config))
            input_key, inputs = found.key, found.tensor
        else:
            inputs = self._given_inputs(input_key)
        if target_key is None:
            self._leaves = [leaf for leaf in self._leaves if leaf.tensor is not inputs]
            rows = inputs.shape[0] if inputs.ndim else 0
            found = self._find("targets", 1, _TARGET_NAMES, lambda tensor: _is_target(tensor, rows, self._config))
            target_key = found.key
        return BatchKeys(input_key, target_key)

    def _find(self, role: str, position: int, names: tuple[str, ...], fits: Callable[[Tensor], bool]) -> Leaf:
        fitting = [leaf for leaf in self._leaves if fits(leaf.tensor) and not _is_other(leaf.name)]
        found = _decide(fitting, names)
        if found is not None:
            return found
        part = dict(self._positions).get(position)
        if not fitting and isinstance(part, Tensor) and any(leaf.tensor is part for leaf in self._leaves):
            return Leaf((position,), part)  # a later check explains why it does not fit
        raise ValueError(self._explain(role, fitting))

    def _explain(self, role: str, fitting: list[Leaf]) -> str:
        config = self._config
        missing = {"inputs": ["input_key", "target_key"], "targets": ["target_key"]}[role]
        missing = [name for name in missing if getattr(config, name) is None]
        shapes = "(B,), (B, 1) or (B, K), with a row for each input"
        looked_for = f"floating-point, {layout_of(config.channel_dim)}" if role == "inputs" else shapes
        several = " and ".join(describe_key(leaf.key) for leaf in fitting)
        reason = f"{several} can be the {role}" if fitting else f"no part can be the {role}, {looked_for}"
        example = f", such as {missing[0]}={_written(fitting[0].key)}" if fitting else ""
        advice = " For inputs without channels, (B, T) or (B, H, W), pass CoMixup(channel_dim=None)."
        return (
            f"{' and '.join(missing)} must be given if the {role} of a batch are not clear from its layout, found "
            f"{describe_layout(self._batch)}: {reason}. Pass CoMixup({', '.join(f'{name}=...' for name in missing)})"
            f"{example}. A key is an index, a name, a path of these such as ['data', 'image'], or a (getter, setter) "
            f"pair.{advice if role == 'inputs' and not fitting else ''}"
        )


def _written(key: Any) -> str:
    """Return a key as it is passed to CoMixup."""
    return repr(list(key) if isinstance(key, tuple) else key)


def _decide(fitting: list[Leaf], names: tuple[str, ...]) -> Leaf | None:
    """Return the only part that fits, else the one with the first of the usual names, else the only integer one."""
    if len(fitting) == 1:
        return fitting[0]
    for name in names:
        having = [leaf for leaf in fitting if leaf.name is not None and leaf.name.lower() == name]
        if having:
            return having[0] if len(having) == 1 else None
    for is_preferred in (_is_integer, Tensor.is_floating_point):
        preferred = [leaf for leaf in fitting if is_preferred(leaf.tensor)]
        if preferred:
            return preferred[0] if len(preferred) == 1 else None
    return None


def _is_integer(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.dtype != torch.bool


def _is_input(part: Any, config: MixingConfig) -> bool:
    if not isinstance(part, Tensor) or not is_mixable(part.dtype) or part.layout != torch.strided:
        return False
    try:
        check_channels(part, config.channel_dim)
    except ValueError:
        return False
    return True


def _is_target(tensor: Tensor, rows: int, config: MixingConfig) -> bool:
    if tensor.layout != torch.strided or tensor.is_complex() or tensor.shape[:1] != (rows,) or tensor.ndim > 2:
        return False
    return tensor.is_floating_point() or not config.linear_targets


def _is_other(name: str | None) -> bool:
    """Whether a name shows that a part is neither inputs nor targets: "image_id" is not, but "label_id" is a label."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name or "").lower())
    if len(words) > 1 and words[-1] in _NUMBERS and words[-2] in _TARGET_NAMES:
        return False
    return not _OTHER_WORDS.isdisjoint(words)
