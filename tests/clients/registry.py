"""All clients."""

from __future__ import annotations

from tests.clients import images
from tests.clients.base import Client

CLIENTS: list[Client] = [*images.CLIENTS]
