"""Mixing on the emotion lattice (stage 2): recordings of one speaker joined into utterances with known emotion changes.

Source: Shen et al., "Emotion neural transducer for fine-grained speech emotion recognition", 2024.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.audio import read_audio, write_pcm16
from espnet_ent.data.datadir import read_data_dir, write_tables
from espnet_ent.data.provenance import digest_audio, digest_data_dir, is_made_from, write_provenance
from espnet_ent.data.utterance import Utterance, WordSpan, WordTime
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.frames import samples_to_seconds
from espnet_ent.labels import EmotionInventory
from espnet_ent.timeline import EmotionSegment

Progress = Callable[[Iterable], Iterable]
PATTERNS: Mapping[str, tuple[str, ...]] = {
    "neu_emo": ("neu", "emo"),
    "emo_neu": ("emo", "neu"),
    "neu_emo_neu": ("neu", "emo", "neu"),
    "emo": ("emo",),
    "neu": ("neu",),
}
"""Name of a pattern -> its parts: ``emo`` an emotional recording, ``neu`` a neutral one of the same speaker."""
EQUAL_SHARES: Mapping[str, float] = {"neu_emo": 0.25, "emo_neu": 0.25, "neu_emo_neu": 0.25, "emo": 0.25}
_HIGHEST_PEAK = 0.99
_SILENCE = 1e-5
"""Root mean square below which a part is left as it is: -100 dB of full scale."""


@dataclass(frozen=True)
class MixingConfig:
    """How to mix.

    Attributes:
        shares: Share of each pattern, by name. ``neu``, a neutral recording alone, comes on top: its share is of the
            number of emotional recordings.
        seed: Seed of patterns and partners.
        copies: Times that each emotional recording is used.
        match_loudness: Bring the parts of a mixture to one level.
        resample: Convert audio of another rate, which is an error otherwise.
    """

    shares: Mapping[str, float] | None = None
    seed: int = 1
    copies: int = 1
    match_loudness: bool = True
    resample: bool = False

    def checked_shares(self) -> dict[str, float]:
        """Shares of the patterns.

        Raises:
            ConfigError: If a pattern is unknown, a share is not a number of 0 or more, or none is above 0.
        """
        shares = dict(EQUAL_SHARES if self.shares is None else self.shares)
        for name, share in shares.items():
            if name not in PATTERNS:
                raise ConfigError("unknown mixing pattern", expected=" | ".join(PATTERNS), got=name)
            if not 0 <= share < float("inf"):
                raise ConfigError("share of a mixing pattern out of range", expected="0 or more", got=f"{name}={share}")
        if not any(share > 0 for name, share in shares.items() if name != "neu"):
            raise ConfigError("no mixing pattern with an emotional part has a share", got=shares)
        if self.copies < 1:
            raise ConfigError("copies out of range", where="--copies", expected="1 or more", got=self.copies)
        return shares


@dataclass(frozen=True)
class Mixture:
    """A mixture before it is made.

    Attributes:
        utt_id: Its identifier.
        parts: The recordings, in order.
        pattern: Name of the pattern.
    """

    utt_id: str
    parts: tuple[Utterance, ...]
    pattern: str


def plan_mixtures(utterances: Sequence[Utterance], emotions: EmotionInventory, config: MixingConfig) -> list[Mixture]:
    """Which recordings to join: each emotional one once a copy, with neutral ones of its speaker, used in turn.

    A speaker without neutral recordings gets the pattern ``emo`` alone.

    Raises:
        ConfigError: If the shares of the patterns are wrong.
        DataError: If there is no emotional recording, or an emotion or a text is missing.
    """
    shares = config.checked_shares()
    neutral_share = shares.pop("neu", 0.0)
    speakers: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.emotion is None or utterance.text is None:
            raise DataError("mixing needs the emotion and the text of every utterance", got=utterance.utt_id)
        speakers[utterance.speaker].append(utterance)
    planned: list[Mixture] = []
    for speaker in sorted(speakers):
        emotional = [u for u in speakers[speaker] if emotions.canonical(u.emotion or "") != emotions.neutral]
        neutral = [u for u in speakers[speaker] if emotions.canonical(u.emotion or "") == emotions.neutral]
        for copy in range(1, config.copies + 1):
            rng = random.Random(f"{config.seed}/{speaker}/{copy}")
            planned += _plan_speaker(emotional, neutral, shares, neutral_share, rng, f"mix{copy}")
    if not any(mixture.pattern != "neu" for mixture in planned):
        raise DataError("no emotional recording to mix", got=f"{len(utterances)} neutral ones")
    return planned


def _plan_speaker(
    emotional: Sequence[Utterance],
    neutral: Sequence[Utterance],
    shares: Mapping[str, float],
    neutral_share: float,
    rng: random.Random,
    prefix: str,
) -> Iterator[Mixture]:
    """The mixtures of one speaker. Patterns are dealt out by share, so that proportions hold for few recordings too."""
    partners = _in_turn(neutral, rng)
    patterns = _deal(shares, len(emotional), rng) if neutral else ["emo"] * len(emotional)
    for utterance, pattern in zip(rng.sample(list(emotional), len(emotional)), patterns, strict=True):
        parts = tuple(utterance if part == "emo" else next(partners) for part in PATTERNS[pattern])
        yield Mixture(f"{prefix}-{utterance.utt_id}", parts, pattern)
    alone = round(neutral_share * len(emotional)) if emotional else 0
    for utterance in rng.sample(list(neutral), min(alone, len(neutral))):
        yield Mixture(f"{prefix}-{utterance.utt_id}", (utterance,), "neu")


def _in_turn(neutral: Sequence[Utterance], rng: random.Random) -> Iterator[Utterance]:
    """Neutral recordings for ever, each once before any comes again."""
    while neutral:
        yield from rng.sample(list(neutral), len(neutral))


def _deal(shares: Mapping[str, float], number: int, rng: random.Random) -> list[str]:
    """``number`` patterns in random order, as near to their shares as whole numbers are; what is left over is drawn."""
    names = [name for name, share in shares.items() if share > 0]
    total = sum(shares[name] for name in names)
    exact = {name: number * shares[name] / total for name in names}
    dealt = [name for name in names for _ in range(int(exact[name] + 1e-9))]
    missing = number - len(dealt)
    if missing > 0:
        rest = [max(exact[name] - int(exact[name] + 1e-9), 1e-9) for name in names]
        dealt += rng.choices(names, rest, k=missing)
    rng.shuffle(dealt)
    return dealt


def mix_data_dir(
    data: str | Path,
    out: str | Path,
    emotions: EmotionInventory,
    config: MixingConfig,
    sample_rate: int = 16000,
    nj: int = 1,
    progress: Progress = iter,
) -> Counter[str] | None:
    """Write a data directory of mixtures, with exact ``emo_segments`` and ``emo_words`` (and ``word_times``, if known).

    A mixture bears the emotion of its emotional part and is named ``mix<copy>-<utterance>`` after it. The file
    ``mixtures`` says what each is made of: ``<mixture> <pattern> <utterance> ...``.

    Args:
        data: Data directory with texts and emotions.
        out: Directory to make; its audio lies in ``<out>/audio``.
        emotions: The emotion inventory.
        config: How to mix.
        sample_rate: Samples a second.
        nj: Parallel processes; the result does not depend on it.
        progress: Wraps the iterable of finished mixtures.

    Returns:
        Number of mixtures by pattern; None if ``out`` was made from just this before and was left alone.

    Raises:
        ConfigError: If the shares of the patterns are wrong.
        DataError: If the data directory is faulty or has nothing to mix.
    """
    data, out = Path(data), Path(out)
    utterances = read_data_dir(data)
    planned = plan_mixtures(utterances, emotions, config)
    made_from = {
        "data": digest_data_dir(data),
        "audio": digest_audio(utterance.audio for utterance in utterances),
        "config": {**asdict(config), "shares": config.checked_shares()},
        "emotions": emotions.to_lines(),
        "fs": sample_rate,
    }
    if is_made_from(out, made_from):
        return None
    with atomic_directory(out) as root:
        (root / "audio").mkdir()
        work = partial(
            _mix_one,
            places=(root / "audio", out / "audio"),
            emotions=emotions,
            config=config,
            sample_rate=sample_rate,
        )
        with worker_pool(nj) as pool:
            mixed = list(progress(pool.map(work, planned, chunksize=8)))
        write_tables(root, mixed)
        lines = sorted(f"{m.utt_id} {m.pattern} {' '.join(part.utt_id for part in m.parts)}\n" for m in planned)
        (root / "mixtures").write_text("".join(lines), encoding="utf-8")
        write_provenance(root, made_from)
    return Counter(mixture.pattern for mixture in planned)


def _mix_one(
    mixture: Mixture, places: tuple[Path, Path], emotions: EmotionInventory, config: MixingConfig, sample_rate: int
) -> Utterance:
    temporary, final = places
    parts = [
        read_audio(u.audio, sample_rate, resample=config.resample, start=u.start, end=u.end) for u in mixture.parts
    ]
    samples = join_recordings(parts, config.match_loudness)
    name = f"{mixture.utt_id}.wav"
    write_pcm16(temporary / name, samples, sample_rate, "wav")
    labels = [emotions.canonical(part.emotion or "") for part in mixture.parts]
    return Utterance(
        utt_id=mixture.utt_id,
        speaker=mixture.parts[0].speaker,
        audio=str(final / name),
        text=" ".join(part.text for part in mixture.parts if part.text),
        emotion=next((label for label in labels if label != emotions.neutral), emotions.neutral),
        emo_segments=_segments(labels, [len(part) for part in parts], emotions.neutral, sample_rate),
        emo_words=_word_spans(labels, [len((part.text or "").split()) for part in mixture.parts], emotions.neutral),
        word_times=_word_times(mixture.parts, [len(part) for part in parts], sample_rate),
        num_samples=len(samples),
    )


def join_recordings(parts: Sequence[np.ndarray], match_loudness: bool = True) -> np.ndarray:
    """Recordings (N_k,) one after another, (sum of N_k,) float32, without a pause.

    Loudness is matched by bringing the root mean square of every part to their geometric mean (the mean in decibels).
    If a sample would pass full scale, the whole mixture is turned down. One recording alone stays as it is.
    """
    if len(parts) == 1:
        return parts[0]
    levels = [float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) for part in parts]
    heard = [level for level in levels if level > _SILENCE]
    if match_loudness and heard:
        target = float(np.exp(np.mean(np.log(heard))))
        gains = [target / level if level > _SILENCE else 1.0 for level in levels]
        parts = [part * np.float32(gain) for part, gain in zip(parts, gains, strict=True)]
    joined = np.concatenate(parts)
    peak = float(np.abs(joined).max())
    return joined if peak <= _HIGHEST_PEAK else joined * np.float32(_HIGHEST_PEAK / peak)


def _segments(labels: Sequence[str], lengths: Sequence[int], neutral: str, rate: int) -> tuple[EmotionSegment, ...]:
    """Emotional parts in time; a boundary is the number of samples before it."""
    segments, start = [], 0
    for label, length in zip(labels, lengths, strict=True):
        end = start + length
        if label != neutral:
            segments.append(EmotionSegment(samples_to_seconds(start, rate), samples_to_seconds(end, rate), label))
        start = end
    return tuple(segments)


def _word_times(parts: Sequence[Utterance], lengths: Sequence[int], rate: int) -> tuple[WordTime, ...] | None:
    """Words of all parts, each moved by what comes before its part; None where those of a part are not known."""
    words, start = [], 0
    for part, length in zip(parts, lengths, strict=True):
        if part.word_times is None:
            return None
        offset = samples_to_seconds(start, rate)
        words += [WordTime(offset + word.start, offset + word.end, word.word) for word in part.word_times]
        start += length
    return tuple(words)


def _word_spans(labels: Sequence[str], num_words: Sequence[int], neutral: str) -> tuple[WordSpan, ...]:
    """Emotional parts in words."""
    spans, first = [], 0
    for label, number in zip(labels, num_words, strict=True):
        if label != neutral and number:
            spans.append(WordSpan(first, first + number - 1, label))
        first += number
    return tuple(spans)
