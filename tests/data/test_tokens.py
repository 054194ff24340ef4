"""Tokens and token lists, against ESPnet's layout and a tokenizer of our own making."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.token_lists import TokenListConfig, make_token_list, read_texts
from espnet_ent.data.tokens import CharTokenizer, SentencepieceTokenizer, TokenList, build_tokenizer
from espnet_ent.errors import ConfigError, DataError

TEXTS = [
    "OPEN THE GREEN DOOR", "CLOSE THE GREEN WINDOW", "THE RIVER IS WIDE AND GREEN", "OPEN THE OLD WINDOW SLOWLY",
    "WHO CLOSED THE OLD DOOR", "THE DOOR IS OPEN AND WIDE", "PLEASE CLOSE THE RIVER GATE", "THE OLD GATE IS CLOSED",
]  # fmt: skip


@given(st.text(alphabet="ABC' ", max_size=30))
def test_characters_and_back(text: str) -> None:
    tokenizer = CharTokenizer()
    tokens = tokenizer.text2tokens(text)
    assert tokens == ["<space>" if character == " " else character for character in text]
    assert tokenizer.tokens2text(tokens) == text


def test_an_empty_symbol_is_none() -> None:
    assert CharTokenizer(["", "<a>"]).text2tokens("B<a>") == ["B", "<a>"]


def test_symbols_of_a_token_list_are_its_tokens_of_several_characters() -> None:
    assert TokenList(("<blank>", "<unk>", "<space>", "A", "<noise>", "<sos/eos>")).symbols == ("<noise>",)


def test_symbols_stay_whole_and_the_longest_wins() -> None:
    tokenizer = CharTokenizer(["<a>", "<a><b>"])
    assert tokenizer.text2tokens("<a>X<a><b> <b>") == ["<a>", "X", "<a><b>", "<space>", "<", "b", ">"]
    assert tokenizer.tokens2text(tokenizer.text2tokens("<a>X<a><b> <b>")) == "<a>X<a><b> <b>"


def test_the_char_list_is_in_espnets_layout(tmp_path: Path) -> None:
    tokens = make_token_list(["ABBA B", "<laughter> B"], tmp_path, TokenListConfig(nlsyms=("<laughter>",)))
    assert (tmp_path / "tokens.txt").read_text().splitlines() == [
        "<blank>", "<unk>", "B", "<space>", "A", "<laughter>", "<sos/eos>",
    ]  # fmt: skip
    assert tokens == TokenList.read(tmp_path / "tokens.txt")
    assert tokens.blank_index == 0
    assert len(tokens) == 7


@given(st.permutations(TEXTS))
def test_the_order_of_the_texts_does_not_matter(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    out = tmp_path_factory.mktemp("tokens")
    assert make_token_list(texts, out, TokenListConfig()) == make_token_list(TEXTS, out, TokenListConfig())


def test_the_31_characters_of_the_reference_when_all_letters_occur(tmp_path: Path) -> None:
    tokens = make_token_list(["THE QUICK BROWN FOX JUMPS OVER A LAZY DOG'S"], tmp_path, TokenListConfig())
    assert len(tokens) == 31


@pytest.mark.parametrize("bpemode", ["unigram", "bpe"])
def test_sentencepiece_units(tmp_path: Path, bpemode: str) -> None:
    config = TokenListConfig("bpe", nbpe=30, bpemode=bpemode, nlsyms=("<noise>",))
    tokens = make_token_list(TEXTS, tmp_path / "a", config)
    # nbpe counts <unk> <s> </s>; ours has <blank> <unk> ... <sos/eos>: as many.
    assert len(tokens) == 30
    assert tokens.tokens[:2] == ("<blank>", "<unk>")
    assert tokens.tokens[-1] == "<sos/eos>"
    assert "<noise>" in tokens.tokens
    tokenizer = build_tokenizer("bpe", tmp_path / "a" / "bpe.model")
    for text in TEXTS:
        units = tokenizer.text2tokens(text)
        indices = tokens.encode(units)
        assert tokenizer.tokens2text(tokens.decode(indices)) == text
        assert tokens.tokens.index("<unk>") not in indices
    assert "<noise>" in tokenizer.text2tokens("OPEN <noise> DOOR")


@pytest.mark.parametrize("bpemode", ["unigram", "bpe"])
def test_sentencepiece_is_deterministic(tmp_path: Path, bpemode: str) -> None:
    for name in ("a", "elsewhere"):
        make_token_list(TEXTS, tmp_path / name, TokenListConfig("bpe", nbpe=30, bpemode=bpemode))
    for file in ("bpe.model", "tokens.txt"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "elsewhere" / file).read_bytes()


@pytest.mark.parametrize(
    ("texts", "config", "error", "message"),
    [
        ([], TokenListConfig(), DataError, "no text to make tokens from; next: rerun stage 4"),
        (["", ""], TokenListConfig(), DataError, "no text to make tokens from"),
        (TEXTS, TokenListConfig("word"), ConfigError, "unknown token_type; expected char or bpe; got 'word'"),
        (TEXTS, TokenListConfig("bpe", nbpe=5000), ConfigError, "--nbpe 5000: sentencepiece can't make this many"),
        (TEXTS, TokenListConfig("bpe", nbpe=5), ConfigError, "--nbpe 5: sentencepiece can't make this many"),
    ],
)
def test_impossible_token_lists(tmp_path: Path, texts, config, error, message: str) -> None:
    with pytest.raises(error, match=message):
        make_token_list(texts, tmp_path / "out", config)
    assert not (tmp_path / "out").exists()


def test_texts_of_several_directories(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text(f"{name}1 ONE\n{name}2\n")
    assert read_texts([tmp_path / "b", tmp_path / "a"]) == ["ONE", "", "ONE", ""]
    with pytest.raises(DataError, match="text: file is missing"):
        read_texts([tmp_path / "c"])


def test_unknown_tokens_become_unk() -> None:
    tokens = TokenList(("<blank>", "<unk>", "A", "<sos/eos>"))
    indices = tokens.encode(["A", "B", "A"])
    assert indices.dtype == np.int64
    assert list(indices) == [2, 1, 2]
    assert tokens.encode([]).shape == (0,)
    assert tokens.decode([2, 1]) == ["A", "<unk>"]


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_token_list_file_may_lack_its_last_line_end(tmp_path: Path, end: str) -> None:
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\nA\n<sos/eos>" + end)
    assert TokenList.read(tmp_path / "tokens.txt").tokens == ("<blank>", "<unk>", "A", "<sos/eos>")
    assert TokenList.from_config(str(tmp_path / "tokens.txt")) == TokenList.from_config(
        ["<blank>", "<unk>", "A", "<sos/eos>"]
    )


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ((), "must start with <blank>"),
        (("<unk>", "<blank>"), "must start with <blank>"),
        (("<blank>", "A"), "lacks <unk>"),
        (("<blank>", "<unk>", "A", "B", "A"), "tokens occur twice in the token list; got A"),
    ],
)
def test_faulty_token_lists(tokens: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TokenList(tokens)


def test_missing_files_name_the_stage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="token list is missing; next: rerun stage 5"):
        TokenList.read(tmp_path / "tokens.txt")
    with pytest.raises(DataError, match="sentencepiece model is missing; next: rerun stage 5"):
        SentencepieceTokenizer(tmp_path / "bpe.model")
    with pytest.raises(ConfigError, match="token_type bpe needs a model"):
        build_tokenizer("bpe")
    with pytest.raises(ConfigError, match="unknown token_type; expected char or bpe; got 'phn'"):
        build_tokenizer("phn")
