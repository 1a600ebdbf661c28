from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_comixup.training.clean_gradient import CleanGradient, own_copies


def test_each_parameter_gets_its_own_tensor() -> None:
    """One gradient tensor for two parameters, as autograd may return it."""
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
    """Weights of a kind of their own, which know a few operations only."""

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


def test_parameters_of_a_kind_of_their_own() -> None:
    parameter = nn.Parameter(_Wrapped(torch.zeros(3)))
    (copy,) = own_copies([parameter], [torch.ones(3)])
    assert isinstance(copy, _Wrapped)
    assert copy.plain.tolist() == [1, 1, 1]


def test_gradients_add_to_what_is_there() -> None:
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
