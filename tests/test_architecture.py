"""The parts of the package: imports go in one direction, and only `training/` imports Lightning."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

_PACKAGE = "lightning_comixup"
_ROOT = Path(__file__).parents[1] / _PACKAGE
# A part may import from itself and from the parts listed after it. Parts in the same entry do not import each other.
_ORDER = (
    ("__init__",),
    ("training",),
    ("plotting",),
    ("functional",),
    ("planning",),
    ("solvers", "saliencies"),
    ("method",),
    ("hyperparameters", "soft_targets"),
    ("validation",),
)
_LEVELS = {room: level for level, rooms in enumerate(_ORDER) for room in rooms}
_LIGHTNING = ("lightning", "pytorch_lightning", "lightning_fabric", "lightning_utilities")
_SMALL_PACKAGE = (
    "__init__",
    "training/callback",
    "plotting/panels",
    "planning",
    "solvers/dispatch",
    "method/energy",
    "method/grid",
    "hyperparameters",
    "soft_targets/losses",
)
_PRIVATE_NAMES = ("_compiler_ctx", "_ddp_kwargs", "_forward_redirection", "_logger_connector", "_skip_backward")


def _module(path: Path, root: Path) -> str:
    """Return a module's dotted name within the package. For an `__init__.py`, this is the name of its folder."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of every imported module or object, wherever the import is in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names)


def _find_module(name: str, modules: set[str]) -> str:
    """Return the module of the package that an import names, or that contains the imported object."""
    inner = name.removeprefix(_PACKAGE).removeprefix(".")
    while inner and inner not in modules:
        inner = inner.rpartition(".")[0]
    return inner or "__init__"


def _faults(root: Path) -> list[str]:
    """Return every import in a package that breaks a rule."""
    trees = {_module(path, root): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.py"))}
    faults, arrows = [], dict[str, set[str]]()
    for module, tree in trees.items():
        names = list(_imports(tree))
        faults += [f"{module} imports relatively: {name}" for name in names if name.startswith(".")]
        if module.split(".")[0] != "training":
            faults += [f"{module} imports {name}" for name in names if name.split(".")[0] in _LIGHTNING]
        own = [name for name in names if name.split(".")[0] == _PACKAGE]
        arrows[module] = {_find_module(name, set(trees)) for name in own} - {module}
        faults += [f"{module} imports {other}" for other in sorted(arrows[module]) if not _is_allowed(module, other)]
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        faults.append(f"circle: {' -> '.join(error.args[1])}")
    return faults


def _is_allowed(module: str, other: str) -> bool:
    room, other_room = module.split(".")[0], other.split(".")[0]
    return room == other_room or _LEVELS[room] < _LEVELS[other_room]


def test_imports_run_one_way() -> None:
    assert _faults(_ROOT) == []


def test_every_room_has_its_level() -> None:
    rooms = {_module(path, _ROOT).split(".")[0] for path in _ROOT.rglob("*.py")}
    assert rooms == set(_LEVELS)


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("method/grid.py", "from lightning_comixup.training.callback import CoMixup", "imports training.callback"),
        ("method/grid.py", "import lightning_comixup.planning", "imports planning"),
        ("method/grid.py", "from lightning_comixup import energy", "imports __init__"),
        ("method/grid.py", "from lightning_comixup import planning", "imports planning"),
        ("method/grid.py", "def f():\n    from lightning_comixup.solvers import dispatch", "imports solvers.dispatch"),
        ("hyperparameters.py", "from lightning_comixup.soft_targets import losses", "imports soft_targets.losses"),
        ("method/grid.py", "from .energy import energy", "imports relatively"),
        ("planning.py", "import lightning.pytorch as pl", "imports lightning"),
        ("plotting/panels.py", "from pytorch_lightning import Trainer", "imports pytorch_lightning"),
        ("method/energy.py", "from lightning_comixup.method.grid import neighbouring_cells", "circle"),
    ],
)
def test_a_wrong_import_is_found(module: str, line: str, fault: str, tmp_path: Path) -> None:
    root = tmp_path / _PACKAGE
    for name in _SMALL_PACKAGE:
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "method" / "grid.py").write_text("from lightning_comixup.method.energy import energy\n")
    assert _faults(root) == []
    path = root / module
    path.write_text(f"{path.read_text()}{line}\n")
    [found] = _faults(root)
    assert fault in found


def test_private_names_of_lightning_are_used_in_one_place() -> None:
    using = {
        _module(path, _ROOT)
        for path in _ROOT.rglob("*.py")
        if any(name in path.read_text(encoding="utf-8") for name in _PRIVATE_NAMES)
    }
    assert using == {"training.lightning_internals"}


def test_no_other_private_names_are_used() -> None:
    """No other attribute starts with an underscore, apart from those of named tuples, of `self` and of PyTorch."""
    torchs = {"_foreach_add_", "_foreach_copy_", "_version", "_forward_hooks", "_forward_pre_hooks", "_backward_hooks"}
    allowed = {"_replace", "_fields", "_getframe"} | torchs
    found = {
        f"{_module(path, _ROOT)}: {node.attr}"
        for path in (_ROOT / "training").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        if not (isinstance(node.value, ast.Name) and node.value.id == "self") and node.attr not in allowed
    }
    assert found == {
        "training.lightning_internals: _forward_redirection",
        "training.lightning_internals: _logger_connector",
    }
