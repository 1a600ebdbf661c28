"""A check whose outcome is still on the device: asking for it at once would wait for everything computed there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Verdict(NamedTuple):
    """What to copy to the host with other things, and what to do there if it is False."""

    passed: Tensor  # () bool
    refuse: Callable[[], None]  # raises the error; may wait for the device
