"""The arrays that the kernels of the descent share, and the names of their rows.

Kernels take plain arrays, always in this order. Numba would count references to every array of a named tuple at each
call, and does so where a kernel returns early: either takes several times as long as the work.

The problem of one group:

    cost        (cells, N) the unary with the prior added
    matrices    (2, N, N) the compatibility matrix A, and its transpose
    neighbours  (cells, 2 d) the cells beside each cell, -1 beyond the border
    weights     (WEIGHTS,) the hyper-parameters, scaled by the number of cells

The labeling of its M outputs, and what follows from it:

    labels      (2, M, cells) the two inputs that each cell is the mean of, the lower first; whole cells have one twice
    uses        (4, M, N) how much each output uses each input: the rows named below
    inputs      (INPUT_ROWS, N) what is known of each input

What the output at hand would pay, and lists of inputs:

    prices      (PRICE_ROWS, N)
    lists       (LISTS, N)
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Of `matrices`.
A: Final = 0
TRANSPOSED: Final = 1

# Of `weights`.
SMOOTHNESS: Final = 0  # β/S
DIVERSITY: Final = 1  # γ/S
CAPACITY: Final = 2  # τ·S: how much of an input others may use before an output pays
SOFT: Final = 3  # 1: soft thresholding, 0: hard
PRIOR: Final = 4  # η/S
SWEEPS: Final = 5
RESOLVE: Final = 6  # 1: resolve duplicates
WEIGHTS: Final = 7

# Of `uses`, with c_j the counts of output j.
COUNT: Final = 0  # c_j: cells from each input
LOAD: Final = 1  # A c_j: what the output adds to the load that the others see
PAYS: Final = 2  # Aᵀ c_j: what it pays for each cell of an input that the others use, once they exceed the capacity
EXTRA: Final = 3  # what resolving duplicates adds to the price of a cell

# Of `inputs`.
TOTAL: Final = 0  # Σ_j c_j
TOTAL_LOAD: Final = 1  # Σ_j A c_j
LOWEST: Final = 2  # the lowest cost over the cells
HIGHEST: Final = 3  # the highest
PAID: Final = 4  # the diversity term, input by input
ROOM: Final = 5  # how many cells others may use before an output pays; `local_search` sets this row and all below
UNIT: Final = 6
MORE: Final = 7
LESS: Final = 8
HALF_LESS: Final = 9
GIVE: Final = 10
GIVE_HALF: Final = 11
INPUT_ROWS: Final = 12

# Of `prices`.
PRICE: Final = 0  # what a cell of each input costs besides its own cost
SAVED: Final = 1  # what each input saves along the edges of the cell at hand; zero between two cells
PRICE_ROWS: Final = 2

# Of `lists`.
OPEN: Final = 0  # the inputs that some cell might take, at the front
MOST_USED: Final = 1  # the inputs whose half labels are offered, the most used first
LISTS: Final = 2
