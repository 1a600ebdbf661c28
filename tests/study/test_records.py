"""The files of a study: lines are never lost, and only one command at a time writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.study import main
from examples.study_parts.names import AUTHORS_CUTS, NONE
from examples.study_parts.plan import Cost, Result
from examples.study_parts.records import append_record, lock_folder, read_records
from tests.study.tiny import make_result

_RESULT = make_result(NONE, 3, 0, 0.5)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    assert read_records(path, Result) == []
    second = _RESULT._replace(method=AUTHORS_CUTS, nll=0.1 + 0.2)  # tests a comma in a name and all digits of a number
    for record in (_RESULT, second):
        append_record(path, record)
    assert read_records(path, Result) == [_RESULT, second]
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="must have the columns"):
        read_records(path, Cost)


def test_an_interrupted_line_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    append_record(path, _RESULT)
    path.with_suffix(".new").write_text("part,lab", encoding="utf-8")  # as left by a killed process
    append_record(path, _RESULT._replace(seed=1))
    assert [result.seed for result in read_records(path, Result)] == [0, 1]


def test_a_second_command_is_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("examples.study_parts.commands.run_study", lambda *_: None)
    message = f"Another command is using {tmp_path}. Wait for it to end, or choose another folder.\n"
    with lock_folder(tmp_path), pytest.raises(SystemExit) as stop:
        main(["--output", str(tmp_path)])
    assert stop.value.code == 1
    assert capsys.readouterr().err.endswith(message)
    with lock_folder(tmp_path):  # the folder is free again
        pass
