"""Where a call or an error comes from: a line of the user, an installed package, Lightning or this package."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

_LIGHTNING = ("lightning", "pytorch_lightning")
# A call passes through frames of these packages, which are not the user's code.
_PASSED_THROUGH = ("torch", "torchmetrics", *_LIGHTNING, "lightning_comixup", "lightning_utilities")
_FOLDERS_OF_PACKAGES = {"site-packages", "dist-packages"}
_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
_WATCHES = ("call_origin", "derived_tensors", "target_watch", "loss_watch")


def users_line(error: BaseException | None = None) -> str:
    """Return "file:line" of the user's innermost line, and the line of an installed package that it leads to, if any.

    If Lightning calls an installed module, there is no line of the user: the package's line is returned alone.

    Args:
        error: Search the traceback of this error. If None, search the callers of this function.
    """
    through = ""
    for frame, line in _frames(error):
        package = _package(frame)
        if through and package in _LIGHTNING:
            break
        path = Path(frame.f_code.co_filename)
        is_installed = not _FOLDERS_OF_PACKAGES.isdisjoint(path.parts)
        if package in _PASSED_THROUGH or (_STANDARD_LIBRARY in path.parents and not is_installed):
            continue
        place = f"{path}:{line}"
        if not is_installed:
            return f"{place} (through {through})" if through else place
        through = through or place
    return through or "an unknown line"


def is_raised_by_us(error: BaseException) -> bool:
    """Whether this package itself raised an error, which is then not the step's own failure."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return _package(frame) == "lightning_comixup"


def is_called_by_us() -> bool:
    """Whether the PyTorch call being watched comes from this package's own losses and metrics."""
    return _caller() == "lightning_comixup"


def is_called_by_lightning() -> bool:
    """Whether the PyTorch call being watched comes from Lightning, for example for logging."""
    return _caller() in _LIGHTNING


def _caller() -> str:
    """Return the package that calls PyTorch, ignoring PyTorch itself and the watches."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package, _, name = str(frame.f_globals.get("__name__", "")).partition(".")
        if package != "torch" and name.rpartition(".")[2] not in _WATCHES:
            return package
        frame = frame.f_back
    return ""


def _frames(error: BaseException | None) -> Iterable[tuple[FrameType, int]]:
    """Return the frames of an error or, without one, of the callers of `users_line`, the innermost first."""
    if error is None:
        return traceback.walk_stack(sys._getframe(2))
    return reversed(list(traceback.walk_tb(error.__traceback__)))


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
