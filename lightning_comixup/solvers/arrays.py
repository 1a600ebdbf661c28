"""The arrays that the kernels of the descent share, and the names of their rows.

Kernels receive plain arrays, always in this order. With a named tuple, Numba would count references to each of its
arrays at every call, as it also does where a kernel returns early. Either takes several times as long as the work
itself.

The problem of one group:

    cost        (cells, N) the unary with the prior added
    matrices    (2, N, N) the compatibility matrix A, and its transpose
    neighbours  (cells, 2 d) the cells beside each cell, -1 beyond the border
    weights     (WEIGHTS,) the hyper-parameters, scaled by the number of cells

The labeling of its M outputs, and quantities derived from it:

    labels      (2, M, cells) the two inputs that each cell averages, the lower first; in a whole cell they are equal
    uses        (4, M, N) how much each output uses each input: the rows named below
    inputs      (INPUT_ROWS, N) quantities of each input: the rows named below

Prices for the current output, and lists of inputs:

    prices      (PRICE_ROWS, N)
    lists       (LISTS, N)
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Rows of `matrices`.
A: Final = 0
TRANSPOSED: Final = 1

# Entries of `weights`.
SMOOTHNESS: Final = 0  # β/S
DIVERSITY: Final = 1  # γ/S
CAPACITY: Final = 2  # τ·S: how much of an input others may use before an output is penalised for using it
SOFT: Final = 3  # 1: soft thresholding, 0: hard
PRIOR: Final = 4  # η/S
SWEEPS: Final = 5
RESOLVE: Final = 6  # 1: resolve duplicates
WEIGHTS: Final = 7

# Rows of `uses`, with c_j the counts of output j.
COUNT: Final = 0  # c_j: cells from each input
LOAD: Final = 1  # A c_j: the output's contribution to the load that the others see
PENALTY: Final = 2  # Aᵀ c_j: its penalty per cell of an input that the others use, once these exceed the capacity
EXTRA: Final = 3  # the amount that resolving duplicates adds to the price of a cell

# Rows of `inputs`.
TOTAL: Final = 0  # Σ_j c_j
TOTAL_LOAD: Final = 1  # Σ_j A c_j
LOWEST: Final = 2  # the lowest cost over the cells
HIGHEST: Final = 3  # the highest
TERM: Final = 4  # the diversity term, split by input
ROOM: Final = 5  # how many cells others may use before a penalty starts; `local_search` sets this row and all below
UNIT: Final = 6
MORE: Final = 7
LESS: Final = 8
HALF_LESS: Final = 9
GIVE: Final = 10
GIVE_HALF: Final = 11
INPUT_ROWS: Final = 12

# Rows of `prices`.
PRICE: Final = 0  # the cost of a cell of each input in addition to its own cost
SAVED: Final = 1  # the saving of each input along the edges of the current cell; reset to zero after each cell
PRICE_ROWS: Final = 2

# Rows of `lists`.
OPEN: Final = 0  # the inputs that some cell might take, at the front of the row
MOST_USED: Final = 1  # the inputs whose half labels are offered, the most used first
LISTS: Final = 2
