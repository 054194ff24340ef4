import datetime

import numpy as np
import pytest
from espnet2.train.reporter import Reporter

from espnet_ent.plugin.reporting import epoch_line, reporter_state, restore_reporter


@pytest.fixture
def reporter():
    reporter = Reporter()
    reporter.set_epoch(1)
    for phase in ("train", "valid"):
        with reporter.observe(phase) as sub_reporter:
            sub_reporter.register({"loss": 2.5}, 3)
            sub_reporter.register({"grad_norm": np.float64(1.5), "nonfinite_batches": 0.0})
            sub_reporter.next()
    return reporter


def test_the_state_is_plain_and_restores_what_espnet_expects(reporter):
    state = reporter_state(reporter)
    values = state["stats"][1]["train"]
    assert {type(value) for value in values.values()} == {int, float}
    other = Reporter()
    restore_reporter(other, state)
    assert other.get_epoch() == 1
    assert other.get_value("train", "loss") == 2.5
    assert isinstance(other.get_value("train", "time"), datetime.timedelta)
    assert other.get_value("train", "total_count") == 1


@pytest.mark.parametrize(
    ("max_epoch", "seconds", "left"), [(1, 5, "0 s"), (10, 6, "54 s"), (21, 30, "10 min"), (126, 60, "2 h 5 min")]
)
def test_the_line_of_an_epoch_tells_losses_pace_and_what_is_left(reporter, max_epoch, seconds, left):
    assert epoch_line(reporter, max_epoch, seconds) == (
        f"epoch 1/{max_epoch}: train loss 2.500, valid loss 2.500 ({seconds:.1f} s an epoch, {left} left)"
    )
