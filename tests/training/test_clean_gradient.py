from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_comixup import CoMixup
from lightning_comixup.training.clean_gradient import CleanGradient, own_copies
from tests.tiny import Tiny, fit, largest_difference, make_loader

pytestmark = pytest.mark.filterwarnings("ignore:`LightningModule.configure_optimizers` returned `None`")


def test_each_parameter_gets_its_own_tensor() -> None:
    """Autograd may return one gradient tensor for two parameters."""
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))]
    shared = torch.ones(3)
    CleanGradient(parameters, [shared, shared]).add(parameters)
    assert parameters[0].grad is not None
    parameters[0].grad.mul_(5)
    assert parameters[1].grad is not None
    assert parameters[1].grad.tolist() == [1, 1, 1]
    assert shared.tolist() == [1, 1, 1]


def test_copies_have_the_parameters_strides() -> None:
    parameter = nn.Parameter(torch.zeros(4, 3).t())
    expanded = torch.ones(1).expand(3, 4)
    (copy,) = own_copies([parameter], [expanded])
    assert copy.stride() == parameter.stride()
    assert (copy == 1).all()


def test_copies_are_the_same_together_and_one_by_one() -> None:
    parameters = [
        nn.Parameter(torch.zeros(size, dtype=dtype)) for size in (1, 7) for dtype in (torch.half, torch.float)
    ]
    gradients = [torch.rand_like(parameter) for parameter in parameters]
    embedding = nn.Embedding(5, 2, sparse=True)
    (sparse,) = torch.autograd.grad(embedding(torch.tensor([1, 3])).sum(), [embedding.weight])
    together = own_copies(parameters, gradients)
    *one_by_one, last = own_copies([*parameters, *embedding.parameters()], [*gradients, sparse])
    assert last.layout == sparse.layout
    for gradient, copy, other in zip(gradients, together, one_by_one, strict=True):
        assert torch.equal(copy, gradient)
        assert torch.equal(other, gradient)
        assert not copy.requires_grad
        assert len({tensor.data_ptr() for tensor in (gradient, copy, other)}) == 3
    assert own_copies([], []) == []


class _Wrapped(Tensor):
    """Weights of a special kind, which support only a few operations."""

    plain: Tensor

    @staticmethod
    def __new__(cls, plain: Tensor) -> _Wrapped:
        wrapper = Tensor._make_wrapper_subclass(cls, plain.size(), dtype=plain.dtype, strides=plain.stride())
        wrapper.plain = plain
        return wrapper

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        if func._schema.name not in ("aten::empty_like", "aten::copy_", "aten::detach"):
            raise NotImplementedError(func._schema.name)
        if func._schema.name == "aten::copy_":
            args[0].plain.copy_(args[1])
            return args[0]
        return _Wrapped(func(args[0].plain, *args[1:], **(kwargs or {})))


def test_parameters_of_a_special_kind() -> None:
    parameter = nn.Parameter(_Wrapped(torch.zeros(3)))
    (copy,) = own_copies([parameter], [torch.ones(3)])
    assert isinstance(copy, _Wrapped)
    assert copy.plain.tolist() == [1, 1, 1]


def test_gradients_add_to_existing_ones() -> None:
    parameter = nn.Parameter(torch.zeros(3))
    parameter.grad = torch.full((3,), 2.0)
    CleanGradient([parameter], [torch.ones(3)]).add([parameter])
    assert parameter.grad.tolist() == [3, 3, 3]


def test_sparse_gradients() -> None:
    embedding = nn.Embedding(5, 2, sparse=True)
    for _ in range(2):
        (gradient,) = torch.autograd.grad(embedding(torch.tensor([1, 3])).sum(), [embedding.weight])
        CleanGradient(list(embedding.parameters()), [gradient]).add([])
    assert embedding.weight.grad is not None
    assert embedding.weight.grad.to_dense().sum(1).tolist() == [0, 4, 0, 4, 0]


class Manual(Tiny):
    """Manual optimization without an optimizer in the Trainer."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.manual_backward(super().training_step(batch, batch_idx))
        self.update(batch_idx)

    def update(self, batch_idx: int) -> None:
        """Update the parameters with their gradients."""
        with torch.no_grad():
            for parameter in self.parameters():
                assert parameter.grad is not None
                parameter.sub_(0.1 * parameter.grad)
                parameter.grad = None

    def configure_optimizers(self) -> Any:
        return None


class OwnOptimizer(Manual):
    def __init__(self) -> None:
        super().__init__()
        self.own = [torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)]

    def update(self, batch_idx: int) -> None:
        for optimizer in self.own:
            optimizer.step()
            optimizer.zero_grad()


class OneKeptAside(OwnOptimizer):
    """The Trainer has only the optimizer of the body. The optimizer of the head steps every second time."""

    def __init__(self) -> None:
        super().__init__()
        self.own = [torch.optim.SGD(self.network[2:].parameters(), lr=0.1)]
        self.of_body = torch.optim.SGD(self.network[:2].parameters(), lr=0.1)

    def update(self, batch_idx: int) -> None:
        if batch_idx % 2:
            super().update(batch_idx)
        self.of_body.step()
        self.of_body.zero_grad()

    def configure_optimizers(self) -> Any:
        return self.of_body


class InTheBackward(Manual):
    """Updates each parameter as soon as its gradient is available."""

    def __init__(self) -> None:
        super().__init__()
        for parameter in self.network.parameters():
            parameter.register_post_accumulate_grad_hook(self._step)

    @staticmethod
    def _step(parameter: Tensor) -> None:
        assert parameter.grad is not None
        parameter.data.sub_(0.1 * parameter.grad)
        parameter.grad = None

    def update(self, batch_idx: int) -> None:
        """Do nothing, since the parameters are already updated."""


class InTheAutomaticBackward(InTheBackward):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = True

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return Tiny.training_step(self, batch, batch_idx)


@pytest.mark.parametrize("kind", [Manual, OwnOptimizer, OneKeptAside, InTheBackward, InTheAutomaticBackward])
def test_parameters_that_are_in_no_optimizer_of_the_trainer(kind: type[Manual]) -> None:
    module, start = kind(), Manual() if issubclass(kind, InTheBackward) else kind()
    fit(module, CoMixup(seed=0, manual_optimization=not module.automatic_optimization), max_epochs=1)
    for index, ((inputs, targets), (mixed, rows)) in enumerate(zip(make_loader(), module.seen, strict=True)):
        clean = start.comixup_clean_loss(inputs, targets)
        clean.backward()
        start.comixup_loss(start(mixed), rows).backward()
        start.update(index)
    assert len(module.seen) == 4
    assert largest_difference(module, start) == 0


def test_a_backward_of_the_clean_loss_must_not_update_parameters() -> None:
    with pytest.raises(RuntimeError, match=r"not have post-accumulate-grad hooks.*found 6 with"):
        fit(InTheBackward(), CoMixup(seed=0, manual_optimization=True, clean_gradient="backward"))


class WithATensor(Tiny):
    """Has a tensor that requires a gradient but is not a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(5, requires_grad=True)

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) * self.scale


class WithAKnownTensor(WithATensor):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD([*self.parameters(), self.scale], lr=0.1)


def test_a_tensor_that_is_not_a_parameter_is_refused_unless_an_optimizer_has_it() -> None:
    message = r"must be parameters of the module or of its optimizers.*shape \(5,\).*nn\.Parameter"
    with pytest.raises(RuntimeError, match=message):
        fit(WithATensor())
    with pytest.raises(RuntimeError, match=message):
        fit(WithATensor(), CoMixup(seed=0, clean_gradient="backward"))
    fit(WithATensor(), CoMixup(seed=0, clean_weight=0), max_epochs=1)

    module, start = WithAKnownTensor(), WithAKnownTensor()
    fit(module, CoMixup(seed=0), max_epochs=1)
    optimizer = start.configure_optimizers()
    for (inputs, targets), (mixed, rows) in zip(make_loader(), module.seen, strict=True):
        optimizer.zero_grad()
        start.comixup_clean_loss(inputs, targets).backward()
        start.comixup_loss(start(mixed), rows).backward()
        optimizer.step()
    assert largest_difference(module, start) == 0
    assert torch.equal(module.scale, start.scale)
    assert not torch.equal(module.scale, torch.ones(5))


def test_a_backward_that_callbacks_do_not_see_is_refused() -> None:
    class Hidden(Manual):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            Tiny.training_step(self, batch, batch_idx).backward()

    with pytest.raises(RuntimeError, match=r"call self\.manual_backward\(loss\)"):
        fit(Hidden(), CoMixup(seed=0, manual_optimization=True))


@pytest.mark.parametrize("kind", ["ce", "bce"])
def test_manual_optimization_with_each_of_our_losses(kind: str) -> None:
    class Module(Manual):
        comixup_loss_kind = kind  # type: ignore[assignment]

    module, start = Module(), Module()
    fit(module, CoMixup(seed=0, manual_optimization=True), max_epochs=1)
    for index, ((inputs, targets), (mixed, rows)) in enumerate(zip(make_loader(), module.seen, strict=True)):
        start.comixup_clean_loss(inputs, targets).backward()
        start.comixup_loss(start(mixed), rows).backward()
        start.update(index)
    assert largest_difference(module, start) == 0
