"""Classifiers of audio and time series."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from tests.clients.base import Client, Score
from tests.clients.data import CLASSES, make_labels, make_loader, make_series


class SignalModule(L.LightningModule):
    """A classifier of signals. Subclasses add the network."""

    def __init__(self) -> None:
        super().__init__()
        self.train_acc = MulticlassAccuracy(CLASSES, average="micro")

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.train_acc(logits, y)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class SpectrogramNet(SignalModule):
    """Log-mel spectrograms (B, 1, mel, T), treated as images."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d((2, 8))
        )
        self.fc = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.cnn(x).flatten(1))
        return logits


class SeriesNet(SignalModule):
    """One-dimensional convolutions on series (B, C, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv1d(3, 8, 7, stride=2, padding=3), nn.BatchNorm1d(8), nn.ReLU())
        self.out = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(F.adaptive_avg_pool1d(self.conv(x), 8).flatten(1))
        return logits


class SeriesGRU(SignalModule):
    """A recurrent network on series (B, T, C), with features last."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 12, batch_first=True)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        logits: Tensor = self.head(states.amax(1))
        return logits


class SeriesTransformer(SignalModule):
    """Attention on windows (B, T, C) of sensor data."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(self.embed(x)).mean(1))
        return logits


class WaveformNet(SignalModule):
    """Mono audio (B, T). The network itself adds the channel."""

    def __init__(self) -> None:
        super().__init__()
        self.frontend = nn.Sequential(nn.Conv1d(1, 6, 9, stride=4, padding=4), nn.ReLU(), nn.AdaptiveMaxPool1d(8))
        self.classifier = nn.Linear(48, CLASSES)

    def forward(self, waveform: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.frontend(waveform.unsqueeze(1)).flatten(1))
        return logits


def spectrograms() -> Any:
    series, labels = make_series(channels=12, length=32)
    return make_loader((series.abs().add(1e-3).log().unsqueeze(1), labels))


def channels_first() -> Any:
    return make_loader(make_series())


def channels_last() -> Any:
    series, labels = make_series()
    return make_loader((series.transpose(1, 2).contiguous(), labels))


def waveforms() -> Any:
    return make_loader((make_series(channels=1)[0].squeeze(1), make_labels()))


_LOGGED: dict[str, Any] = {"scores": (Score("train/acc", "train_acc"),), "loss_key": "train/loss"}
_LAST: dict[str, Any] = {"settings": {"channel_dim": -1}, "lines": 1, "needed": "`channel_dim=-1`", **_LOGGED}
CLIENTS = [
    Client("spectrogram", "audio: spectrograms (B, 1, mel, T)", SpectrogramNet, spectrograms, **_LOGGED),
    Client("series_first", "time series (B, C, T), `Conv1d`", SeriesNet, channels_first, **_LOGGED),
    Client("series_last", "time series (B, T, C), `GRU`", SeriesGRU, channels_last, **_LAST),
    Client("sensor_windows", "windows of sensors (B, T, C), attention", SeriesTransformer, channels_last, **_LAST),
    Client(
        "series_last_default",
        "time series (B, T, C), the callback alone",
        SeriesGRU,
        channels_last,
        lines=1,
        refusal="channel_dim",
        needed="it is not clear where the channels are: set `channel_dim=-1`",
    ),
    Client(
        "waveform",
        "audio: mono (B, T)",
        WaveformNet,
        waveforms,
        settings={"channel_dim": None},
        lines=1,
        needed="`channel_dim=None`",
        **_LOGGED,
    ),
    Client(
        "waveform_default",
        "audio: mono (B, T), the callback alone",
        WaveformNet,
        waveforms,
        lines=1,
        refusal="channel_dim",
        needed="there are no channels: set `channel_dim=None`",
    ),
]
