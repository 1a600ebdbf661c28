"""Top-1 and top-5 accuracy."""

from __future__ import annotations

from torchmetrics.functional.classification import multiclass_accuracy

from examples.evaluation.network import Predictions

RANKS = (1, 5)


def measure_accuracy(predictions: Predictions) -> dict[str, float]:
    """Return the share of targets among the 1 and the 5 classes with the largest logits.

    With 5 classes or fewer, the second share is left out, because it would always be 1.
    """
    classes = predictions.logits.shape[1]
    shares = {}
    for rank in RANKS:
        if rank < classes:
            share = multiclass_accuracy(*predictions, num_classes=classes, average="micro", top_k=rank)
            shares[f"top-{rank}"] = float(share)
    return shares
