"""The clean pass runs the module's own step: every loss matches a hand-written loop, and nothing else changes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup, CoMixupMixin
from lightning_comixup.training.current_batch import CurrentBatch
from lightning_comixup.training.training_step import MixedStep
from tests.tiny import CLASSES, fit, is_clean_pass, largest_difference, make_data, make_loader, make_network


class Own(pl.LightningModule):
    """A user's module with its own loss and dropout, which records the mixed batches."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(make_network()[:4], nn.Dropout(0.3), nn.Linear(256, CLASSES))
        self.seen: list[Any] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if not is_clean_pass(self):
            self.seen.append([part.clone() for part in batch])
        return self.loss(*batch)

    def loss(self, inputs: Tensor, targets: Tensor) -> Any:
        return F.cross_entropy(self.network(inputs), targets)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Weighted(Own):
    def loss(self, inputs: Tensor, targets: Tensor) -> Any:
        return F.cross_entropy(self.network(inputs), targets, weight=torch.tensor([1.0, 10.0, 1.0, 1.0, 3.0]))


class Smoothed(Own):
    def loss(self, inputs: Tensor, targets: Tensor) -> Any:
        return F.cross_entropy(self.network(inputs), targets, label_smoothing=0.3)


class Summed(Own):
    def loss(self, inputs: Tensor, targets: Tensor) -> Any:
        return F.cross_entropy(self.network(inputs), targets, reduction="sum") * 0.01


class Focal(Own):
    def loss(self, inputs: Tensor, targets: Tensor) -> Any:
        losses = F.cross_entropy(self.network(inputs), targets, reduction="none")
        return ((1 - torch.exp(-losses)) ** 2 * losses).mean()


class Auxiliary(Own):
    def loss(self, inputs: Tensor, targets: Tensor) -> Any:
        features = self.network[0](inputs)
        main = F.cross_entropy(self.network[1:](features), targets)
        return {"loss": main + 0.4 * F.cross_entropy(features[:, :CLASSES], targets), "main": main.detach()}


class Probabilities(Own):
    def forward(self, inputs: Tensor) -> Tensor:
        return self.network(inputs).softmax(1)

    def loss(self, inputs: Tensor, targets: Tensor) -> Any:
        return F.cross_entropy(self(inputs).log(), targets)


class WithoutIndex(Own):
    def training_step(self, batch: Any) -> Any:  # type: ignore[override]
        return super().training_step(batch, 0)


class OtherName(Own):
    def training_step(self, batch: Any, number: int) -> Any:
        assert isinstance(number, int)
        return super().training_step(batch, number)


def _loop(module: Own, epochs: int, clean_weight: float) -> Own:
    """Train a copy by hand, adding the gradients of the module's own loss on the clean and the mixed batch."""
    module, seen = copy.deepcopy(module), module.seen
    module.seen = []
    module.train()
    optimizer = module.configure_optimizers()
    clean = [batch for _ in range(epochs) for batch in _loader()]
    for batch, mixed in zip(clean, seen, strict=True):
        optimizer.zero_grad()
        (_value(module.loss(*batch)) * clean_weight).backward()
        _value(module.loss(*mixed)).backward()
        optimizer.step()
    return module


def _loader() -> DataLoader[Any]:
    """Return a loader with its own generator. Otherwise, its seeds would come from the generator that dropout uses."""
    return DataLoader(TensorDataset(*make_data()), batch_size=16, generator=torch.Generator())


def _value(output: Any) -> Tensor:
    loss: Tensor = output["loss"] if isinstance(output, dict) else output
    return loss


_MODULES = [Own, Weighted, Smoothed, Summed, Focal, Auxiliary, Probabilities, WithoutIndex, OtherName]


@pytest.mark.parametrize("clean_weight", [1.0, 0.3])
@pytest.mark.parametrize("kind", _MODULES)
def test_steps_of_all_kinds_match_the_loop_bit_for_bit(kind: type[Own], clean_weight: float) -> None:
    module = kind()
    start = copy.deepcopy(module)
    torch.manual_seed(5)
    fit(module, CoMixup(seed=0, clean_weight=clean_weight), loader=_loader())
    start.seen = module.seen
    torch.manual_seed(5)
    assert largest_difference(module, _loop(start, 2, clean_weight)) == 0
    assert all(targets.shape == (len(inputs), CLASSES) for inputs, targets in module.seen)


def test_the_saliency_comes_from_the_modules_own_loss() -> None:
    """With weight 0 for one class, the loss and therefore the saliency of its samples is zero."""
    seen = []

    class Watching(Own):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES))  # samples are independent

        def loss(self, inputs: Tensor, targets: Tensor) -> Any:
            return F.cross_entropy(self.network(inputs), targets, weight=torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0]))

    def keep(step: MixedStep, *others: Any) -> None:
        assert step.saliency is not None
        seen.append(step.saliency)
        CurrentBatch.keep(callback._current, step, *others)

    callback = CoMixup(seed=0)
    vars(callback._current)["keep"] = keep
    fit(Watching(), callback, max_epochs=1)
    for saliency, (_, targets) in zip(seen, make_loader(), strict=True):
        assert torch.equal(saliency.flatten(1).sum(1) == 0, targets == 0)


class Logging(Own):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        self.log("train/loss", loss, on_epoch=True)
        self.log_dict({"train/twice": 2 * loss}, on_epoch=True)
        self.print(f"step {batch_idx}")
        if self.logger is not None:
            self.logger.log_metrics({"direct": float(loss.detach())}, step=batch_idx)
        if not is_clean_pass(self):
            self.mixed.append((len(batch[0]), float(loss.detach())))
        return loss

    def on_fit_start(self) -> None:
        self.mixed: list[tuple[int, float]] = []


def test_a_step_logs_only_the_mixed_batch_and_only_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module, logger = Logging(), CSVLogger(tmp_path)
    written: list[dict[str, float]] = []

    def write(metrics: dict[str, float], step: int | None = None) -> None:
        written.append(metrics)

    logger.experiment.log_metrics = write
    trainer = fit(module, CoMixup(seed=0), max_epochs=1, logger=logger, log_every_n_steps=1)
    rows = sum(size for size, _ in module.mixed)
    mean = sum(size * loss for size, loss in module.mixed) / rows
    assert float(trainer.callback_metrics["train/loss_epoch"]) == pytest.approx(mean, rel=1e-6)
    assert float(trainer.callback_metrics["train/twice_epoch"]) == pytest.approx(2 * mean, rel=1e-6)
    direct = [metrics["direct"] for metrics in written if "direct" in metrics]
    assert direct == [loss for _, loss in module.mixed]
    assert capsys.readouterr().out.splitlines() == [f"step {k}" for k in range(4)]
    assert not {"log", "log_dict", "print"} & set(vars(module))
    assert trainer.loggers == [logger]


def test_logging_is_restored_after_an_error_in_the_clean_pass() -> None:
    class Failing(Logging):
        def loss(self, inputs: Tensor, targets: Tensor) -> Any:
            raise RuntimeError("user code")

    module = Failing()
    own = lambda *args, **kwargs: None  # noqa: E731
    vars(module)["log"] = own
    with pytest.raises(RuntimeError, match="user code"):
        fit(module)
    assert vars(module)["log"] is own
    assert not {"log_dict", "print"} & set(vars(module))


def test_an_error_in_the_clean_pass_has_its_own_note(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Own):
        def loss(self, inputs: Tensor, targets: Tensor) -> Any:
            raise KeyError("user code")

    with caplog.at_level("INFO"), pytest.raises(KeyError) as raised:
        fit(Failing())
    notes = "\n".join([*getattr(raised.value, "__notes__", []), *(record.getMessage() for record in caplog.records)])
    assert "in CoMixup's clean pass" in notes
    assert "mixed this batch" not in notes


def test_a_step_without_a_loss_leaves_its_batch_unmixed() -> None:
    class Choosy(Own):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = super().training_step(batch, batch_idx)
            return None if batch_idx == 2 else loss

    module = Choosy()
    fit(module, max_epochs=1)
    assert [targets.ndim for _, targets in module.seen] == [2, 2, 1, 2]
    assert torch.equal(module.seen[2][0], make_data()[0][32:48])


def test_an_output_that_is_not_a_loss_is_refused() -> None:
    class Strange(Own):
        def loss(self, inputs: Tensor, targets: Tensor) -> Any:
            return 0.5

    with pytest.raises(TypeError, match=r"training_step must return a loss.*found float"):
        fit(Strange())


def test_a_step_may_take_its_batch_apart_but_not_change_its_targets() -> None:
    class Popping(Own):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            inputs = batch.pop("image").sub_(0.1)
            return self.loss(inputs, batch.pop("label"))

    def collate(items: list[Any]) -> dict[str, Tensor]:
        return {"image": torch.stack([item[0] for item in items]), "label": torch.stack([item[1] for item in items])}

    data = TensorDataset(*make_data(20))
    loader = DataLoader(data, batch_size=10, collate_fn=collate)
    fit(Popping(), loader=loader)

    class Shifting(Own):
        def loss(self, inputs: Tensor, targets: Tensor) -> Any:
            return super().loss(inputs, targets.remainder_(CLASSES))

    with pytest.raises(ValueError, match=r"must not change the batch's targets in place.*targets\.clone\(\)"):
        fit(Shifting())


@pytest.mark.parametrize("how", ["auto", "forward", "training_step"])
def test_which_loss_the_clean_pass_differentiates(how: Any) -> None:
    called: list[str] = []

    class Old(CoMixupMixin, Own):
        def forward(self, inputs: Tensor) -> Tensor:
            return self.network(inputs)

        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            called.append("own clean loss")
            return F.cross_entropy(self(inputs), targets)

    fit(Old(), CoMixup(seed=0, clean_loss=how), max_epochs=1)
    assert bool(called) == (how != "training_step")

    class Plain(Weighted):
        def forward(self, inputs: Tensor) -> Tensor:
            return self.network(inputs)

    module = Plain()
    start = copy.deepcopy(module)
    torch.manual_seed(5)
    fit(module, CoMixup(seed=0, clean_loss=how), loader=_loader())
    start.seen = module.seen
    torch.manual_seed(5)
    assert (largest_difference(module, _loop(start, 2, 1.0)) == 0) == (how != "forward")


def test_a_clean_loss_without_the_mixin_counts() -> None:
    class Duck(Own):
        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            self.called = True
            return self.loss(inputs, targets)

    module = Duck()
    fit(module, max_epochs=1)
    assert module.called


def test_manual_steps_are_not_called_twice() -> None:
    class Manual(Own):
        automatic_optimization = False

    with pytest.raises(ValueError, match=r"must not be \"training_step\" with manual optimization"):
        fit(Manual(), CoMixup(manual_optimization=True, clean_loss="training_step"))
