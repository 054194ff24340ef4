"""The model card: README.md of a packed model on the hub, from what the pack itself tells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_ent.errors import ConfigError
from espnet_ent.labels import EmotionInventory
from espnet_ent.report.corpus_terms import terms_of
from espnet_ent.report.document import Table, render_markdown

TAGS = ("espnet", "espnet_ent", "audio", "automatic-speech-recognition", "speech-emotion-recognition")
_METRICS = (
    ("WER", "wer", ("recognition", "wer", "rate")),
    ("CER", "cer", ("recognition", "cer", "rate")),
    ("WA", "accuracy", ("emotion", "wa")),
    ("UA", "recall", ("emotion", "ua")),
    ("F1", "f1", ("emotion", "macro_f1")),
    ("EDER", "eder", ("eder", "system", "utterance_mean", "eder")),
)
_WHAT_IT_IS = """\
Joint speech recognition and emotion recognition: one transducer writes down what is said and tells which emotion the
utterance and each moment of it carry. Trained with espnet_ent, a recipe plugin of ESPnet."""
_LIMITS = """\
Meant for research on speech whose speakers have agreed: transcripts with an emotion for the utterance, its words and
its moments.

- **What it tells is not what a person feels.** It tells which acted or annotated label of its corpus a recording
  resembles. Inferring emotions of people is sensitive; in some places and settings (work, schools, law enforcement) it
  is restricted or forbidden by law, e.g. by the EU's AI Act. Do not use it to judge, rank, hire, monitor or diagnose.
- It knows {emotions} and nothing else; every recording gets one of them.
- It learned from the speakers, language ({language}), microphones and acting of its corpora. Expect more errors
  elsewhere, and unequal ones for groups of speakers that the corpora lack. It was not tested for fairness.
- Probabilities are estimates, {calibrated}.
"""


@dataclass(frozen=True)
class CardOptions:
    """What the pack does not tell.

    Attributes:
        repo: ``user/name`` on the hub.
        license: Licence of the weights, as the hub names it; None: what follows from the corpora.
    """

    repo: str
    license: str | None = None


def model_card(directory: str | Path, config: Mapping[str, Any], meta: Mapping[str, Any], options: CardOptions) -> str:
    """The text of README.md.

    Args:
        directory: The unpacked model.
        config: Its configuration.
        meta: Content of its ``meta.yaml``.
        options: What it does not tell.

    Raises:
        ConfigError: If its scores can't be read.
    """
    directory = Path(directory)
    corpora = [str(corpus) for corpus in meta.get("corpora") or ()]
    scores = _read_scores(directory)
    emotions = EmotionInventory.from_config(config["emotion_list"])
    calibrated = "calibrated on development data" if (directory / "calibration.json").is_file() else "not calibrated"
    limits = _LIMITS.format(
        emotions=", ".join(emotions.names), language=meta.get("language", "?"), calibrated=calibrated
    )
    parts = [
        f"---\n{_front_matter(meta, corpora, scores, options)}\n---",
        f"# {meta.get('tag', options.repo)}\n\n{_WHAT_IT_IS}\n\n{_facts(config, meta)}",
        f"## How to use it\n\n```python\n{snippet(options.repo, config)}```",
        f"## Data\n\n{_data(corpora)}",
        f"## Labels\n\n{_labels(emotions)}",
        f"## Results\n\n{_results(directory, scores)}",
        f"## Intended use and limits\n\n{limits.strip()}",
        f"## Licence\n\n{_licence(corpora, options.license)}",
    ]
    return "\n\n".join(parts) + "\n"


def snippet(repo: str, config: Mapping[str, Any]) -> str:
    """Python code that transcribes ``speech.wav`` with the model and prints what it tells."""
    losses = dict(config.get("model_conf") or {})
    lines = [
        "from espnet_ent import EmotionTranscriber",
        "",
        f'transcriber = EmotionTranscriber.from_pretrained("{repo}")',
        'transcript = transcriber("speech.wav")',
        "print(transcript.text, transcript.emotion)",
    ]
    if float(losses.get("lattice_weight", 1)) > 0:
        lines += [
            "for segment in transcript.timeline.segments:",
            "    print(segment.start, segment.end, segment.label)",
        ]
    return "\n".join(lines) + "\n"


def _front_matter(
    meta: Mapping[str, Any], corpora: Sequence[str], scores: Mapping[str, Mapping[str, Any]], options: CardOptions
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="automatic-speech-recognition" if name in ("WER", "CER") else "audio-classification",
            dataset_type="-".join(corpora) or "unknown",
            dataset_name=f"{', '.join(terms_of(corpus).title for corpus in corpora) or 'unknown'} ({subset})",
            dataset_split=subset,
            metric_type=kind,
            metric_name=name,
            metric_value=round(100 * value, 2),
        )
        for subset, found in scores.items()
        for name, kind, path in _METRICS
        if (value := _value(found, path)) is not None
    ]
    licence = options.license or _licence_tag(corpora)
    data = ModelCardData(
        language=str(meta.get("language") or "en"),
        license=licence,
        license_name="terms-of-the-training-data" if licence == "other" else None,
        library_name="espnet",
        tags=list(TAGS),
        datasets=list(corpora) or None,
        pipeline_tag="automatic-speech-recognition",
        model_name=str(meta.get("tag") or options.repo),
        eval_results=results or None,
    )
    return data.to_yaml().strip()


def _read_scores(directory: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((directory / "results").glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ConfigError("scores can't be read", where=path, got=error) from error
    return found


def _value(scores: Any, path: Sequence[str]) -> float | None:
    for key in path:
        scores = scores.get(key) if isinstance(scores, dict) else None
    return float(scores) if isinstance(scores, (int, float)) else None


def _facts(config: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    encoder = str(config.get("encoder") or "conformer")
    told = meta.get("encoder")
    if isinstance(told, dict):
        places = {"pack": "packed with the model", "hub": "fetched when it is loaded", "checkpoint": "fine-tuned"}
        named = "@".join(str(told[key]) for key in ("name", "revision") if told.get(key))
        encoder += f": {named}, {places.get(str(told.get('where')), '')}"
    rows = [
        ("encoder", encoder),
        ("transducer", str(config.get("transducer", "transducer") or "none")),
        ("tokens", f"{len(config['token_list'])} ({config.get('token_type') or 'char'})"),
        ("sample rate", f"{meta.get('fs')} Hz"),
        ("versions", f"espnet_ent {meta.get('espnet_ent')}, ESPnet {meta.get('espnet')}, PyTorch {meta.get('torch')}"),
    ]
    return render_markdown([Table(("", ""), tuple(rows))]).strip()


def _data(corpora: Sequence[str]) -> str:
    if not corpora:
        return "The corpora are not named."
    return "\n".join(f"- **{terms_of(corpus).title}**: {terms_of(corpus).terms}" for corpus in corpora)


def _labels(emotions: EmotionInventory) -> str:
    lines = [line.split() for line in emotions.to_lines()]
    rows = [(name, ", ".join(aliases) or "-") for name, _, *aliases in lines]
    table = render_markdown([Table(("label", "also called"), tuple(rows))]).strip()
    return f"{table}\n\nWhere a timeline tells nothing, the emotion is `{emotions.neutral}`."


def _results(directory: Path, scores: Mapping[str, Mapping[str, Any]]) -> str:
    if not scores:
        return "None are packed."
    rows = []
    for subset, found in scores.items():
        values = [_value(found, path) for _, _, path in _METRICS]
        cells = ["-" if value is None else f"{100 * value:.2f}" for value in values]
        rows.append((subset, str(found.get("num_utterances", "-")), *cells))
    header = ("set", "utterances", *(name for name, _, _ in _METRICS))
    text = render_markdown([Table(header, tuple(rows))]).strip()
    text += "\n\nIn %. WA: accuracy, UA: mean recall of the classes, EDER: emotion diarization error rate."
    if (directory / "RESULTS.md").is_file():
        text += " Baselines, confidence intervals and confusion matrices: [RESULTS.md](RESULTS.md)."
    return text


def _licence_tag(corpora: Sequence[str]) -> str:
    return "apache-2.0" if corpora and all(terms_of(corpus).is_free for corpus in corpora) else "other"


def _licence(corpora: Sequence[str], given: str | None) -> str:
    code = "The code of espnet_ent is under Apache-2.0. "
    if (given or _licence_tag(corpora)) == "other":
        return code + "The weights were trained on licensed data: its terms above hold for them as well."
    return code + f"The weights are under {given or _licence_tag(corpora)}."
