"""The reporter's state as plain data, and the lines that a training run logs."""

from __future__ import annotations

import datetime
from typing import Any

from espnet2.train.reporter import Reporter

from espnet_ent.plugin.ranking import NONFINITE

_TIME = "time"
_SHOWN = ("loss", "acc_emotion", "ua_teacher_forced")


def reporter_state(reporter: Reporter) -> dict[str, Any]:
    """The reporter's state in plain numbers, durations in seconds.

    ESPnet's own holds NumPy scalars and durations, which can't be loaded without running code.
    """
    stats = {
        epoch: {phase: {name: _plain(value) for name, value in values.items()} for phase, values in phases.items()}
        for epoch, phases in reporter.stats.items()
    }
    return {"epoch": reporter.get_epoch(), "stats": stats}


def _plain(value: Any) -> int | float:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value if type(value) is int else float(value)


def restore_reporter(reporter: Reporter, state: dict[str, Any]) -> None:
    """Give a reporter the state that :func:`reporter_state` took."""
    for phases in state["stats"].values():
        for values in phases.values():
            values[_TIME] = datetime.timedelta(seconds=values[_TIME])
    reporter.load_state_dict(state)


def epoch_line(reporter: Reporter, max_epoch: int, seconds_per_epoch: float) -> str:
    """What to tell of the epoch that has just ended."""
    epoch = reporter.get_epoch()
    shown = [("train", "loss"), *(("valid", name) for name in _SHOWN)]
    values = [f"{p} {n} {reporter.get_value(p, n):.3f}" for p, n in shown if reporter.has(p, n)]
    for phase in ("train", "valid"):
        skipped = int(reporter.get_value(phase, NONFINITE))
        if skipped:
            values.append(f"{phase} skipped {skipped} batches that are not finite")
    left = seconds_per_epoch * (max_epoch - epoch)
    return (
        f"epoch {epoch}/{max_epoch}: {', '.join(values)} ({seconds_per_epoch:.1f} s an epoch, {_duration(left)} left)"
    )


def _duration(seconds: float) -> str:
    """A duration to be read at a glance."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
