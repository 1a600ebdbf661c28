from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger
from matplotlib.figure import Figure
from PIL import Image

from lightning_comixup import CoMixup
from tests.tiny import Tiny, fit


class Recorder(Logger):
    """A user's logger that records its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    @property
    def name(self) -> str:
        return "recorder"

    @property
    def version(self) -> str:
        return "0"

    @property
    def experiment(self) -> Any:
        return self

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        pass

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass


class LikeWandb(Recorder):
    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        assert isinstance(images, list)
        self.calls.append((key, images[0], step))


class LikeTensorBoard(Recorder):
    def add_figure(self, tag: str, figure: Figure, global_step: int) -> None:
        self.calls.append((tag, figure, global_step))


class LikeMlflow(Recorder):
    run_id = "run 7"

    def log_figure(self, run_id: str, figure: Figure, artifact_file: str) -> None:
        assert run_id == self.run_id
        self.calls.append((artifact_file, figure, None))


class LikeComet(Recorder):
    def log_figure(self, figure_name: str, figure: Figure, *, step: int) -> None:
        self.calls.append((figure_name, figure, step))


@pytest.mark.parametrize(
    ("logger", "names", "steps"),
    [
        (LikeWandb(), ["comixup", "comixup"], [None, None]),
        (LikeTensorBoard(), ["comixup", "comixup"], [0, 5]),
        (LikeMlflow(), ["comixup/step_0000000.png", "comixup/step_0000005.png"], [None, None]),
        (LikeComet(), ["comixup", "comixup"], [0, 5]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_loggers_get_figures_in_their_own_way(
    logger: Recorder, names: list[str], steps: list[Any], tmp_path: Path
) -> None:
    fit(Tiny(), CoMixup(seed=0, log_images_every=5), logger=logger, root=tmp_path)
    assert [call[0] for call in logger.calls] == names
    assert [call[2] for call in logger.calls] == steps
    assert all(isinstance(call[1], Figure | Image.Image) for call in logger.calls)
    assert not list(tmp_path.rglob("*.png"))


def test_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path)
    fit(Tiny(), CoMixup(seed=0, log_images_every=3), logger=logger, log_every_n_steps=1)
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    images = events.Images("comixup")
    assert [image.step for image in images] == [0, 3, 6]
    assert images[0].height > 100


@pytest.mark.parametrize("accumulate", [1, 2])
def test_without_a_logger_for_pictures_they_are_files(accumulate: int, tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    fit(
        Tiny(),
        CoMixup(seed=0, log_images_every=3),
        logger=logger,
        accumulate_grad_batches=accumulate,
        log_every_n_steps=1,
    )
    expected = [f"batch_{batch:07d}.png" for batch in (0, 3, 6)]
    assert sorted(path.name for path in (Path(logger.log_dir) / "comixup").iterdir()) == expected


def test_without_any_logger_they_are_files_of_the_run(tmp_path: Path) -> None:
    fit(Tiny(), CoMixup(seed=0, log_images_every=100), root=tmp_path)
    assert [path.name for path in (tmp_path / "comixup").iterdir()] == ["batch_0000000.png"]


def test_a_folder_of_the_users(tmp_path: Path) -> None:
    logger = LikeTensorBoard()
    fit(Tiny(), CoMixup(seed=0, log_images_every=100, images_folder=tmp_path / "a" / "b"), logger=logger)
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["batch_0000000.png"]
    assert not logger.calls


def test_a_folder_below_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # the home folder on Windows
    fit(Tiny(), CoMixup(seed=0, log_images_every=100, images_folder="~/pictures"))
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["batch_0000000.png"]


def test_the_next_mixed_batch_is_drawn_if_the_due_one_is_not_mixed(tmp_path: Path) -> None:
    module = Tiny()
    fit(module, CoMixup(seed=0, start_epoch=1, log_images_every=3), root=tmp_path, max_epochs=3)
    found = sorted(path.name for path in (tmp_path / "comixup").iterdir())
    assert found == [f"batch_{batch:07d}.png" for batch in (4, 7, 10)]


@pytest.mark.parametrize("settings", [{"fast_dev_run": True}, {"logger": CSVLogger("unused"), "fast_dev_run": 2}])
def test_fast_dev_run_leaves_no_pictures(settings: dict[str, Any], tmp_path: Path) -> None:
    fit(Tiny(), CoMixup(seed=0, log_images_every=1), root=tmp_path, **settings)
    assert not list(tmp_path.rglob("*.png"))


def test_drawing_does_not_change_the_run(tmp_path: Path) -> None:
    drawn, plain = Tiny(), Tiny()
    fit(drawn, CoMixup(seed=0, log_images_every=4), root=tmp_path)
    fit(plain)
    for found, wanted in zip(drawn.seen, plain.seen, strict=True):
        assert found[0].equal(wanted[0])


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_a_batch_with_some_mixed_groups(clean_weight: float, tmp_path: Path) -> None:
    share: dict[str, Any] = {"mixed_share": 0.5, "partition_size": 4, "clean_weight": clean_weight}
    fit(Tiny(), CoMixup(seed=0, log_images_every=1, images_folder=tmp_path, **share), limit_train_batches=3)
    assert len(list(tmp_path.glob("*.png"))) == 6
