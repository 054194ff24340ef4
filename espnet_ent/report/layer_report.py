"""Probes of an encoder's layers, and its learned layer weights, as a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.metrics.bootstrap import LEVEL
from espnet_ent.metrics.scoring import to_json
from espnet_ent.report.document import Block, Heading, Paragraph, Table
from espnet_ent.report.experiment import read_json
from espnet_ent.report.figures import UNDEFINED, count, interval_percent, percent
from espnet_ent.report.layer_probe import LayerReport, LayerScore
from espnet_ent.report.picture import write_picture
from espnet_ent.report.results_md import write_document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILES = ("layers.json", "layers.md", "layers.png")
_COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
_TITLES = {"mean": "mean over time", "mean_sd": "mean and sd"}


def write_layers(
    out: str | Path, report: LayerReport, system: str, made_from: Sequence[str] | None = None
) -> list[Block]:
    """Write ``layers.json``, ``.md`` and ``.png``; files that tell the same are left alone.

    Args:
        out: Directory.
        report: The probes.
        system: Name of the system.
        made_from: Digests of what went in, to be told in ``layers.json``.

    Returns:
        The report as blocks.
    """
    blocks = layer_blocks(report, system)
    write_picture(Path(out, FILES[2]), _figure(report, system))
    write_document(Path(out, FILES[1]), [*blocks, Paragraph(f"![UA by layer]({FILES[2]})")])
    # Last: where it is, the others are.
    content = to_json({"system": system, "made_from": made_from, **report.to_dict()})
    path = Path(out, FILES[0])
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        atomic_write_text(path, content)
    return blocks


def is_layers_of(out: str | Path, made_from: Sequence[str]) -> bool:
    """Whether a report of the same lies there already.

    Raises:
        ScoringError: If ``layers.json`` is damaged.
    """
    path = Path(out, FILES[0])
    return path.is_file() and read_json(path, f"remove {path}").get("made_from") == list(made_from)


def layer_blocks(report: LayerReport, system: str) -> list[Block]:
    """The report: one row for each layer."""
    has_eder = report.frame_labels is not None
    interval = f"[{100 * LEVEL:g} % CI]"
    header = ["layer", f"UA, mean {interval}", f"UA, mean and sd {interval}"]
    header += [f"EDER, frames {interval}"] * has_eder + [f"weight in {name}" for name in report.mixes]
    rows = [tuple(_row(score, has_eder, report.mixes)) for score in report.scores]
    sizes = report.num_utterances
    test = f"{count(sizes['test'], 'utterance')} of {count(report.num_test_speakers, 'speaker')}"
    blocks: list[Block] = [
        Heading(f"Layers of {system}, set {report.sets['test']}", level=1),
        Paragraph(
            f"Linear probes, fitted on {report.sets['train']} ({count(sizes['train'], 'utterance')}), regularisation "
            f"chosen on {report.sets['dev']} ({count(sizes['dev'], 'utterance')}), scored on {report.sets['test']} "
            f"({test}); in %, intervals over speakers."
        ),
        Table(tuple(header), tuple(rows)),
    ]
    if has_eder:
        labels = "their utterance" if report.frame_labels == "utterance" else "emo_segments"
        blocks.append(
            Paragraph(
                f"Frame probes learned the emotions of {labels}; nothing smooths their timelines. All neutral: EDER "
                f"{percent(report.all_neutral)}."
            )
        )
    if any(name.endswith("(attention)") for name in report.mixes):
        blocks.append(Paragraph("Weights of an attention are means over the test set."))
    if report.shared_speakers:
        number = count(len(report.shared_speakers), "speaker")
        blocks.append(Paragraph(f"Not speaker-independent: {number} of the test set occur in training or development."))
    return blocks


def _row(score: LayerScore, has_eder: bool, mixes: Mapping[str, Mapping[int, float]]) -> list[str]:
    row = [str(score.number)]
    row += [interval_percent(score.ua[pooling], score.ua_interval[pooling]) for pooling in _TITLES]
    row += [interval_percent(score.eder, score.eder_interval)] * has_eder
    return row + [percent(mix[score.number]) if score.number in mix else UNDEFINED for mix in mixes.values()]


def _figure(report: LayerReport, system: str) -> Figure:
    """UA above; below it EDER and weights, where there are such."""
    from matplotlib.figure import Figure

    has_eder, has_mixes = report.frame_labels is not None, bool(report.mixes)
    num_rows = 1 + has_eder + has_mixes
    figure = Figure(figsize=(6.4, 1.2 + 2.5 * num_rows), dpi=110, layout="constrained")
    rows = figure.subplots(num_rows, 1, squeeze=False, sharex=True)[:, 0]
    for place, (pooling, title) in enumerate(_TITLES.items()):
        values = [(score.number, score.ua[pooling], score.ua_interval[pooling]) for score in report.scores]
        _line(rows[0], values, label=title, color=_COLORS[place])
    rows[0].set(ylabel="UA (%)")
    rows[0].set_title(f"{system}, set {report.sets['test']}: linear probes", fontsize=10)
    if has_eder:
        values = [(score.number, score.eder, score.eder_interval) for score in report.scores]
        _line(rows[1], values, label="frames", color=_COLORS[2])
        rows[1].axhline(100 * report.all_neutral, color="#999999", linestyle="--", linewidth=1, label="all neutral")
        rows[1].set(ylabel="EDER (%)")
    if has_mixes:
        _bars(rows[-1], report.mixes)
    numbers = [score.number for score in report.scores]
    rows[-1].set(xlabel="layer", xticks=numbers)
    for axes in rows:
        axes.grid(alpha=0.3, axis="y")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    return figure


def _line(axes: Axes, values: Sequence[tuple[int, float, Any]], label: str, color: str) -> None:
    numbers = [number for number, _, _ in values]
    axes.plot(numbers, [100 * value for _, value, _ in values], marker="o", color=color, label=label)
    if all(interval is not None for _, _, interval in values):
        low, high = ([100 * interval[side] for _, _, interval in values] for side in (0, 1))
        axes.fill_between(numbers, low, high, color=color, alpha=0.12, linewidth=0)


def _bars(axes: Axes, mixes: Mapping[str, Mapping[int, float]]) -> None:
    width = 0.8 / len(mixes)
    for place, (name, mix) in enumerate(mixes.items()):
        offset = (place - (len(mixes) - 1) / 2) * width
        places, heights = [number + offset for number in mix], [100 * weight for weight in mix.values()]
        axes.bar(places, heights, width=width * 0.95, color=_COLORS[place % len(_COLORS)], label=name)
    axes.set(ylabel="learned weight (%)")
