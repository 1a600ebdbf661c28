"""All clients."""

from __future__ import annotations

from tests.clients import (
    binary_and_regression,
    containers,
    geospatial_and_medical,
    heads,
    hugging_face_like,
    images,
    losses,
    metrics,
    optimization,
    self_supervised,
    signals,
    steps,
    two_labels,
)
from tests.clients.base import Client

CLIENTS: list[Client] = [
    *images.CLIENTS,
    *heads.CLIENTS,
    *two_labels.CLIENTS,
    *losses.CLIENTS,
    *metrics.CLIENTS,
    *containers.CLIENTS,
    *geospatial_and_medical.CLIENTS,
    *signals.CLIENTS,
    *binary_and_regression.CLIENTS,
    *self_supervised.CLIENTS,
    *hugging_face_like.CLIENTS,
    *steps.CLIENTS,
    *optimization.CLIENTS,
]
