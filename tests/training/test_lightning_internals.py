"""The private names that this package uses still exist in both of Lightning's packages."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from torch import nn

from lightning_comixup.training.lightning_internals import (
    call_module,
    has_static_graph,
    records_step,
    skips_backward,
)


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def package(request: pytest.FixtureRequest) -> Any:
    return import_module(request.param)


@pytest.fixture
def trainer(package: Any) -> Any:
    return package.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)


def test_the_strategy_calls_methods_through_its_wrapper(package: Any) -> None:
    class Doubling(package.LightningModule):  # type: ignore[misc]
        def double(self, value: int) -> int:
            return 2 * value

        def forward(self, value: int) -> int:
            return 3 * value

    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module
            self.calls = 0

        def forward(self, *arguments: Any) -> Any:
            self.calls += 1
            return self.module(*arguments)

    class FSDPStrategy(package.strategies.SingleDeviceStrategy):  # type: ignore[misc]
        model: Any = None

    module, strategy = Doubling(), FSDPStrategy()
    strategy.model = Wrapper(module)
    assert call_module(strategy, module, "double", 3) == 6
    assert strategy.model.calls == 1
    # The redirection rejects "forward", which the wrapper calls anyway.
    assert call_module(strategy, module, "forward", 3) == 9
    assert strategy.model.calls == 2


def test_the_strategy_has_its_arguments_for_ddp(package: Any) -> None:
    assert package.strategies.DDPStrategy(static_graph=True)._ddp_kwargs == {"static_graph": True}
    assert has_static_graph(package.strategies.DDPStrategy(static_graph=True))
    assert not has_static_graph(package.strategies.DDPStrategy())


def test_the_loop_may_skip_its_backward(trainer: Any) -> None:
    assert trainer.fit_loop._skip_backward is False
    assert not skips_backward(trainer)
    trainer.fit_loop._skip_backward = True
    assert skips_backward(trainer)


def test_the_trainer_knows_which_steps_are_recorded(trainer: Any) -> None:
    assert isinstance(trainer._logger_connector.should_update_logs, bool)
    assert isinstance(records_step(trainer), bool)
