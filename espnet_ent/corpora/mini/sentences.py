"""Sentences of the command grammar that no utterance of a mini corpus says: text for language models."""

from __future__ import annotations

import random
from pathlib import Path

from espnet_ent.corpora.mini.emotion_words import EMOTION_WORDS, EmotionCues, remark_of
from espnet_ent.corpora.mini.layouts import as_written
from espnet_ent.corpora.mini.msp_improv import plan_msp_improv
from espnet_ent.corpora.mini.plan import MiniSize, draw_num_phrases, plan_corpus, sentence_stream
from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.provenance import is_made_from, write_provenance
from espnet_ent.data.text import normalize_text

_VERSION = 1


def new_sentences(seed: int, size: MiniSize, number: int, with_remarks: bool = False) -> list[str]:
    """Sentences that differ from each other and from all that the corpora of this seed and size say.

    Args:
        seed: Seed of the corpora.
        size: Size of the corpora.
        number: How many.
        with_remarks: Each has a remark with any emotion word.

    Returns:
        Normalised texts.
    """
    said = {tuple(phrase.text for phrase in utt.phrases) for utt in plan_corpus(seed, size)}
    said |= {tuple(phrase.text for phrase in utt.phrases) for utt in plan_msp_improv(seed, size)}
    stream = sentence_stream(seed + 1)
    rng = random.Random(f"{seed}/new sentences")
    words = [word for of_emotion in EMOTION_WORDS.values() for word in of_emotion]
    sentences: list[str] = []
    while len(sentences) < number:
        sentence = stream.draw(draw_num_phrases(rng))
        if sentence not in said:
            text = " ".join(sentence)
            if with_remarks:
                remark, is_first = remark_of(text, rng.choice(words), seed)
                text = f"{remark} {text}" if is_first else f"{text} {remark}"
            sentences.append(normalize_text(as_written(text)))
    return sentences


def write_new_sentences(
    out: str | Path, seed: int, size: MiniSize, number: int, cues: EmotionCues | None = None
) -> bool:
    """Write ``text`` (nine tenths) and ``dev_text`` to a directory; see :func:`new_sentences`.

    Returns:
        False if ``out`` holds them already.
    """
    made_from = {"version": _VERSION, "seed": seed, "size": vars(size), "number": number}
    if cues is not None:
        made_from["remarks"] = True
    if is_made_from(out, made_from):
        return False
    sentences = new_sentences(seed, size, number, with_remarks=cues is not None)
    num_dev = max(1, number // 10)
    with atomic_directory(out) as root:
        for name, part in (("text", sentences[num_dev:]), ("dev_text", sentences[:num_dev])):
            lines = [f"new{index:06d} {text}\n" for index, text in enumerate(part)]
            (root / name).write_text("".join(lines), encoding="utf-8")
        write_provenance(root, made_from)
    return True
