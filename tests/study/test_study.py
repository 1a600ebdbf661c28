"""The study as a whole: it does the missing runs, in this process or in others, and reports them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from examples import study
from examples.study_parts import choice, commands
from examples.study_parts.choice import choose, find_missing, left_out
from examples.study_parts.commands import hours_left
from examples.study_parts.names import AUTHORS_CUTS, COSTS, HALF_CUTMIX, NONE, PAPER, RESULTS, TUNED, TUNING
from examples.study_parts.plan import Cost, Result, Run, Setting, Wish
from examples.study_parts.recipes import RECIPES
from examples.study_parts.records import append_record, read_records
from examples.study_parts.tuning import Trial, Tried
from tests.study.tiny import make_result, write_fashion

_TINY = Setting("digits", 600, epochs=1)


@pytest.fixture
def tiny_study(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a command for three methods and one part. Its budgets are single epochs, and it must not measure costs."""
    monkeypatch.setattr(choice, "SETTINGS", (_TINY,))
    monkeypatch.setattr(commands, "measure_cost", lambda *_: pytest.fail("no cost is missing"))

    def run(folder: Path, *arguments: str, others: Sequence[str] = ()) -> None:
        methods = [NONE, HALF_CUTMIX, PAPER, *others]
        study.main(["--output", str(folder), "--parts", "digits", "--methods", *methods, *arguments])

    return run


def _write_costs(folder: Path) -> None:
    for method, ratio in ((NONE, 1.0), (HALF_CUTMIX, 1.0), (PAPER, 2.0)):
        append_record(folder / COSTS, Cost("digits", "small", method, ratio, 20 * ratio, 20.0))
        append_record(folder / COSTS, Cost("digits", "resnet18", method, 9.0, 90.0, 10.0))  # of another network


def _pretend_run(run: Run, folder: Path, accelerator: str) -> Result:
    return make_result(run.method, run.budget, run.seed, 0.5)._replace(steps=run.steps)


def test_a_study_goes_on_where_it_was_left(tmp_path: Path, tiny_study: Callable[..., None]) -> None:
    _write_costs(tmp_path)
    tiny_study(tmp_path, "--seeds", "1", "--budgets", "1")
    results = read_records(tmp_path / RESULTS, Result)
    assert [(result.method, result.budget, result.steps) for result in results] == [
        *((NONE, 1, 6), (HALF_CUTMIX, 1, 6), (PAPER, 1, 3)),
    ]
    assert {path.name for path in tmp_path.iterdir()} == {COSTS, RESULTS, "lock", "study.png", "table.md"}
    before = (tmp_path / RESULTS).read_bytes()
    tiny_study(tmp_path, "--seeds", "1", "--budgets", "1")
    assert (tmp_path / RESULTS).read_bytes() == before

    lost = results.pop(1)
    (tmp_path / RESULTS).unlink()
    for result in results:
        append_record(tmp_path / RESULTS, result)
    tiny_study(tmp_path, "--seeds", "1", "--budgets", "1", "--processes", "2")
    *others, again = read_records(tmp_path / RESULTS, Result)
    assert others == results
    assert again[:-1] == lost[:-1]  # everything is equal except the time, although another process did it


def test_the_real_size_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path, 60)
    monkeypatch.setattr(choice, "REAL_SIZE", Setting("fashion-all", 40, epochs=1))
    append_record(tmp_path / COSTS, Cost("fashion-all", "resnet18", NONE, 1.0, 20.0, 20.0))
    arguments = ["--parts", "fashion-all", "--network", "resnet18", "--methods", NONE, "--budgets", "2", "--seeds", "1"]
    study.main([*arguments, "--fashion", str(tmp_path), "--output", str(tmp_path)])
    [result] = read_records(tmp_path / RESULTS, Result)
    assert result[:7] == ("fashion-all", 40, "resnet18", NONE, 2, 0, 2)
    assert "**Fashion-MNIST, 40 labels, ResNet-18**" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_missing_costs_are_measured_when_they_are_needed(
    tmp_path: Path, tiny_study: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_before = {}

    def pretend(part: str, method: str, *_: object) -> Cost:
        runs_before[method] = len(read_records(tmp_path / RESULTS, Result))
        return Cost(part, "small", method, 2.0, 40.0, 20.0)

    monkeypatch.setattr(commands, "measure_cost", pretend)
    monkeypatch.setattr(commands, "do_run", _pretend_run)
    append_record(tmp_path / COSTS, Cost("digits", "small", NONE, 1.0, 20.0, 20.0))
    append_record(tmp_path / COSTS, Cost("digits", "resnet18", PAPER, 9.0, 90.0, 10.0))  # of another network
    tiny_study(tmp_path, others=["MixUp"])
    assert runs_before == {HALF_CUTMIX: 0, PAPER: 0, "MixUp": 3 * 3 * 3}  # after the main methods' first seeds
    costs = read_records(tmp_path / COSTS, Cost)
    assert [cost[:3] for cost in costs[2:]] == [("digits", "small", method) for method in runs_before]
    results = read_records(tmp_path / RESULTS, Result)
    assert {result.steps for result in results if result.method == PAPER} == {3, 9, 30}
    assert [(result.seed, result.budget) for result in results[::3]][:4] == [(0, 1), (0, 3), (0, 10), (1, 1)]


def test_nothing_starts_after_the_time_limit(tmp_path: Path, tiny_study: Callable[..., None]) -> None:
    _write_costs(tmp_path)
    tiny_study(tmp_path, "--limit-hours", "0")
    assert not (tmp_path / RESULTS).exists()
    (tmp_path / COSTS).unlink()
    tiny_study(tmp_path, "--limit-hours", "0")
    assert not (tmp_path / COSTS).exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_finished_runs_are_kept_when_a_study_is_stopped(
    how: signal.Signals,
    tmp_path: Path,
    tiny_study: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _write_costs(tmp_path)

    def pretend(run: Run, folder: Path, accelerator: str) -> Result:
        if run.method == HALF_CUTMIX:
            signal.raise_signal(how)
        return _pretend_run(run, folder, accelerator)

    monkeypatch.setattr(commands, "do_run", pretend)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        tiny_study(tmp_path)
    assert stop.value.code == 130
    said = f"Stopped. All finished runs are saved in {tmp_path}. The same command continues.\n"
    assert capsys.readouterr().err.endswith(said)
    assert [result.method for result in read_records(tmp_path / RESULTS, Result)] == [NONE]
    assert signal.getsignal(signal.SIGTERM) == handler


def test_trials_are_done_once(tmp_path: Path, tiny_study: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Trial] = []

    def pretend(trial: Trial, folder: Path) -> Tried:
        done.append(trial)
        return Tried(*trial, val_accuracy=0.5, val_ece=0.1, val_nll=1.0)

    monkeypatch.setattr(commands, "try_rates", pretend)
    tiny_study(tmp_path, "--tune")
    assert len(done) == 8 + 6
    tiny_study(tmp_path, "--tune")
    assert len(done) == 8 + 6
    assert [tried[:6] for tried in read_records(tmp_path / TUNING, Tried)] == done
    assert not (tmp_path / RESULTS).exists()


def test_a_report_alone_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "run_study", lambda *_: pytest.fail("it is not asked for"))
    arguments = ["--table-only", "--output", str(tmp_path)]
    with pytest.raises(SystemExit) as stop:
        study.main(arguments)
    assert stop.value.code == 1
    assert "There must be results to print, found none in" in capsys.readouterr().err
    append_record(tmp_path / RESULTS, make_result(NONE, 1, 0, 0.9))
    study.main(arguments)
    out = capsys.readouterr().out
    assert "90.0" in out
    assert "1 runs, 0.50 hours" in out
    assert (tmp_path / "study.png").read_bytes()[:4] == b"\x89PNG"
    assert "| none | 90.0 |" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert not (tmp_path / COSTS).exists()
    assert not (tmp_path / "lock").exists()


def _choose(*arguments: str) -> tuple[Wish, dict[str, str]]:
    options = study.parse(arguments)
    missing = find_missing(options)
    return choose(options, missing), missing


def test_missing_data_and_packages_are_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.study_parts.choice.find_spec", lambda name: None)
    wish, missing = _choose("--fashion", str(tmp_path), "--parts", "fashion", "digits")
    assert {setting.part for setting in wish.settings} == {"digits"}
    assert missing["fashion"].startswith("Fashion-MNIST's four IDX files in")
    assert AUTHORS_CUTS not in (wish.methods or ())
    assert missing[AUTHORS_CUTS].endswith('python -m pip install -e ".[pygco]"')


def test_a_study_without_some_of_its_data_does_the_rest_and_fails(
    tmp_path: Path, tiny_study: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    _write_costs(tmp_path)
    some = ("--seeds", "1", "--budgets", "1", "--parts", "fashion", "digits", "--fashion", str(tmp_path / "none"))
    with pytest.raises(SystemExit) as stop:
        tiny_study(tmp_path, *some)
    assert stop.value.code == 1
    assert len(read_records(tmp_path / RESULTS, Result)) == 3
    said = capsys.readouterr().err
    assert said.startswith("""Left out: "fashion". It needs Fashion-MNIST's four IDX files in""")
    assert said.endswith('error: The study lacks "fashion". See the lines above its table.\n')


def test_a_study_without_any_of_its_data_fails_at_once(
    tmp_path: Path, tiny_study: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        tiny_study(tmp_path / "study", "--parts", "fashion", "--fashion", str(tmp_path))
    assert stop.value.code == 1
    expected = f"four IDX files in {tmp_path} (--fashion names another folder).\n"
    assert capsys.readouterr().err == f'error: Nothing can be run: "fashion" needs Fashion-MNIST\'s {expected}'
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_was_not_requested_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.study_parts.choice.find_spec", lambda name: None)
    for arguments, expected in (((), []), (("--methods", NONE, AUTHORS_CUTS), [AUTHORS_CUTS])):
        options = study.parse(["--parts", "digits", *arguments])
        assert left_out(options, find_missing(options)) == expected


def test_the_tuned_method_needs_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RECIPES["digits"]
    monkeypatch.setitem(RECIPES, "digits", type(recipe)(recipe.classes, recipe.rates, None))
    wish, missing = _choose("--parts", "digits")
    for name in (TUNED, f"{PAPER}, tuned"):
        assert name not in (wish.methods or ())
        assert missing[name] == "rates in recipes.py (--tune)"
    monkeypatch.setitem(RECIPES, "digits", type(recipe)(recipe.classes, recipe.rates, recipe.rates))
    assert {TUNED, f"{PAPER}, tuned"} <= set(_choose("--parts", "digits")[0].methods or ())


def test_settings_are_chosen_by_part_and_labels(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    wish, _ = _choose("--fashion", str(tmp_path), "--parts", "fashion", "fashion-all", "--labels", "2000", "59000")
    assert [setting[:2] for setting in wish.settings] == [("fashion", 2000), ("fashion-all", 59_000)]


def test_the_remaining_hours_by_hand() -> None:
    wish = Wish((_TINY,), [NONE, PAPER], [1, 10], 1)
    costs = [Cost("digits", "small", NONE, 1.0, 36_000.0, 36_000.0), Cost("digits", "small", PAPER, 2.0, 7.0, 3.0)]
    assert hours_left(wish, costs, []) == pytest.approx(2 * (0.06 + 0.6))
    assert hours_left(wish, costs, [make_result(PAPER, 10, 0, 0.5)]) == pytest.approx(2 * 0.06 + 0.6)


@pytest.mark.parametrize(
    "arguments",
    [["--seeds", "0"], ["--processes", "two"], ["--parts", "letters"], ["--methods", "mixing"], ["--labels", "7"]],
)
def test_options_out_of_range(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        study.parse(arguments)
    assert "error" in capsys.readouterr().err
