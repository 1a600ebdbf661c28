"""The fixture for the tests in this folder, which all need a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Skip if there is no GPU, make results exact and reproducible, and restore global settings afterwards."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    deterministic, precision = torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
    torch._dynamo.reset()
    if torch.distributed.is_initialized():  # Lightning keeps it until the process ends
        torch.distributed.destroy_process_group()
