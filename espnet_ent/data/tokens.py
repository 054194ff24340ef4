"""Token lists and tokenizers (characters, sentencepiece)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from espnet_ent.data.datadir import read_lines
from espnet_ent.errors import ConfigError, DataError

BLANK = "<blank>"
UNKNOWN = "<unk>"
SPACE = "<space>"
SOS_EOS = "<sos/eos>"


class Tokenizer(Protocol):
    """Text to tokens and back."""

    def text2tokens(self, text: str) -> list[str]: ...

    def tokens2text(self, tokens: Iterable[str]) -> str: ...


class CharTokenizer:
    """One token a character; a space is ``<space>``.

    Args:
        symbols: Multi-character symbols that stay whole, e.g. ``<noise>``.
    """

    def __init__(self, symbols: Iterable[str] = ()) -> None:
        self._symbols = sorted(filter(None, symbols), key=len, reverse=True)

    def text2tokens(self, text: str) -> list[str]:
        """Tokens of a text.

        >>> CharTokenizer().text2tokens("A B")
        ['A', '<space>', 'B']
        """
        tokens: list[str] = []
        while text:
            symbol = next((s for s in self._symbols if text.startswith(s)), text[0])
            tokens.append(SPACE if symbol == " " else symbol)
            text = text[len(symbol) :]
        return tokens

    def tokens2text(self, tokens: Iterable[str]) -> str:
        """Text of tokens."""
        return "".join(" " if token == SPACE else token for token in tokens)


class SentencepieceTokenizer:
    """Units of a sentencepiece model.

    Raises:
        DataError: If the model file is missing.
    """

    def __init__(self, model: str | Path) -> None:
        import sentencepiece

        if not Path(model).is_file():
            raise DataError("sentencepiece model is missing", where=model, next_step="rerun stage 5 (token list)")
        self._processor = sentencepiece.SentencePieceProcessor(model_file=str(model))

    def text2tokens(self, text: str) -> list[str]:
        """Tokens of a text."""
        return self._processor.encode(text, out_type=str)

    def tokens2text(self, tokens: Iterable[str]) -> str:
        """Text of tokens."""
        return self._processor.decode(list(tokens))


def build_tokenizer(token_type: str, bpemodel: str | Path | None = None, nlsyms: Iterable[str] = ()) -> Tokenizer:
    """A tokenizer by ESPnet's name of its type: ``char`` or ``bpe``.

    Raises:
        ConfigError: If the type is unknown or ``bpe`` lacks a model.
    """
    if token_type == "char":
        return CharTokenizer(nlsyms)
    if token_type == "bpe":
        if not bpemodel:
            raise ConfigError("token_type bpe needs a model", expected="--bpemodel FILE")
        return SentencepieceTokenizer(bpemodel)
    raise ConfigError("unknown token_type", expected="char or bpe", got=repr(token_type))


@dataclass(frozen=True)
class TokenList:
    """The vocabulary: a token's position is its index; ``<blank>`` is index 0.

    Raises:
        DataError: If ``<blank>`` is not first, ``<unk>`` is missing, or a token occurs twice.
    """

    tokens: tuple[str, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.tokens or self.tokens[0] != BLANK:
            raise DataError("token list must start with <blank>", got=self.tokens[:1])
        index = {token: position for position, token in enumerate(self.tokens)}
        if len(index) != len(self.tokens):
            twice = sorted({token for token in self.tokens if self.tokens.count(token) > 1})
            raise DataError("tokens occur twice in the token list", got=" ".join(twice))
        if UNKNOWN not in index:
            raise DataError("token list lacks <unk>")
        object.__setattr__(self, "_index", index)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def blank_index(self) -> int:
        """Index of ``<blank>``: 0."""
        return self._index[BLANK]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Tokens of several characters that stand for themselves in a text, e.g. ``<noise>``."""
        return tuple(t for t in self.tokens if len(t) > 1 and t not in (BLANK, UNKNOWN, SPACE, SOS_EOS))

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Indices, int64 (U,); unknown tokens become ``<unk>``."""
        unknown = self._index[UNKNOWN]
        return np.array([self._index.get(token, unknown) for token in tokens], dtype=np.int64)

    def decode(self, indices: Iterable[int]) -> list[str]:
        """Tokens of indices."""
        return [self.tokens[index] for index in indices]

    @classmethod
    def read(cls, path: str | Path) -> TokenList:
        """Read a file with one token a line."""
        if not Path(path).is_file():
            raise DataError("token list is missing", where=path, next_step="rerun stage 5 (token list)")
        return cls(tuple(read_lines(path)))

    @classmethod
    def from_config(cls, value: str | Path | Sequence[str]) -> TokenList:
        """Build from a config value: a path, or the tokens."""
        return cls.read(value) if isinstance(value, (str, Path)) else cls(tuple(value))
