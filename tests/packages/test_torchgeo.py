"""Classification tasks of torchgeo."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.clients.base import Client
from tests.clients.data import CLASSES, make_images, make_labels, make_loader, make_tags
from tests.packages.checking import LINE, check_metrics, refusal, train_as_by_hand

pytest.importorskip("torchgeo")
trainers = pytest.importorskip("torchgeo.trainers")
BANDS = 4


def make_scenes(labels: Tensor) -> Any:
    images = make_images(channels=BANDS, side=16)[0]
    bounds = torch.arange(6.0)
    return make_loader(lambda index: {"image": images[index], "label": labels[index], "bounds": bounds + index})


def make_client(labels: Tensor, **settings: Any) -> Client:
    return Client(
        name="torchgeo",
        style="",
        make_module=lambda: trainers.ClassificationTask("test_resnet", weights=None, in_channels=BANDS, **settings),
        make_loader=lambda: make_scenes(labels),
        inputs=itemgetter("image"),
        targets=itemgetter("label"),
    )


CLASS_TASK: dict[str, Any] = {"task": "multiclass", "num_classes": CLASSES}
TASKS = {
    "multiclass": make_client(make_labels(), loss="ce", **CLASS_TASK),
    "class weights": make_client(make_labels(), loss="ce", class_weights=[1.0, 5.0, 1.0, 2.0], **CLASS_TASK),
    "frozen backbone": make_client(make_labels(), loss="ce", freeze_backbone=True, **CLASS_TASK),
    "multilabel": make_client(make_tags(), task="multilabel", num_labels=CLASSES, loss="bce"),
    "binary": make_client(make_labels(2), task="binary", loss="bce"),
}


@pytest.mark.parametrize("client", TASKS.values(), ids=TASKS)
def test_a_task_trains_unchanged(client: Client) -> None:
    run, replay = train_as_by_hand(client)
    check_metrics(run, replay, "train_metrics", whole_epoch=False)  # it logs its last batch
    assert float(run.trainer.callback_metrics["train_loss"]) == pytest.approx(replay.losses[-1][1], rel=1e-6)
    assert "val_OverallAccuracy" in run.trainer.callback_metrics


@pytest.mark.parametrize(("loss", "remedy"), [("focal", "comixup_loss"), ("jaccard", "F.one_hot(targets, K).float()")])
def test_a_loss_of_integers_is_refused(loss: str, remedy: str) -> None:
    text = refusal(make_client(make_labels(), loss=loss, **CLASS_TASK))
    assert remedy in text
    assert re.search(LINE, text)
