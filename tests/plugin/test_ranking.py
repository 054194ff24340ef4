import math

import pytest

from espnet_ent.errors import ConfigError
from espnet_ent.plugin.ranking import check_statistic, is_patience_over, parse_criteria, rank_epochs

LOSS, ACC = ("valid", "loss", "min"), ("valid", "acc", "max")


def stats(losses, **others):
    return {
        e: {"valid": {"loss": v, "acc": -v, "time": 0.0} | others.get(f"e{e}", {})} for e, v in enumerate(losses, 1)
    }


def test_best_first_and_the_earlier_of_equals():
    assert rank_epochs(stats([3.0, 1.0, 2.0, 1.0]), LOSS) == [2, 4, 3, 1]
    assert rank_epochs(stats([3.0, 1.0, 2.0, 1.0]), ACC) == [2, 4, 3, 1]


def test_an_epoch_that_skipped_batches_is_never_better_than_one_that_did_not():
    assert rank_epochs(stats([0.1, 5.0, 0.2], e1={"nonfinite_batches": 1.0}), LOSS) == [3, 2, 1]


def test_values_that_are_not_finite_come_last():
    assert rank_epochs(stats([math.nan, 2.0, -math.inf, 1.0]), LOSS) == [4, 2, 1, 3]


def test_epochs_without_the_statistic_are_left_out():
    values = stats([3.0, 1.0])
    del values[1]["valid"]["acc"]
    assert rank_epochs(values, ACC) == [2]


@pytest.mark.parametrize(
    "bad", [["valid", "loss"], ["valid", "loss", "less"], ["test", "loss", "min"], "loss", [1, 2, 3]]
)
def test_malformed_criteria_are_refused_with_the_option(bad):
    with pytest.raises(ConfigError, match="best_model_criterion: malformed"):
        parse_criteria([bad], "best_model_criterion")


def test_a_statistic_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="names no statistic; expected for example valid loss"):
        check_statistic(stats([1.0]), 1, "valid", "los", "best_model_criterion")
    with pytest.raises(ConfigError, match="names no statistic"):
        check_statistic(stats([1.0]), 1, "valid", "time", "best_model_criterion")
    check_statistic(stats([1.0]), 1, "valid", "loss", "best_model_criterion")


def test_patience_counts_epochs_since_the_best():
    values = stats([1.0, 2.0, 3.0])
    assert not is_patience_over(values, 3, 2, LOSS)
    assert is_patience_over(values, 3, 1, LOSS)
