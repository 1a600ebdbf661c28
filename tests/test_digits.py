"""The introductory examples of the documentation, at a small size."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.console import Console
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn import functional as F

from examples import digits, noisy_digits
from examples.digits_parts.cover import Cover, cover_comixup, cover_pairs, cover_unmixed, mix_in_pairs, visible_share
from examples.digits_parts.data import Canvases, draw_canvases, draw_data, load_images, split_images
from examples.digits_parts.noise import draw_noisy
from examples.digits_parts.pairs import Draw, MixPairs, draw_cutmix, draw_mixup, mix_pairs
from examples.digits_parts.photographs import draw_backgrounds
from examples.digits_parts.picture import draw_target, paint
from examples.digits_parts.processes import spread
from examples.digits_parts.results import Run, results_table
from examples.digits_parts.sizes import IMAGES
from examples.digits_parts.training import NONE, STEP_COSTS, Task, load_network, plan_equal_time, train, train_all
from lightning_comixup import comixup_batch
from tests.tasks import prepare, work_on

_TRAIN = 1700  # leaves few test images, each at four places
_LOGGERS = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo the process's set-up for training, and restore the seeds."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "")
    threads, levels = torch.get_num_threads(), [logger.level for logger in _LOGGERS]
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)
    for logger, level in zip(_LOGGERS, levels, strict=True):
        logger.setLevel(level)


def test_it_trains_three_ways_prints_a_table_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "digits.png"
    options = ["--seeds", "1", "--steps", "3", "--train-images", "1700", "--processes", "1", "--picture", str(picture)]
    digits.main(options)
    printed = capsys.readouterr()
    assert all(word in printed.out for word in (*STEP_COSTS, "accuracy %", "Trained on 1700 digits", "the other 97"))
    assert printed.err == ""
    assert picture.read_bytes()[1:4] == b"PNG"


def test_noisy_digits_trains_and_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    noisy_digits.main(["--seeds", "1", "--steps", "1", "--train-images", "1700", "--processes", "1"])
    printed = capsys.readouterr()
    assert all(word in printed.out for word in (*STEP_COSTS, "40% of their labels"))
    assert printed.err == ""


@pytest.mark.parametrize(
    "wrong",
    [["--seeds", "0"], ["--steps", "x"], ["--train-images", "19"], ["--processes", "0"], ["--picture", "a.jpg"]],
)
def test_wrong_options_are_refused_before_the_training(
    wrong: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("examples.digits_parts.commands.compare_on_clutter")
    with pytest.raises(SystemExit):
        digits.main(wrong)
    assert f"argument {wrong[0]}: must be" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["2", "x", "-0.1"])
def test_a_share_of_wrong_labels_lies_between_0_and_1(
    wrong: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("examples.digits_parts.commands.compare_with_wrong_labels")
    with pytest.raises(SystemExit):
        noisy_digits.main([f"--wrong-labels={wrong}"])
    assert "argument --wrong-labels: must be a number from 0 to 1" in capsys.readouterr().err


def test_all_runs_take_equal_time() -> None:
    tasks = plan_equal_time(seeds=2, steps=1000)
    assert [(task.setting, task.seed) for task in tasks] == [(name, seed) for seed in (0, 1) for name in STEP_COSTS]
    assert tasks[0] == Task(NONE, 0, 1000)
    for task in tasks:
        assert task.steps * STEP_COSTS[task.setting] == pytest.approx(1000, rel=0.01)


def test_runs_repeat_bit_for_bit_and_settings_mix_differently() -> None:
    def run(setting: str) -> dict[str, Tensor]:
        [found] = train_all([Task(setting, 3, 2)], partial(draw_data, _TRAIN), 1, Console(quiet=True))
        return load_network(found).state_dict()

    def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
        return all(torch.equal(one[name], other[name]) for name in one)

    first = {setting: run(setting) for setting in STEP_COSTS}
    assert all(same(run(setting), found) for setting, found in first.items())
    assert not any(same(*pair) for pair in combinations(first.values(), 2))


def test_a_run_and_its_work_go_from_process_to_process() -> None:
    work = partial(train, draw=partial(draw_data, _TRAIN))
    again = pickle.loads(pickle.dumps(work))
    assert (again.func, again.keywords["draw"].func, again.keywords["draw"].args) == (train, draw_data, (_TRAIN,))
    [found] = train_all([Task(NONE, 0, 1)], partial(draw_data, _TRAIN), 1, Console(quiet=True))
    assert found.seconds > 0
    assert pickle.loads(pickle.dumps(found)).weights.keys() == found.weights.keys()


def test_canvases_hold_a_plate_among_scraps_in_front_of_a_photograph() -> None:
    images, labels = load_images(12)
    parts = split_images(labels, _TRAIN, seed=4)
    assert sorted(parts[0] + parts[1]) == list(range(IMAGES))
    for canvases, part, places in zip(draw_canvases(_TRAIN, seed=4), parts, (1, 4), strict=True):
        assert torch.equal(canvases.labels, labels[part].repeat(places))
        assert canvases.images.min() >= 0
        assert canvases.images.max() <= 1
        shares = []
        for canvas, plate, digit in zip(
            canvases.images, canvases.plates, images[part].repeat(places, 1, 1, 1), strict=True
        ):
            inside = canvas[plate > 0].view(1, 12, 12)  # which fails unless it is a square
            own = inside == 1 - 0.9 * digit
            assert (inside >= 1 - 0.9 * digit - 1e-6).all()  # where scraps cover it, the brighter one shows
            shares.append(float(own.float().mean()))
        assert sum(shares) / len(shares) > 0.8


def test_backgrounds_are_pieces_of_both_photographs() -> None:
    backgrounds = draw_backgrounds(200, 40, torch.Generator().manual_seed(0))
    assert backgrounds.shape == (200, 1, 40, 40)
    photographs = [torch.tensor(image / 255).mean(2).float() for image in load_sample_images().images]
    found = [0, 0]
    for background in backgrounds[:20, 0]:
        for number, photograph in enumerate(photographs):
            corners = F.avg_pool2d(photograph[None], 2, stride=1)[0]
            places = (corners[:-78, :-78] - background[0, 0]).abs() < 1e-6
            found[number] += any(
                torch.allclose(corners[top : top + 79 : 2, left : left + 79 : 2], background, atol=1e-6)
                for top, left in places.nonzero().tolist()
            )
    assert sum(found) == 20
    assert min(found) > 0


def test_canvases_are_drawn_by_seed_and_the_places_of_a_plate_differ() -> None:
    train, test = draw_canvases(_TRAIN, seed=4)
    assert torch.equal(draw_data(_TRAIN, 4).train[:][0], train.images)
    assert torch.equal(draw_data(_TRAIN, 4).test[:][1], test.labels)
    assert not torch.equal(draw_canvases(_TRAIN, seed=5)[0].images, train.images)
    places = test.plates.split(IMAGES - _TRAIN)
    assert not any(torch.equal(places[0], other) for other in places[1:])


def test_a_share_of_the_labels_is_replaced() -> None:
    right = draw_noisy(1000, 0.0, seed=0)
    changed = draw_noisy(1000, 0.5, seed=0)
    is_wrong = changed.train[:][1] != right.train[:][1]
    assert float(is_wrong.float().mean()) == pytest.approx(0.45, abs=0.05)  # a tenth are right by chance
    assert torch.equal(changed.train[:][0], right.train[:][0])
    assert torch.equal(changed.test[:][1], right.test[:][1])


def test_pairs_by_hand() -> None:
    images = torch.stack([torch.full((1, 2, 4), value) for value in (1.0, 2.0, 3.0)])
    boxes = torch.zeros(3, 2, 4)
    boxes[0, :, 3] = 1
    boxes[1, 0, :3] = 1
    mixed, targets = mix_pairs(images, torch.eye(3), torch.tensor([1, 2, 0]), boxes)
    assert mixed[:, 0].tolist() == [[[1, 1, 1, 2]] * 2, [[3, 3, 3, 2], [2, 2, 2, 2]], [[3, 3, 3, 3]] * 2]
    assert targets.tolist() == [[0.75, 0.25, 0], [0, 0.625, 0.375], [0, 0, 1]]
    mixed, targets = mix_pairs(
        images, torch.eye(3), torch.tensor([1, 2, 0]), torch.tensor([0.25, 0.5, 0]).view(3, 1, 1)
    )
    assert mixed[:, 0, 0, 0].tolist() == [1.25, 2.5, 3]
    assert targets.tolist() == [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 1]]


def test_boxes_are_squares_cut_off_at_the_edges_of_every_size() -> None:
    boxes = draw_cutmix(torch.empty(2000, 1, 40, 40), torch.Generator().manual_seed(0)) > 0
    heights, widths = boxes.any(2).sum(1), boxes.any(1).sum(1)
    assert torch.equal(heights * widths, boxes.sum((1, 2)))
    edges = torch.ones(40, 40, dtype=torch.bool)
    edges[1:-1, 1:-1] = False
    inner = ~(boxes & edges).any(2).any(1)
    assert ((heights - widths).abs() <= 1)[inner].all()
    assert float(boxes.any(0).float().mean()) == 1
    # Area share u and centre are uniform. Averaged over the centres, 40 columns lose a quarter of the width √u.
    assert float(widths.float().mean()) / 40 == pytest.approx(2 / 3 - 1 / 8, abs=0.02)


def test_mixup_has_a_uniform_share_for_each_image() -> None:
    shares = draw_mixup(torch.empty(2000, 1, 4, 4), torch.Generator().manual_seed(0))
    assert shares.shape == (2000, 1, 1)
    assert shares.flatten().sort().values.tolist() == pytest.approx(torch.linspace(0, 1, 2000).tolist(), abs=0.05)


@pytest.mark.parametrize("draw", [draw_mixup, draw_cutmix])
def test_a_share_of_a_batch_is_mixed(draw: Draw) -> None:
    samples = [(torch.full((1, 8, 8), float(label)), torch.tensor(label)) for label in range(10)]
    images, targets = MixPairs(draw, 0.5, seed=0)(samples)
    assert torch.equal(images[5:, 0, 0, 0], torch.arange(5.0, 10))
    assert torch.equal(targets[5:], torch.eye(10)[5:])
    for image, target in zip(images[:5], targets[:5], strict=True):
        torch.testing.assert_close(image.mean(), (target * torch.arange(10)).sum())
        assert (target > 0).sum() <= 2
    assert (targets[:5] == 1).sum() < 5
    assert (MixPairs(draw, 1.0, seed=0)(samples)[1][5:] < 1).all(1).any()
    again, other = MixPairs(draw, 0.5, seed=0)(samples)[0], MixPairs(draw, 0.5, seed=1)(samples)[0]
    assert torch.equal(again, images)
    assert not torch.equal(other, images)


@pytest.mark.parametrize("draw", [draw_mixup, draw_cutmix])
def test_covers_match_the_mixed_batches(draw: Draw) -> None:
    draws = torch.Generator().manual_seed(0)
    images, labels = torch.rand(30, 1, 8, 8, generator=draws), torch.arange(30)
    partners, shares = torch.randperm(30, generator=draws), draw(images, draws).expand(30, 8, 8)
    cover, (mixed, targets) = cover_pairs(partners, shares), mix_pairs(images, torch.eye(30), partners, shares)
    torch.testing.assert_close(_apply(cover, images), mixed)
    torch.testing.assert_close(cover.weights(), targets)
    both = comixup_batch(images, labels, images[:, 0], num_classes=30, generator=0)
    covers = list(cover_comixup(both))
    parts = zip(covers, images.split(20), both.inputs.split(20), strict=True)
    assert all(torch.allclose(_apply(cover, part), found) for cover, part, found in parts)
    torch.testing.assert_close(covers[1].weights(), both.mixing_weights[20:, 20:])
    groups = mix_in_pairs(Canvases(images, images, labels), draws, draw)
    assert [len(cover.parts) for cover in groups] == [20, 10]


def _apply(cover: Cover, images: Tensor) -> Tensor:
    return torch.einsum("mnhw,nchw->mchw", cover.parts, images)


def test_what_is_visible_by_hand() -> None:
    plates = torch.zeros(2, 1, 2, 4)
    plates[0, 0, 0, 0] = plates[0, 0, 0, 3] = 1
    plates[1, 0, 1, 1] = 1
    canvases = Canvases(plates, plates, torch.arange(2))
    boxes = torch.zeros(2, 2, 4)
    boxes[:, :, 3] = 1
    cover = cover_pairs(torch.tensor([1, 0]), boxes)
    assert cover.kept(plates).tolist() == [[0.5, 0], [0.5, 1]]
    # The first image shows half of the plate of weight ¾ and nothing of the other. The second shows all of the plate of
    # weight ¾ and half of the other.
    assert visible_share([cover], canvases) == pytest.approx((0.375 + 0.75 + 0.125) / 2)
    assert (
        visible_share([cover_unmixed(2, 4)._replace(parts=torch.eye(2)[:, :, None, None].expand(2, 2, 2, 4))], canvases)
        == 1
    )


def test_paint_and_bars() -> None:
    canvases = Canvases(*(part[:6] for part in draw_canvases(_TRAIN, seed=0)[0]))
    painted = paint(cover_unmixed(6, 40), canvases)
    assert painted.shape == (6, 40, 40, 3)
    assert painted.min() >= 0
    assert painted.max() <= 1
    axis = Figure().add_subplot()
    draw_target(axis, [0.25, 0.75, 0, 0, 0, 0], [0.5, 1, 0, 0, 0, 0])
    filled = [patch for patch in axis.patches if isinstance(patch, Rectangle) and patch.get_alpha() == 1]
    assert sum(patch.get_width() * patch.get_height() for patch in filled) == pytest.approx(0.875)
    assert [text.get_text() for text in axis.texts] == ["25%", "75%"]


def test_the_table_has_means_and_deviations() -> None:
    runs = [Run("none", seed, 1000, 0.5 + seed / 10, 0.1, 20.0 + seed, {}) for seed in range(3)]
    console = Console(width=100)
    with console.capture() as captured:
        console.print(results_table([*runs, Run("Co-Mixup", 0, 444, 0.75, 0.025, 19.0, {})]))
    rows = [line for line in captured.get().splitlines() if "none" in line or "Co-Mixup" in line]
    assert [cell.strip() for cell in rows[0].split("│")[2:6]] == ["60.0 ± 10.0", "10.0 ± 0.0", "1,000", "21"]
    assert [cell.strip() for cell in rows[1].split("│")[2:6]] == ["75.0", "2.5", "444", "19"]


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_share_the_tasks_and_report_progress(processes: int) -> None:
    shown: list[float] = []
    found = spread(work_on, [3, 1, 2], processes, prepare, shown.append)
    assert [task for task, _ in found] == [3, 1, 2]
    assert shown[-1] == 6
    assert shown == sorted(shown)
    assert (os.getpid() in {process for _, process in found}) == (processes == 1)


def test_an_error_in_a_process_is_raised_here() -> None:
    with pytest.raises(ValueError, match="no such task"):
        spread(work_on, [-1, 1], 2, prepare, lambda done: None)
