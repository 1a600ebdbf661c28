"""Fixtures for all tests."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator

import pytest

# Set this before PyTorch is imported. Modules as tiny as those in the tests are slower on several threads. When two
# processes run at once, their threads would also wait for each other. Processes started by tests inherit the setting.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# These files measure memory with a module that exists only on Unix.
collect_ignore = (
    ["test_benchmarks.py", "robustness/memory.py", "robustness/test_soak.py"] if sys.platform == "win32" else []
)

# Warnings that Lightning raises in its own code or about the test set-up. Every other warning is an error.
_THIRD_PARTY = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r".*does not have many workers",
    r"The number of training batches .* is smaller than the logging interval",
    r".*`torch.jit.* is deprecated",
    r"You are trying to `self.log\(\)` but the `self.trainer` reference is not registered",
    r".*Checkpoint directory .* exists and is not empty",
    r"`training_step` returned `None`",
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided",
    r"You are using the `dataloader_iter` step flavor",
    r"The \.grad attribute of a Tensor that is not a leaf Tensor is being accessed",  # from torch.compile
    r"Guards may run slower on Python 3\.13\.0",  # from torch.compile
    r"The AccumulateGrad node's stream does not match",  # from Lightning's DDP on a GPU
    r"TensorFloat32 tensor cores for float32 matrix multiplication available but not enabled",  # from torch.compile
    r"Warning: Profiler clears events",
    r"The CUDA Graph is empty",  # from torch.compile, while warming up
    r"You're resuming from a checkpoint that ended before the epoch ended",
)


@pytest.fixture(autouse=True)
def third_party_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _THIRD_PARTY:
            warnings.filterwarnings("ignore", message=message)
        yield
