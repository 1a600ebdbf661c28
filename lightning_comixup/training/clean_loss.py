"""The loss that the clean pass differentiates, and the kind of targets that the module's use of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
from torch import Tensor

from lightning_comixup.soft_targets.losses import clean_loss
from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.training.batch import with_part
from lightning_comixup.training.batch_layout import copy_containers, tensor_leaves
from lightning_comixup.training.batch_reader import CleanBatch
from lightning_comixup.training.config import MixingConfig, is_pair
from lightning_comixup.training.derived_tensors import can_watch, have_same_values, storages, uncompiled, versions
from lightning_comixup.training.error_notes import explaining_clean_pass
from lightning_comixup.training.layout_watch import LayoutWatch
from lightning_comixup.training.lightning_internals import call_module, is_compiled
from lightning_comixup.training.loss_watch import LossWatch
from lightning_comixup.training.metric_routing import MetricRouting, TargetTests
from lightning_comixup.training.mixin import CoMixupMixin
from lightning_comixup.training.own_step import call_own_step
from lightning_comixup.training.run_state import RunState
from lightning_comixup.training.target_choice import InputsWatch, check_choice_of_inputs, check_choice_of_targets
from lightning_comixup.training.target_kind import TargetKind, find_target_kinds

CleanLossSource = Literal["training_step", "forward", "comixup_clean_loss"]
_NO_TARGETS = TargetTests(lambda _: False, lambda _: False)


class FoundLoss(NamedTuple):
    """The clean loss with its graph, and what computing it has shown."""

    loss: Tensor
    logits: Tensor | None  # the module's output, detached, if it is a floating-point (B, K)
    target_kinds: tuple[TargetKind, ...]


def find_source(module: pl.LightningModule, config: MixingConfig) -> CleanLossSource:
    """Return the source of the clean loss.

    "auto" prefers a `comixup_clean_loss` that the user wrote. Otherwise, for the mixin's loss kind "bce", it uses the
    authors' clean loss of the module's logits, and in all other cases the module's own `training_step`. With manual
    optimization that step would step the optimizer, so the clean loss is the cross-entropy of the logits instead.
    """
    if config.clean_loss == "training_step":
        return "training_step"
    if has_own_clean_loss(module):
        return "comixup_clean_loss"
    if config.clean_loss == "forward" or _has_authors_loss(module) or not module.automatic_optimization:
        return "forward"
    return "training_step"


def assumes_cross_entropy(module: pl.LightningModule, config: MixingConfig) -> bool:
    """Whether the clean pass assumes that the step's loss is the plain cross-entropy, since it cannot call the step."""
    if config.clean_weight == 0:  # the loss serves at most for the saliency
        return False
    is_manual = config.clean_loss == "auto" and not module.automatic_optimization
    return is_manual and not _has_authors_loss(module) and find_source(module, config) == "forward"


def _has_authors_loss(module: Any) -> bool:
    return isinstance(module, CoMixupMixin) and module.comixup_loss_kind == "bce"


def has_own_clean_loss(module: Any) -> bool:
    """Whether a module has a `comixup_clean_loss` that its user wrote, with the mixin or without it."""
    own = getattr(module, "comixup_clean_loss", None)
    return callable(own) and getattr(own, "__func__", None) is not CoMixupMixin.comixup_clean_loss


def compute_clean_loss(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    clean: CleanBatch,
    inputs: Sequence[Tensor],
    config: MixingConfig,
    run: RunState,
    *,
    for_metrics: bool = True,
) -> FoundLoss | None:
    """Return the clean loss of a batch with replaced inputs; None if the step returned no loss.

    In the first clean pass of a run the uses of the targets are watched, since they show the kind of the targets.

    Args:
        trainer: The Trainer.
        module: The module.
        clean: The batch.
        inputs: The replacements for its inputs and the parts of `also_mix`.
        config: The configuration.
        run: The state of the run.
        for_metrics: Whether this pass updates metrics that receive targets. Otherwise it leaves no trace in any metric.
    """
    targets = clean.targets()
    earlier = versions(targets)
    source = find_source(module, config)
    with ExitStack() as stack:
        is_first = run.target_kinds is None
        is_watched = is_first and can_watch(module, is_compiled=is_compiled(module))
        # Before PyTorch 2.6, a compiled module shows only its outputs.
        outputs = stack.enter_context(_outputs_of(module, if_compiled=is_first and not is_watched))
        watches = _start_watching(stack, clean, inputs[0], targets, config) if is_watched else []
        others = _watch_unnamed(stack, clean) if is_watched and config.target_key is None else {}
        # This watch must be the innermost: the others query their tensors, and watches around them would see that.
        used = stack.enter_context(InputsWatch([inputs[0]])) if is_watched else None
        mode, smaller, look = config.clean_weight == 0, config.low_resolution, not for_metrics
        stack.enter_context(
            explaining_clean_pass(in_eval_mode=mode, of_part=clean.is_part, smaller=smaller, is_look=look)
        )
        tests = _make_target_tests(clean, watches) if for_metrics else _NO_TARGETS
        stack.enter_context((run.metrics if for_metrics else MetricRouting()).clean_pass(module, tests))
        loss = _compute_loss(trainer, module, source, clean, inputs, config)
    if versions(targets) != earlier:
        raise ValueError(
            "training_step must not change the batch's targets in place, found that it does: the clean and the mixed "
            "step would see different ones. Copy them first with `targets.clone()`."
        )
    if loss is None:
        return None
    if watches:
        run.loss_shapes, run.label_totals = watches[0].shapes, frozenset(watches[0].totals)
        check_choice_of_targets(clean, watches[0], others)
    if used is not None:
        check_choice_of_inputs(clean, used, config)
    logits = _find_logits(outputs, len(inputs[0]))
    calls = [watch.calls for watch in watches] or [()] * len(targets)
    outputs_shown = None if logits is None else logits.shape[1]
    return FoundLoss(loss, logits, run.target_kinds or find_target_kinds(targets, calls, config, outputs_shown))


def _compute_loss(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    source: CleanLossSource,
    clean: CleanBatch,
    inputs: Sequence[Tensor],
    config: MixingConfig,
) -> Tensor | None:
    if source == "training_step":
        with _lent_batch(clean, inputs, config) as batch:
            return call_own_step(trainer, module, batch, clean.batch_idx)
    targets = flatten_labels(clean.parts.targets)
    if source == "comixup_clean_loss":
        return call_module(trainer.strategy, module, source, inputs[0], targets)
    logits = call_module(trainer.strategy, module, "forward", inputs[0])
    kind = module.comixup_loss_kind if isinstance(module, CoMixupMixin) else "ce"
    return clean_loss(logits, targets, kind)


@contextmanager
def _lent_batch(clean: CleanBatch, inputs: Sequence[Tensor], config: MixingConfig) -> Iterator[Any]:
    """Lend a copy of the clean batch, with other inputs, to a step that may modify its containers.

    The user's setter may write into an object that cannot be copied. The batch's own inputs are restored there
    afterwards.
    """
    copied = clean._replace(batch=copy_containers(clean.batch))
    try:
        yield copied.with_parts(inputs, clean.targets(), config, in_place=True)
    finally:
        for key, part in zip([clean.parts.keys.input_key, *config.also_mix], clean.inputs(), strict=True):
            if is_pair(key):
                with_part(clean.batch, key, part, in_place=True)


def _start_watching(
    stack: ExitStack, clean: CleanBatch, inputs: Tensor, targets: Sequence[Tensor], config: MixingConfig
) -> list[LossWatch]:
    """Watch how a step uses its inputs and each target."""
    stack.enter_context(uncompiled())
    stack.enter_context(LayoutWatch(inputs, config.channel_dim, tuple(clean.parts.inputs.shape)))
    return [stack.enter_context(LossWatch(target)) for target in targets]


def _watch_unnamed(stack: ExitStack, clean: CleanBatch) -> dict[str, LossWatch]:
    """Watch the uses of each unnamed part with one row per input; return the watches by the key of the part."""
    named = {id(part) for part in (*clean.inputs(), *clean.targets())}
    rows = [leaf for leaf in tensor_leaves(clean.batch) if leaf.tensor.shape[:1] == clean.parts.inputs.shape[:1]]
    unnamed = [leaf for leaf in rows if id(leaf.tensor) not in named]
    return {repr(leaf.key): stack.enter_context(LossWatch(leaf.tensor)) for leaf in unnamed}


def _make_target_tests(clean: CleanBatch, watches: Sequence[LossWatch]) -> TargetTests:
    """Return tests that recognise the batch's targets, and tensors computed from them, among a metric's arguments.

    Unnamed integers with one row per sample count as targets too, since they may belong to a second head.
    """
    targets = [*clean.targets(), *clean.unnamed_labels()]
    known = storages(targets)
    return TargetTests(
        lambda tensor: bool(storages([tensor]) & known) or any(watch.is_derived(tensor) for watch in watches),
        lambda tensor: not watches and any(have_same_values(tensor, target) for target in targets),
    )


@contextmanager
def _outputs_of(module: pl.LightningModule, *, if_compiled: bool) -> Iterator[list[Any]]:
    """Collect the outputs of the module's calls. A compiled module would recompile, so it needs `if_compiled`."""
    outputs: list[Any] = []
    if is_compiled(module) and not if_compiled:
        yield outputs
        return
    handle = module.register_forward_hook(lambda module, arguments, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()


def _find_logits(outputs: Sequence[Any], rows: int) -> Tensor | None:
    """Return the module's only output, detached, if it can be logits."""
    if len(outputs) != 1 or not isinstance(outputs[0], Tensor):
        return None
    logits = outputs[0].detach()
    return logits if logits.ndim == 2 and len(logits) == rows and logits.is_floating_point() else None
