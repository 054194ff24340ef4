"""Make token lists from training text (stage 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.atomic import atomic_directory, atomic_write_text
from espnet_ent.data.datadir import read_table
from espnet_ent.data.tokens import BLANK, SOS_EOS, UNKNOWN, CharTokenizer, TokenList
from espnet_ent.errors import ConfigError, DataError


@dataclass(frozen=True)
class TokenListConfig:
    """How to make a token list.

    Attributes:
        token_type: ``char`` or ``bpe``.
        nbpe: Vocabulary size of ``bpe``.
        bpemode: ``unigram`` or ``bpe``, sentencepiece's model type.
        nlsyms: Symbols that are one token.
    """

    token_type: str = "char"
    nbpe: int = 100
    bpemode: str = "unigram"
    nlsyms: tuple[str, ...] = ()


def make_token_list(texts: Sequence[str], out: str | Path, config: TokenListConfig) -> TokenList:
    """Write ``tokens.txt`` (and ``bpe.model``) to a directory.

    ``<blank>`` and ``<unk>`` come first, ``<sos/eos>`` last, as in ESPnet; characters are sorted by falling count,
    then by code, units of sentencepiece stand in its order.

    Raises:
        ConfigError: If the type or the mode is unknown, or the text does not allow ``nbpe`` tokens.
        DataError: If there is no text.
    """
    out = Path(out)
    if not any(texts):
        raise DataError("no text to make tokens from", next_step="rerun stage 4 (filter)")
    if config.token_type == "char":
        return _write_tokens(out, _by_count(CharTokenizer(config.nlsyms).text2tokens, texts))
    if config.token_type != "bpe":
        raise ConfigError("unknown token_type", expected="char or bpe", got=repr(config.token_type))
    if config.bpemode not in ("unigram", "bpe"):
        raise ConfigError("unknown bpemode", expected="unigram or bpe", got=repr(config.bpemode))
    with atomic_directory(out) as root:
        _train_sentencepiece(texts, root / "bpe.model", config)
        return _write_tokens(root, _pieces(root / "bpe.model"))


def read_texts(data_dirs: Iterable[str | Path]) -> list[str]:
    """All transcripts of data directories.

    Raises:
        DataError: If one has no ``text``.
    """
    return [text for data in data_dirs for text in read_table(Path(data) / "text").values()]


def _by_count(text2tokens: Callable[[str], list[str]], texts: Sequence[str]) -> list[str]:
    counts = Counter(token for text in texts for token in text2tokens(text))
    return sorted(counts, key=lambda token: (-counts[token], token))


def _pieces(model: Path) -> list[str]:
    """Units of a sentencepiece model, without its own marks of sentence start, end and the unknown."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return [
        processor.id_to_piece(index)
        for index in range(processor.get_piece_size())
        if not (processor.is_control(index) or processor.is_unknown(index))
    ]


def _write_tokens(directory: Path, tokens: Sequence[str]) -> TokenList:
    token_list = TokenList((BLANK, UNKNOWN, *(t for t in tokens if t not in (UNKNOWN, BLANK)), SOS_EOS))
    atomic_write_text(directory / "tokens.txt", "".join(token + "\n" for token in token_list.tokens))
    return token_list


def _train_sentencepiece(texts: Sequence[str], model: Path, config: TokenListConfig) -> None:
    import sentencepiece

    with model.open("wb") as file:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=file,
                vocab_size=config.nbpe,
                model_type=config.bpemode,
                character_coverage=1.0,
                user_defined_symbols=list(config.nlsyms),
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise ConfigError(
                "sentencepiece can't make this many tokens", where=f"--nbpe {config.nbpe}", got=error
            ) from None
