"""What a model card must say of the corpora that a model was trained and tested on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusTerms:
    """A corpus and its terms.

    Attributes:
        title: Its name, as people write it.
        terms: Its licence, in a sentence.
        is_free: Whether weights that were trained on it carry no terms.
    """

    title: str
    terms: str
    is_free: bool = False


_KNOWN = {
    "iemocap": CorpusTerms(
        "IEMOCAP",
        "Licensed by the University of Southern California for research, to those who sign its release form; no part "
        "of it is in this repository. Weights that were trained on it are under its terms: read them before any use.",
    ),
    "msp_improv": CorpusTerms(
        "MSP-IMPROV",
        "Licensed by the University of Texas at Dallas to those who sign its agreement; no part of it is in this "
        "repository. Weights that were trained on it are under its terms: read them before any use.",
    ),
    "zed": CorpusTerms(
        "ZED (Zaion Emotion Dataset)",
        "Audio under CC BY-NC 4.0; no part of it is in this repository.",
    ),
    "mini": CorpusTerms(
        "espnet_ent's mini corpus",
        "Synthetic speech of eSpeak NG with emotions imitated by prosody. It says nothing about people: a model that "
        "was trained on it is a demonstration.",
        is_free=True,
    ),
}


def terms_of(corpus: str) -> CorpusTerms:
    """The terms of a corpus; of one that is not known, that they are not known."""
    return _KNOWN.get(corpus, CorpusTerms(corpus, "Its terms are not known to this recipe; ask who trained the model."))
