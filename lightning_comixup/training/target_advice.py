"""What to write instead of a wrong use of mixed targets, and notes on uses that are valid but differ."""

from __future__ import annotations

AS_INTEGERS = (
    "use `targets if targets.ndim == 1 else targets.argmax(1)`, which works for clean batches too, or the metric "
    "SoftTargetAccuracy; in your own loss use `self.comixup_loss(logits, targets, loss_fn=...)` of CoMixupMixin"
)
AS_LOSS = (
    "use torch's cross_entropy or `self.comixup_loss(logits, targets)` of CoMixupMixin, which accept class "
    "probabilities and have `label_smoothing`; for a loss that only accepts integers use "
    "`self.comixup_loss(logits, targets, loss_fn=...)`"
)
AS_CAST = (
    "in a loss use `targets if targets.is_floating_point() else targets.long()`, which works for clean batches too; "
    f"elsewhere {AS_INTEGERS}"
)
AS_THRESHOLD = f"write a threshold of probabilities as a float, `targets > 0.0`; for classes {AS_INTEGERS}"
BY_KIND = {"cast": AS_CAST, "comparison": AS_THRESHOLD}
AS_ROWS = "use `targets if targets.ndim == 2 else F.one_hot(targets, K).float()`, which works for clean batches too"
REMOVE = "remove the mixing of your own: CoMixup takes its place"
# For targets that are numbers, whatever the misuse.
AS_NUMBERS = (
    "use a loss of floating-point targets or a threshold such as `targets > 0.5`, or move any code that needs the "
    "original targets to the validation step"
)
REPLACEABLE = (
    "for a model of transformers that computes its own loss set "
    "`model.loss_function = lambda labels, logits, *_, **__: torch.nn.functional.cross_entropy(logits, labels)`, or, "
    "if that changes nothing, use `torch.nn.functional.cross_entropy(outputs.logits, targets)` in the step"
)
WEIGHTS = (
    "CoMixup: torch's weighted cross-entropy divides by the weights of integer targets, but by the batch size for "
    "class probabilities: the clean and the mixed loss are not on the same scale. comixup_loss(logits, targets, "
    "class_weights=...) of CoMixupMixin divides both by the weights."
)
SMOOTHING = (
    "CoMixup: the loss smooths integer targets, but not class probabilities: the clean loss is smoothed, the mixed "
    "loss is not. Switch its smoothing off, as in timm's `BinaryCrossEntropy(smoothing=0.0)`, or smooth the class "
    "probabilities too."
)
# What the user writes for these.
WRITTEN = {
    "__eq__": "==",
    "__ne__": "!=",
    "__getitem__": "another[targets]",
    "__setitem__": "another[targets] = ...",
    "__int__": "int(targets)",
    "__index__": "targets as an index",
    "_return_output": "unique",
}
