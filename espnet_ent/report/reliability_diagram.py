"""The picture of how far probabilities are from how often they are right (Guo et al. 2017, figure 1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_ent.metrics.reliability import Reliability
from espnet_ent.report.confidence import UNITS
from espnet_ent.report.figures import count
from espnet_ent.report.picture import write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RIGHT, _TOO_SURE, _UNSURE, _COUNT, _INK = "#4477aa", "#ee6677", "#ccbb44", "#bbbbbb", "#333333"
_INCHES = (4.2, 4.6)
_DPI = 110


def write_reliability_diagram(path: str | Path, results: Mapping[str, Any]) -> bool:
    """Draw what ``results.json`` tells of confidence, unless the file shows the same already.

    Without such scores there is no file, and one of an earlier run is removed.

    Args:
        path: PNG file.
        results: The content of a ``results.json``.

    Returns:
        Whether the file changed.
    """
    path = Path(path)
    calibration = results["calibration"]
    shown = [unit for unit in UNITS if calibration is not None and calibration[unit] is not None]
    if not shown:
        is_there = path.is_file()
        path.unlink(missing_ok=True)
        return is_there
    return write_picture(path, _figure(results["set"], calibration, shown))


def _figure(set_name: str, calibration: Mapping[str, Any], shown: list[str]) -> Figure:
    """A row for each unit: before the temperature on the left, after it on the right."""
    from matplotlib.figure import Figure

    columns = 2 if any(calibration[unit]["after"] is not None for unit in shown) else 1
    size = (_INCHES[0] * columns, _INCHES[1] * len(shown))
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    figure.suptitle(f"Confidence of emotions, set {set_name}", fontsize=13)
    rows = figure.subfigures(len(shown), 1, squeeze=False)[:, 0]
    for row, unit in zip(rows, shown, strict=True):
        samples = calibration[unit]
        row.suptitle(count(samples["num_samples"], unit.removesuffix("s")), fontsize=11)
        axes = row.subplots(2, columns, squeeze=False, sharex=True, height_ratios=(4, 1))
        _draw(axes[:, 0], Reliability.from_dict(samples["before"]), "raw")
        if samples["after"] is not None:
            title = f"temperature {samples['temperature']:.2f}, fitted on {calibration['fitted_on']}"
            _draw(axes[:, 1], Reliability.from_dict(samples["after"]), title)
        elif columns == 2:
            for empty in axes[:, 1]:
                empty.set_axis_off()
            message = f"no temperature:\n{calibration['fitted_on']} tells no\nemotion of {unit}"
            axes[0, 1].text(0.5, 0.5, message, ha="center", va="center", color=_INK)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2 * columns, fontsize=8)
    return figure


def _draw(axes: tuple[Axes, Axes], reliability: Reliability, title: str) -> None:
    """Accuracy by confidence above, the share of the samples below."""
    above, below = axes
    width = 1 / len(reliability.bins)
    filled = [(place, one) for place, one in enumerate(reliability.bins) if one.count]
    middles = [(place + 0.5) * width for place, _ in filled]
    bars = {"width": width * 0.94, "linewidth": 0}
    # Solid up to the lower of accuracy and confidence, hatched to the higher.
    lower = [min(one.accuracy, one.confidence) for _, one in filled]
    above.bar(middles, lower, color=_RIGHT, label="accuracy", **bars)
    for label, color, sign in (("confidence above accuracy", _TOO_SURE, -1), ("accuracy above confidence", _UNSURE, 1)):
        gaps = [max(0.0, sign * one.gap) for _, one in filled]
        hatched = {"facecolor": color + "66", "edgecolor": color, "hatch": "////" if sign < 0 else "\\\\\\\\"}
        above.bar(middles, gaps, bottom=lower, label=label, **hatched, **bars)
    above.plot([0, 1], [0, 1], color=_INK, linestyle="--", linewidth=1, label="calibrated")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    above.set_title(title, fontsize=10)
    score = f"ECE {100 * reliability.ece:.1f} %\nNLL {reliability.nll:.3f}\nBrier {reliability.brier:.3f}"
    box = {"facecolor": "white", "edgecolor": _COUNT, "boxstyle": "round"}
    above.text(0.03, 0.97, score, transform=above.transAxes, va="top", fontsize=8, bbox=box)
    shares = [one.count for _, one in filled]
    below.bar(middles, shares, color=_COUNT, **bars)
    for middle, number in zip(middles, shares, strict=True):
        below.annotate(str(number), (middle, number), (0, 1), textcoords="offset points", ha="center", fontsize=6)
    below.set(xlabel="confidence (top probability)", ylabel="count", ylim=(0, 1.3 * max(shares)))
    below.yaxis.get_major_locator().set_params(integer=True, nbins=3)
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=8)
