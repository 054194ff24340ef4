"""Hidden values of joint networks as compiled loops, one pass each; imported only where numba is installed.

Each loop goes over the nodes i of a tile, whose encoder states are row ``left_rows[i]`` of ``left`` and whose
prediction states are row ``right_rows[i]`` of ``right``; both are exp(2 x). A hidden value is r = 1 / (1 + left right).

Dimensions: N nodes, J joint size.
"""

from __future__ import annotations

import numpy as np

from espnet_ent.losses.compiled import compiled

# Sums may be taken in another order, for the sake of vector instructions; values that are not finite stay so.
_ANY_ORDER = {"reassoc", "contract"}


def _hidden(
    left: np.ndarray,
    right: np.ndarray,
    left_rows: np.ndarray,
    right_rows: np.ndarray,
    one: np.floating,
    out: np.ndarray,
) -> None:
    """Fill ``out`` (N, J) with r; ``one`` is 1 in the type of the arrays, here and below."""
    for i in range(len(left_rows)):
        a, b, r = left[left_rows[i]], right[right_rows[i]], out[i]
        for j in range(out.shape[1]):
            r[j] = one / (one + a[j] * b[j])


def _add_gradients(
    d_hidden: np.ndarray,
    hidden: np.ndarray,
    left_rows: np.ndarray,
    right_rows: np.ndarray,
    one: np.floating,
    d_left: np.ndarray,
    d_right: np.ndarray,
) -> None:
    """Add d_hidden r (1 - r), a quarter of the gradients of the states, to the rows of ``d_left`` and ``d_right``."""
    for i in range(len(left_rows)):
        d, r, a, b = d_hidden[i], hidden[i], d_left[left_rows[i]], d_right[right_rows[i]]
        for j in range(hidden.shape[1]):
            gradient = d[j] * r[j] * (one - r[j])
            a[j] += gradient
            b[j] += gradient


def _one_output(
    left: np.ndarray,
    right: np.ndarray,
    left_rows: np.ndarray,
    right_rows: np.ndarray,
    one: np.floating,
    weight: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill ``out`` (N,) with the products of r and ``weight`` (J,): a network with one output keeps no r."""
    for i in range(len(left_rows)):
        a, b = left[left_rows[i]], right[right_rows[i]]
        total = one - one
        for j in range(len(weight)):
            total += weight[j] * (one / (one + a[j] * b[j]))
        out[i] = total


def _add_gradients_of_one_output(
    left: np.ndarray,
    right: np.ndarray,
    left_rows: np.ndarray,
    right_rows: np.ndarray,
    one: np.floating,
    weight: np.ndarray,
    d_out: np.ndarray,
    d_left: np.ndarray,
    d_right: np.ndarray,
    d_weight: np.ndarray,
) -> None:
    """As :func:`_add_gradients`, given ``d_out`` (N,); adds d_out r to ``d_weight`` (J,), too."""
    for i in range(len(left_rows)):
        a, b = left[left_rows[i]], right[right_rows[i]]
        d_a, d_b = d_left[left_rows[i]], d_right[right_rows[i]]
        for j in range(len(weight)):
            r = one / (one + a[j] * b[j])
            scaled = d_out[i] * r
            gradient = weight[j] * scaled * (one - r)
            d_a[j] += gradient
            d_b[j] += gradient
            d_weight[j] += scaled


_OPTIONS = {"nogil": True, "error_model": "numpy"}
hidden = compiled(_hidden, **_OPTIONS)
add_gradients = compiled(_add_gradients, **_OPTIONS)
one_output = compiled(_one_output, fastmath=_ANY_ORDER, **_OPTIONS)
add_gradients_of_one_output = compiled(_add_gradients_of_one_output, **_OPTIONS)
