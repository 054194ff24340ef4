"""The curve of UA against WER as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.metrics.bootstrap import LEVEL
from espnet_ent.metrics.scoring import to_json
from espnet_ent.report.document import Block, Heading, Paragraph, Table
from espnet_ent.report.figures import count, interval_percent, percent
from espnet_ent.report.picture import write_picture
from espnet_ent.report.results_md import write_document
from espnet_ent.report.wer_curve import DECODED, CurvePoint, WerCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE, _STAR, _INK = "#4477aa", "#ee6677", "#333333"
FILES = ("wer_curve.json", "wer_curve.md", "wer_curve.png")


def write_wer_curve(out: str | Path, curve: WerCurve, system: str) -> list[Block]:
    """Write ``wer_curve.json``, ``.md`` and ``.png``; files that tell the same are left alone.

    Args:
        out: Directory.
        curve: The curve.
        system: Name of the system.

    Returns:
        The report.
    """
    blocks = curve_blocks(curve, system)
    content = to_json({"system": system, **curve.to_dict()})
    path = Path(out, FILES[0])
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        atomic_write_text(path, content)
    write_picture(Path(out, FILES[2]), _figure(curve, system))
    write_document(Path(out, FILES[1]), [*blocks, Paragraph(f"![UA against WER]({FILES[2]})")])
    return blocks


def curve_blocks(curve: WerCurve, system: str) -> list[Block]:
    """The report: one row for each text."""
    several = any(len(point.by_seed) > 1 for point in curve.points)
    header = ["text given to the emotion head", "WER", f"UA [{100 * LEVEL:g} % CI]"] + ["seeds: UA from, to"] * several
    rows = [tuple(_row(point, several)) for point in curve.points]
    size = f"{count(curve.num_utterances, 'utterance')} of {count(curve.num_speakers, 'speaker')}"
    blocks: list[Block] = [
        Heading(f"UA against the WER of the text, set {curve.set_name}", level=1),
        Paragraph(f"{system}; {size}; in %, intervals over speakers."),
        Table(tuple(header), tuple(rows)),
    ]
    if curve.slope is not None:
        change = 10 * curve.slope
        direction = "falls" if change < 0 else "rises"
        blocks.append(
            Paragraph(
                f"For 10 points of WER, UA {direction} by {abs(change):.2f} points (least squares "
                "over reference and corrupted texts). Errors fall on words at random."
            )
        )
    return blocks


def _row(point: CurvePoint, several: bool) -> Sequence[str]:
    title = point.name if not point.target else f"reference with {100 * point.target:g} % errors"
    recalls = [ua for _, ua in point.by_seed]
    row = [title, percent(point.wer), interval_percent(point.ua, point.interval)]
    return [*row, f"{percent(min(recalls))}, {percent(max(recalls))}"] if several else row


def _figure(curve: WerCurve, system: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=110, layout="constrained")
    axes = figure.subplots()
    given = sorted((point for point in curve.points if point.name != DECODED), key=lambda point: point.wer)
    places = [100 * point.wer for point in given]
    if all(point.interval for point in given):
        low, high = ([100 * point.interval[side] for point in given] for side in (0, 1))
        axes.fill_between(places, low, high, color=_LINE, alpha=0.15, linewidth=0, label=f"{100 * LEVEL:g} % CI")
    axes.plot(places, [100 * point.ua for point in given], color=_LINE, marker="o", label="reference, with errors")
    seeds = [(wer, ua) for point in given if len(point.by_seed) > 1 for wer, ua in point.by_seed]
    if seeds:
        axes.scatter(*zip(*((100 * wer, 100 * ua) for wer, ua in seeds), strict=True), s=9, color=_INK, label="seeds")
    for point in curve.points:
        if point.name == DECODED:
            _star(axes, point)
    axes.set(xlabel="WER of the text given to the emotion head (%)", ylabel="UA (%)")
    axes.set_title(f"{system}, set {curve.set_name}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    return figure


def _star(axes: Axes, point: CurvePoint) -> None:
    """The decoded text, with its interval."""
    error = None
    if point.interval is not None:
        error = [[100 * max(0.0, point.ua - point.interval[0])], [100 * max(0.0, point.interval[1] - point.ua)]]
    star = {"color": _STAR, "marker": "*", "markersize": 13, "linestyle": "none", "capsize": 3}
    axes.errorbar([100 * point.wer], [100 * point.ua], yerr=error, label="decoded text", **star)
