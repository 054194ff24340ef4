"""The report of an experiment: all of its scored sets in one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnet_ent.data.provenance import PROVENANCE, digest_data_dir
from espnet_ent.errors import AudioError, ConfigError, ScoringError
from espnet_ent.report.experiment import Experiment, ScoredResults, read_experiment, read_json
from espnet_ent.report.figures import count
from espnet_ent.report.html.audio_tracks import AudioOptions, AudioTracks
from espnet_ent.report.html.lattices import LatticeSource
from espnet_ent.report.html.learning_curves import read_learning_curves
from espnet_ent.report.html.page import PageData
from espnet_ent.report.html.set_view import SetView


@dataclass(frozen=True)
class ReportOptions:
    """What a report holds.

    Attributes:
        sets: Names of the sets; none: all that are scored.
        inference_tag: Name of the decoding; None: all.
        details: For how many utterances, worst first, there is more than the line in the table.
        audio: How sound gets in.
        lattices: Of how many utterances of each set, worst first, the emotion lattice is computed.
        device: Where to compute lattices.

    Raises:
        ConfigError: If a number is negative.
    """

    sets: tuple[str, ...] = ()
    inference_tag: str | None = None
    details: int = 300
    audio: AudioOptions = field(default_factory=AudioOptions)
    lattices: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("details", "lattices"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} out of range", expected="0 or more", got=getattr(self, name))


def run_page(
    experiment: str | Path, data: str | Path, options: ReportOptions | None = None, beside: str | Path = "."
) -> PageData:
    """Gather the page of an experiment.

    Args:
        experiment: Output directory of training, with scored decodings.
        data: Directory of the data directories, e.g. ``dump/raw``.
        options: What the page holds.
        beside: Directory of the page, for links to audio.

    Raises:
        ConfigError: If there is no such experiment, data, set or decoding.
        ScoringError: If nothing is scored, or data and decoding don't fit together.
        CheckpointError: If lattices are wanted and the decoded checkpoint is not there.
    """
    options = options or ReportOptions()
    _check_folder(experiment, "experiment", "--exp")
    read = read_experiment(experiment)
    chosen = _chosen(read, options)
    _check_folder(data, "folder of the sets' data", "--data")
    views = []
    for one in chosen:
        decoded = Path(experiment, one.inference_tag, one.set_name)
        views.append(SetView(_data_of(decoded, Path(data)), decoded, one))
    tracks = AudioTracks(options.audio, beside)
    details = _details(views, options, tracks)
    num_lattices = _add_lattices(Path(experiment), views, options, details)
    sets = [_set(number, view, details) for number, view in enumerate(views)]
    content = {
        "kind": "run",
        "title": read.tag,
        "about": _about(read, views),
        "notes": _notes(views, options, tracks, details, num_lattices),
        "sets": sets,
        "learning": read_learning_curves(experiment),
    }
    return PageData(read.tag, content, details, links_audio=options.audio.kind == "link")


def contents_line(page: PageData) -> str:
    """What a report holds, for the terminal."""
    utterances = sum(len(one["utterances"]) for one in page.content["sets"])
    parts = [count(utterances, "utterance"), f"{len(page.details)} in detail"]
    for name, noun in (("src", "with audio"), ("lattice", "with the emotion lattice")):
        parts.append(f"{sum(name in detail for detail in page.details.values())} {noun}")
    return ", ".join(parts)


def _check_folder(path: str | Path, what: str, option: str) -> None:
    if not Path(path).is_dir():
        next_step = f"run it in the recipe's folder (egs2/.../ent1), or mend {option}"
        raise ConfigError(f"no such {what}", where=path, next_step=next_step)


def _chosen(experiment: Experiment, options: ReportOptions) -> Sequence[ScoredResults]:
    known = {
        "set": (set(options.sets), {one.set_name for one in experiment.scored}),
        "decoding": (
            {options.inference_tag} - {None},
            {one.inference_tag for one in experiment.scored},
        ),
    }
    for noun, (wanted, there) in known.items():
        if wanted - there:
            raise ConfigError(
                f"no such {noun} is scored",
                where=experiment.tag,
                expected=" ".join(sorted(there)),
                got=" ".join(sorted(wanted - there)),
            )
    chosen = [
        one
        for one in experiment.scored
        if (not options.sets or one.set_name in options.sets) and options.inference_tag in (None, one.inference_tag)
    ]
    if not chosen:
        raise ScoringError(
            "none of the sets is scored with this decoding", where=experiment.tag, got=options.inference_tag
        )
    return chosen


def _data_of(decoded: Path, data: Path) -> Path:
    """The data directory of a decoding; of two with its name (stage 4 keeps the unfiltered ones), the decoded one."""
    places = [place for place in (data / decoded.name, data / "org" / decoded.name) if place.is_dir()]
    if len(places) > 1:
        wanted = read_json(decoded / PROVENANCE, "rerun stage 12 (decoding)").get("data")
        places = [place for place in places if digest_data_dir(place) == wanted] or places
    return places[0] if places else data / decoded.name


def _details(views: Sequence[SetView], options: ReportOptions, tracks: AudioTracks) -> dict[str, dict[str, Any]]:
    """Details by identifier; the worst utterances of all sets come first, and so get what there is of the budget."""
    ranked = sorted(
        (rank, number, utt) for number, view in enumerate(views) for rank, utt in enumerate(view.worst_first)
    )
    details = {}
    for _, number, utt in ranked[: options.details]:
        view = views[number]
        details[_key(number, view, utt)] = {**view.detail(utt), **tracks.add(view.source(utt))}
    return details


def _key(number: int, view: SetView, utt: str) -> str:
    return f"detail-{number}-{view.places[utt]}"


def _add_lattices(
    experiment: Path, views: Sequence[SetView], options: ReportOptions, details: dict[str, dict[str, Any]]
) -> int:
    """Add lattices to the details; their number."""
    found = 0
    for number, view in enumerate(views):
        wanted = [utt for utt in view.worst_first if _key(number, view, utt) in details][: options.lattices]
        source = LatticeSource(experiment, view, options.device) if wanted else None
        for utt in wanted:
            try:
                lattice = source.of(utt)
            except AudioError:  # told where the waveform would be
                continue
            if lattice is not None:
                details[_key(number, view, utt)]["lattice"] = lattice
                found += 1
    return found


def _set(number: int, view: SetView, details: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Summary and rows of a set; rows are in the order of names, ``worst`` tells their rank."""
    rank = {utt: place for place, utt in enumerate(view.worst_first)}
    rows = []
    for utt in view.set.utterances:
        key = _key(number, view, utt)
        row = {**view.row(utt), "worst": rank[utt]}
        if key in details:
            row |= {"detail": key, "lattice": "lattice" in details[key]}
        rows.append(row)
    return {**view.summary(), "utterances": rows}


def _about(experiment: Experiment, views: Sequence[SetView]) -> list[list[str]]:
    checkpoints = sorted({str(view.scored.results.get("checkpoint") or "-") for view in views})
    told = [
        ("configuration", experiment.config),
        ("seed", experiment.seed),
        ("checkpoint", ", ".join(checkpoints)),
        ("decoding", ", ".join(sorted({view.scored.inference_tag for view in views}))),
    ]
    return [[name, str(value)] for name, value in told if value is not None]


def _notes(
    views: Sequence[SetView],
    options: ReportOptions,
    tracks: AudioTracks,
    details: dict[str, dict[str, Any]],
    num_lattices: int,
) -> list[str]:
    """What the page leaves out, and why."""
    notes = []
    total = sum(len(view.set.utterances) for view in views)
    if len(details) < total:
        notes.append(
            f"Details are given for {len(details)} of {total} utterances, those with the most errors "
            f"(--details {options.details}); the table holds all."
        )
    notes += audio_notes(tracks)
    wanted = min(options.lattices * len(views), len(details))
    if num_lattices < wanted:
        notes.append(
            f"{num_lattices} of {wanted} emotion lattices are given: the others are too large, or the model has none."
        )
    return notes


def audio_notes(tracks: AudioTracks) -> list[str]:
    """What a page leaves out of its sound, and why."""
    counts, options = tracks.counts, tracks.options
    notes = []
    if options.kind == "none":
        notes.append("The page has no sound (--audio none).")
    if counts["over_budget"]:
        notes.append(
            f"{count(counts['over_budget'], 'recording')} can't be played here: the sound of the others fills the "
            f"budget of {options.megabytes:g} MB (--audio_megabytes)."
        )
    if counts["linked"]:
        notes.append("Sound is played from the files that the page was made from; it has to lie where it does.")
    if counts["not_a_file"]:
        notes.append(f"{count(counts['not_a_file'], 'recording')} can't be linked: not a file of its own.")
    if counts["unreadable"]:
        notes.append(f"The audio of {count(counts['unreadable'], 'recording')} can't be read.")
    return notes
