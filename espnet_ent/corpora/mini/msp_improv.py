"""A mini corpus in the layout of MSP-IMPROV: six sessions of one woman and one man, 48 kHz."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.corpora.mini.grammar import SentenceStream
from espnet_ent.corpora.mini.layouts import Layout, SpokenUtterance, as_written
from espnet_ent.corpora.mini.plan import (
    MiniSize,
    PlannedUtterance,
    draw_num_phrases,
    phrases_of_label,
    plan_corpus,
    sentence_stream,
)
from espnet_ent.corpora.mini.speakers import make_speaker
from espnet_ent.errors import ConfigError

MSP_IMPROV_ROOT = "MSP-IMPROV_mini"
NUM_SESSIONS = 6
SAMPLE_RATE = 48000
_LABEL_FILE = "Evalution.txt"
_NUM_SCENARIOS = 20
_PARTS = "SRPT"
_UNTRANSCRIBED = "P"
_MAX_TURN = 99
_PROSODY = {"A": "ang", "H": "hap", "S": "sad", "N": "neu", "O": "ang", "X": "neu"}
_CLASSES, _UNUSED = "AHSN", "OX"
_RATINGS = {"A": (4.0, 2.0), "H": (3.5, 4.0), "S": (2.0, 2.0), "N": (2.5, 3.0), "O": (3.0, 2.5), "X": (2.5, 2.5)}


def plan_msp_improv(seed: int, size: MiniSize) -> list[PlannedUtterance]:
    """All utterances.

    Sessions share no sentence with each other, nor with the other mini corpora of this seed and size.

    Raises:
        ConfigError: If there are more utterances than names.
    """
    most = _NUM_SCENARIOS * _MAX_TURN - size.unused_per_session
    if size.per_class > most:
        raise ConfigError("too many utterances for the names of MSP-IMPROV", expected=f"<= {most}", got=size.per_class)
    stream = sentence_stream(seed)
    plan_corpus(seed, size, stream)  # draws what the other corpora say
    return [utt for session in range(1, NUM_SESSIONS + 1) for utt in _plan_session(session, seed, size, stream)]


def _plan_session(session: int, seed: int, size: MiniSize, stream: SentenceStream) -> list[PlannedUtterance]:
    """Every sentence is spoken once in each of the four classes, as in the other mini corpora."""
    rng = random.Random(f"{seed}/msp_improv/{session}")
    speakers = {
        sex: make_speaker(f"MSP-{sex}{session:02d}", sex == "F", 2 * session + (sex == "M") + 3, seed) for sex in "FM"
    }
    script = []
    for number in range(size.per_class + size.unused_per_session):
        sentence = stream.draw(draw_num_phrases(rng))
        labels = _CLASSES if number < size.per_class else _UNUSED[number % len(_UNUSED)]
        script += [(number, label, sentence) for label in labels]
    rng.shuffle(script)
    planned = []
    for place, (number, label, sentence) in enumerate(script):
        sex, other = ("F", "M") if place % 2 == 0 else ("M", "F")
        scenario = f"S{number % _NUM_SCENARIOS + 1:02d}{label if label in _CLASSES else 'N'}"
        part = _PARTS[number % len(_PARTS)]
        turn = number // _NUM_SCENARIOS + 1
        planned.append(
            PlannedUtterance(
                utt_id=f"{scenario}-{sex}{session:02d}-{part}-{sex}{other}{turn:02d}",
                group=(f"session{session}", scenario, part),
                label=label,
                speaker=speakers[sex],
                phrases=phrases_of_label(_PROSODY[label], sentence, rng),
            )
        )
    return planned


def audio_path(planned: PlannedUtterance) -> Path:
    """Where an utterance's wav file lies."""
    return Path(MSP_IMPROV_ROOT, "Audio", *planned.group, f"MSP-IMPROV-{planned.utt_id}.wav")


def write_msp_improv(root: Path, spoken: Sequence[SpokenUtterance]) -> None:
    """Write the label file, and the transcripts of all parts but the natural conversations."""
    base = root / MSP_IMPROV_ROOT
    (base / "Text").mkdir(parents=True)
    lines = []
    for number, planned in enumerate(each.planned for each in spoken):
        activation, valence = _RATINGS[planned.label]
        ratings = f"A:{activation:.1f}; V:{valence:.1f}; D:3.0"
        lines += [
            f"UTD-IMPROV-{planned.utt_id}.avi; {planned.label}; {ratings} ; N:3.0;",
            f"WORKER{number:08d}; {_PROSODY[planned.label].capitalize()}; ; {ratings}; N:3.0;",
            "",
        ]
        if planned.group[-1] != _UNTRANSCRIBED:
            path = base / "Text" / f"MSP-IMPROV-{planned.utt_id}.txt"
            path.write_text(as_written(planned.text) + "\n", encoding="utf-8")
    (base / _LABEL_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


MSP_IMPROV = Layout(plan_msp_improv, audio_path, write_msp_improv, SAMPLE_RATE)
