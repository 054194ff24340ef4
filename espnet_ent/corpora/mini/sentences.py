"""Sentences of the command grammar that no utterance of a mini corpus says: text for language models."""

from __future__ import annotations

import random
from pathlib import Path

from espnet_ent.corpora.mini.layouts import as_written
from espnet_ent.corpora.mini.msp_improv import plan_msp_improv
from espnet_ent.corpora.mini.plan import MiniSize, draw_num_phrases, plan_corpus, sentence_stream
from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.provenance import is_made_from, write_provenance
from espnet_ent.data.text import normalize_text

_VERSION = 1


def new_sentences(seed: int, size: MiniSize, number: int) -> list[str]:
    """Sentences that differ from each other and from all that the corpora of this seed and size say.

    Args:
        seed: Seed of the corpora.
        size: Size of the corpora.
        number: How many.

    Returns:
        Normalised texts.
    """
    said = {tuple(phrase.text for phrase in utt.phrases) for utt in plan_corpus(seed, size)}
    said |= {tuple(phrase.text for phrase in utt.phrases) for utt in plan_msp_improv(seed, size)}
    stream = sentence_stream(seed + 1)
    rng = random.Random(f"{seed}/new sentences")
    sentences: list[str] = []
    while len(sentences) < number:
        sentence = stream.draw(draw_num_phrases(rng))
        if sentence not in said:
            sentences.append(normalize_text(as_written(" ".join(sentence))))
    return sentences


def write_new_sentences(out: str | Path, seed: int, size: MiniSize, number: int) -> bool:
    """Write ``text`` (nine tenths) and ``dev_text`` to a directory; see :func:`new_sentences`.

    Returns:
        False if ``out`` holds them already.
    """
    made_from = {"version": _VERSION, "seed": seed, "size": vars(size), "number": number}
    if is_made_from(out, made_from):
        return False
    sentences = new_sentences(seed, size, number)
    num_dev = max(1, number // 10)
    with atomic_directory(out) as root:
        for name, part in (("text", sentences[num_dev:]), ("dev_text", sentences[:num_dev])):
            lines = [f"new{index:06d} {text}\n" for index, text in enumerate(part)]
            (root / name).write_text("".join(lines), encoding="utf-8")
        write_provenance(root, made_from)
    return True
