"""Matrix products against torch's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.transducer.products import half_product, product

sizes = st.integers(1, 70)


@settings(max_examples=40, deadline=None)
@given(sizes, sizes, sizes, st.booleans(), st.booleans(), st.sampled_from([torch.float32, torch.float64]))
def test_a_product_is_torchs(n, m, k, is_transposed, has_bias, dtype) -> None:
    """Of factors in any layout: the backward pass multiplies transposed ones."""
    generator = torch.Generator().manual_seed(n + 71 * m)
    left = torch.randn((k, n) if is_transposed else (n, k), generator=generator, dtype=dtype)
    right = torch.randn((k, m) if is_transposed else (m, k), generator=generator, dtype=dtype)
    left, right = (left.t(), right.t()) if is_transposed else (left, right)
    bias = torch.randn(m, generator=generator, dtype=dtype) if has_bias else None
    expected = left.double() @ right.double().t()
    expected = expected if bias is None else expected + bias
    found = product(left, right, bias)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


def test_a_bias_of_minus_infinity_stays() -> None:
    found = product(torch.ones(20, 8), torch.zeros(16, 8), torch.full((16,), -torch.inf))
    assert (found == -torch.inf).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_factors_and_not_sums(dtype) -> None:
    left, right = torch.full((1, 4096), 1.0), torch.full((1, 4096), 1.0 + 2**-12)
    assert half_product(left, right, dtype).item() == 4096.0  # the factor is rounded to 1; the sum of ones is exact
    assert half_product(left, left, dtype, torch.tensor([0.5])).item() == 4096.5
