"""Metrics over a run: logged values, batches that stay unmixed, resuming, and steps without a clean pass."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanSquaredError
from torchmetrics.classification import MulticlassRecall

from lightning_comixup import CoMixup, CoMixupMixin
from tests.tiny import CLASSES, ResumableLoader, is_clean_pass, make_trainer
from tests.training.metric_modules import Logging, Noting, Outputs, Simple, accuracy, assert_same, of_batches, train


def test_logged_values() -> None:
    module = Logging()
    logged = train(module).callback_metrics
    expected = accuracy(module.clean)
    for name in ("object_epoch", "updated", "g/acc"):
        assert_same(logged[name], expected)
    for name in ("value_epoch", "v/acc"):  # Lightning's mean over the batches
        torch.testing.assert_close(logged[name], expected)
    assert_same(logged["object_step"], accuracy(module.clean[-1:]))
    assert_same(logged["g/recall"], of_batches(MulticlassRecall(CLASSES), [o[:2] for o in module.clean]))
    losses = torch.stack([outputs.loss for outputs in module.stepped])
    torch.testing.assert_close(logged["mean"], losses.mean())
    torch.testing.assert_close(logged["loss"], losses.mean())


@pytest.mark.parametrize(
    ("mixing", "settings"),
    [
        ({"prob": 0.5}, {"max_epochs": 3}),
        ({"start_epoch": 1}, {"max_epochs": 2}),
        ({"clean_weight": 0.3}, {"accumulate_grad_batches": 2}),
        ({"clean_weight": 0.0}, {}),
        ({"clean_gradient": "backward"}, {"gradient_clip_val": 0.1}),
        ({"saliency": lambda module, inputs, targets: inputs.abs().mean(1)}, {"precision": "bf16-mixed"}),
    ],
)
def test_ways_to_train(mixing: dict[str, Any], settings: dict[str, Any]) -> None:
    module = Simple()
    train(module, CoMixup(seed=0, **mixing), **settings)
    assert any(outputs.labels.ndim == 2 for outputs in module.stepped)
    module.check()


def test_a_batch_whose_saliency_is_not_finite_counts_once() -> None:
    class Module(Simple):
        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> Any:
            super().report(logits, labels, loss)
            return loss * torch.nan if is_clean_pass(self) and len(self.clean) == 2 else None

    module = Module()
    with pytest.warns(UserWarning, match="leaves this batch unmixed"):
        train(module, CoMixup(seed=0, on_nonfinite="skip", log=False))
    module.check()


def test_a_batch_that_a_step_leaves_out_counts_once() -> None:
    class Module(Simple):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            output = super().training_step(batch, batch_idx)
            return None if batch_idx == 1 else output

    module = Module()
    train(module)
    assert_same(module.acc.compute(), accuracy(module.clean))
    assert len(module.clean) == 4


def test_a_metric_that_is_called_later_and_with_cast_labels() -> None:
    class Module(Simple):
        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            if self.current_epoch == 1:
                self.acc(logits, labels.int())

    module = Module()
    train(module, max_epochs=2)
    assert_same(module.acc.compute(), accuracy(module.clean[4:]))


def test_a_metric_that_is_called_more_often_in_one_pass() -> None:
    class Module(Simple):
        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            for _ in range(1 if is_clean_pass(self) else 3):
                self.acc(logits, labels)
            for _ in range(2 if is_clean_pass(self) else 1):
                self.mean(loss)

    module = Module()
    train(module)
    module.check()


@pytest.mark.parametrize("in_clean_pass", [True, False])
def test_no_metric_stays_changed_after_an_error(in_clean_pass: bool) -> None:
    class Module(Simple):
        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            super().report(logits, labels, loss)
            if is_clean_pass(self) == in_clean_pass and len(self.clean) == 2:
                raise KeyError("stop")

    module = Module()
    with pytest.raises(KeyError):
        train(module)  # `train` checks the metrics
    assert module.mean.update_count == (1 if in_clean_pass else 2)


def test_a_run_that_is_resumed_within_an_epoch(tmp_path: Path) -> None:
    class Module(Logging):
        def build(self) -> None:
            super().build()
            for metric in (self.by_object, self.updated, self.mean, self.group):
                metric.persistent(True)

    checkpoints = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=1)
    trainer = make_trainer(CoMixup(seed=0, log=False), checkpoints, root=tmp_path, enable_checkpointing=True)
    trainer.fit(Module(), ResumableLoader())
    resumed = make_trainer(CoMixup(log=False), root=tmp_path)
    resumed.fit(Module(), ResumableLoader(), ckpt_path=str(tmp_path / "step=7.ckpt"))
    for name in ("object_epoch", "updated", "mean", "g/acc", "g/recall"):
        torch.testing.assert_close(resumed.callback_metrics[name], trainer.callback_metrics[name])


class _OwnCleanLoss(CoMixupMixin, Simple):
    def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.network(inputs), targets)


class _Manual(CoMixupMixin, Simple):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        super().report(logits, labels, loss)
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()


class _Forward(Simple):
    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits


def _plain_saliency(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    return inputs.abs().mean(1)


@pytest.mark.parametrize(
    ("kind", "mixing"),
    [
        (_OwnCleanLoss, {}),
        (_Manual, {"manual_optimization": True}),
        (_Forward, {"clean_loss": "forward"}),
        (Simple, {"saliency": _plain_saliency, "clean_weight": 0.0, "num_classes": CLASSES}),
    ],
)
@pytest.mark.parametrize("cast", [False, True])
def test_without_a_clean_pass_targets_are_dominant_classes(
    kind: type[Simple], mixing: dict[str, Any], cast: bool
) -> None:
    class Module(kind):  # type: ignore[valid-type, misc]
        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            super().report(logits, labels.double() if cast else labels, loss)

    module = Module()
    train(module, CoMixup(seed=0, **mixing))
    assert len(module.clean) == ("saliency" in mixing)  # the first step inspects the targets
    dominant = [Outputs(logits, labels.argmax(1), loss) for logits, labels, loss in module.stepped]
    assert_same(module.acc.compute(), accuracy(dominant))
    assert_same(module.mean.compute(), of_batches(module.mean, [(outputs.loss,) for outputs in module.stepped]))


def test_a_differentiable_metric_of_numbers_may_be_the_loss() -> None:
    class Module(Noting):
        def build(self) -> None:
            self.error = MeanSquaredError()

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            outputs = self.network(batch[0])[:, 0]
            numbers = batch[1].float()
            notes = self.clean if is_clean_pass(self) else self.stepped
            notes.append(Outputs(outputs.detach(), numbers, F.mse_loss(outputs, numbers).detach()))
            loss = self.error(outputs, numbers)
            assert_same(loss.detach(), notes[-1].loss)
            return loss

    module = Module()
    train(module, CoMixup(seed=0, linear_targets=True))
    assert not all(torch.equal(a.loss, b.loss) for a, b in zip(module.clean, module.stepped, strict=True))
    assert_same(module.error.compute(), of_batches(module.error, [outputs[:2] for outputs in module.clean]))


@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="before PyTorch 2.6 give num_classes")
def test_a_compiled_step() -> None:
    module = Simple()
    train(torch.compile(module, backend="aot_eager"), max_epochs=3)  # type: ignore[arg-type]
    module.check()


class _Averaging(Callback):
    """Copies metrics at the end of each batch, as weight averaging does."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        state = copy.deepcopy(pl_module.acc), copy.deepcopy(pl_module.mean.metric_state)
        assert "routing" not in type(vars(state[0])["update"]).__module__


def test_copies_at_the_end_of_a_batch() -> None:
    module = Simple()
    train(module, CoMixup(seed=0), _Averaging())
    module.check()
