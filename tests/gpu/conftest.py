"""Everything here needs a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Skip where there is no GPU; compute exactly and the same at every run; leave what is global as it was."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products of matrices
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    deterministic, precision = torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
    torch._dynamo.reset()
    if torch.distributed.is_initialized():  # Lightning keeps it up to the end of the process
        torch.distributed.destroy_process_group()
