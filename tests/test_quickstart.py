"""The documentation's notebook runs, and is stored with the outputs of one short run."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

_PATH = Path(__file__).parents[1] / "docs/quickstart.ipynb"
_CELLS: list[dict[str, Any]] = json.loads(_PATH.read_text(encoding="utf-8"))["cells"]
_CODE = [cell for cell in _CELLS if cell["cell_type"] == "code"]
_OUTPUTS: list[dict[str, Any]] = [output for cell in _CODE for output in cell["outputs"]]
_LARGEST_PICTURE = 40_000  # bytes
_LARGEST_NOTEBOOK = 80_000


@pytest.fixture
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo the notebook's changes to the process."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "")
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    with torch.random.fork_rng():
        yield
    logger.setLevel(level)


def _script(cell: dict[str, Any]) -> str:
    """Return a cell without the IPython magics that show pictures below the cells."""
    return "".join(line for line in cell["source"] if not line.startswith("%"))


@pytest.mark.usefixtures("own_settings")
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings are errors here, as in every test."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "quickstart"}
    for number, cell in enumerate(_CODE, start=1):
        exec(compile(_script(cell), f"{_PATH.name}, code cell {number}", "exec"), namespace)
    assert float(namespace["trainer"].callback_metrics["accuracy"]) > 0.9
    assert "Validation accuracy: " in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_outputs_are_those_of_one_run_in_order() -> None:
    assert [cell["execution_count"] for cell in _CODE] == list(range(1, len(_CODE) + 1))
    for cell in _CODE:
        counts = {output["execution_count"] for output in cell["outputs"] if "execution_count" in output}
        assert counts <= {cell["execution_count"]}


def test_the_outputs_are_results_alone() -> None:
    """There are no errors, and no warnings or progress bars, which would go to the error stream."""
    assert {output["output_type"] for output in _OUTPUTS} <= {"stream", "execute_result"}
    streams = [output for output in _OUTPUTS if output["output_type"] == "stream"]
    assert {output["name"] for output in streams} == {"stdout"}
    [text] = ["".join(output["text"]) for output in streams]
    assert text.startswith("Validation accuracy: ")
    assert text.count("\n") == 1


def test_the_outputs_are_small() -> None:
    [picture] = [output["data"]["image/png"] for output in _OUTPUTS if "image/png" in output.get("data", {})]
    assert len(base64.b64decode(picture)) < _LARGEST_PICTURE
    assert _PATH.stat().st_size < _LARGEST_NOTEBOOK
