from __future__ import annotations

import numpy as np
import torch

from examples.evaluation.component import box_of, largest_component


def _mask(drawing: str) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.array([[letter == "#" for letter in line] for line in drawing.split()])


def test_the_larger_of_two() -> None:
    drawing = """
        ##.....
        ##..###
        ....###
        .......
    """
    assert largest_component(_mask(drawing)).tolist() == [4, 1, 7, 3]


def test_diagonal_neighbours_are_connected() -> None:
    drawing = """
        ##....
        ##....
        ......
        ...##.
        ..#...
        .##...
    """
    assert largest_component(_mask(drawing)).tolist() == [1, 3, 5, 6]


def test_a_ring_counts_with_what_it_encloses() -> None:
    drawing = """
        #####..####
        #...#..####
        #.#.#..####
        #...#..####
        #####..####
        ...........
    """  # the ring has 16 pixels and with its inside 25, the block has 20
    assert largest_component(_mask(drawing)).tolist() == [0, 0, 5, 5]


def test_the_threshold_is_a_share_of_the_maximum() -> None:
    heat = torch.tensor([[0.0, 0.25, 0.3, 1.0, 0.0]])
    assert box_of(heat, 0.25).tolist() == [2, 0, 4, 1]
    assert box_of(heat, 0.2).tolist() == [1, 0, 4, 1]
    assert box_of(heat / 2, 0.2).tolist() == [1, 0, 4, 1]


def test_the_map_has_eight_bits() -> None:
    # A quarter of 255 is rounded down to 63. So is 63.9, which is therefore not above the threshold.
    heat = torch.tensor([[63.9, 64.1, 255, 0]]) / 255
    assert box_of(heat, 0.25).tolist() == [1, 0, 3, 1]


def test_a_map_that_points_nowhere() -> None:
    assert box_of(torch.zeros(4, 4), 0.25).tolist() == [0, 0, 1, 1]
