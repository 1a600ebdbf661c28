"""The canvases of the examples."""

import torch

from examples.clutter import Clutter, scatter


def test_items_keep_their_pixels_at_places_of_their_own() -> None:
    items = torch.arange(1, 6 * 2 * 4 * 3 + 1).view(6, 2, 4, 3)
    canvases = scatter(items, Clutter(9, 0, 2), torch.Generator().manual_seed(0))
    assert canvases.shape == (6, 2, 9, 9)
    places = set()
    for canvas, item in zip(canvases, items, strict=True):
        found = [
            (top, left)
            for top in range(6)
            for left in range(7)
            if torch.equal(canvas[:, top : top + 4, left : left + 3], item)
        ]
        assert len(found) == 1
        assert canvas.sum() == item.sum()
        places.add(found[0])
    assert len(places) > 2


def test_scraps_are_pieces_of_other_items() -> None:
    items = torch.eye(3).view(3, 3, 1, 1).expand(3, 3, 5, 5)  # each item has its own channel
    canvases = scatter(items, Clutter(40, 1, 2), torch.Generator().manual_seed(1))
    for own, canvas in enumerate(canvases):
        areas = canvas.sum((1, 2)).tolist()
        assert areas[own] == 25
        assert sorted(areas)[0] == 0
        assert sorted(areas)[1] in (0, 4)  # the scrap of another item
    assert canvases.sum() == 3 * (25 + 4)
