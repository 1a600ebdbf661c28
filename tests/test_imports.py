"""The cost of `import lightning_comixup` beyond torch and lightning."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_MOST_SECONDS = 0.3
# The script first removes what the dependencies may have imported, so that an import by this package is noticed.
_LATE = ["numba", "matplotlib", "jsonargparse", "gco"]
_SCRIPT = """
import json, sys, time
import torch, lightning.pytorch
for name in [name for name in sys.modules if name.split(".")[0] in json.loads(sys.argv[1])]:
    del sys.modules[name]
before = set(sys.modules)
start = time.perf_counter()
import lightning_comixup
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "modules": sorted(set(sys.modules) - before)}))
"""

_OPTIONAL = ["matplotlib", "jsonargparse", "gco"]
_WITHOUT = """
import json, sys
import torch, lightning.pytorch
optional = json.loads(sys.argv[1])
for name in [name for name in sys.modules if name.split(".")[0] in optional]:
    del sys.modules[name]
sys.modules.update(dict.fromkeys(optional))  # an import of a module that is None fails
from lightning_comixup import CoMixup
from tests.tiny import Tiny, fit
module = Tiny()
fit(module, CoMixup(seed=0), max_epochs=1)
print(json.dumps({"mixed": [targets.is_floating_point() for _, targets in module.seen]}))
"""


def _run(script: str, names: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-c", script, json.dumps(names)]
    root = Path(__file__).parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def _import() -> dict[str, Any]:
    return _run(_SCRIPT, _LATE)


def test_it_trains_where_the_optional_packages_are_missing() -> None:
    mixed = _run(_WITHOUT, _OPTIONAL)["mixed"]
    assert mixed and all(mixed)


def test_nothing_is_imported_before_it_is_used() -> None:
    """Numba, matplotlib, jsonargparse and gco are not imported. Neither is anything that lightning does not import."""
    packages = {name.split(".")[0] for name in _import()["modules"]} - set(sys.stdlib_module_names)
    assert packages <= {"lightning_comixup", "torch", "lightning", "torchmetrics", "numpy"}


def test_the_import_takes_a_moment() -> None:
    """The best of up to five processes counts, because other programs may keep the machine busy."""
    assert any(_import()["seconds"] < _MOST_SECONDS for _ in range(5))


def test_only_two_files_import_the_compiler() -> None:
    package = Path(__file__).parents[1] / "lightning_comixup"
    importing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^\s*(import|from) (numba|llvmlite)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert importing == {"solvers/compiled.py", "solvers/entry_point.py"}
