"""Numbers of 8 bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from espnet_ent.report.html.quantised import quantised, restored


@given(arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(1, 5)), elements=st.floats(0, 1, width=32)))
def test_values_come_back_within_half_a_level(values: np.ndarray) -> None:
    np.testing.assert_allclose(restored(quantised(values)), values.ravel(), atol=1 / 509)


def test_values_outside_are_clipped() -> None:
    np.testing.assert_array_equal(restored(quantised(np.array([-3.0, 7.0]))), [0, 1])
