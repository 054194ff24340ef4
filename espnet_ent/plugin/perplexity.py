"""How well a language model predicts a text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from espnet2.lm.espnet_model import ESPnetLanguageModel
from espnet2.train.abs_espnet_model import AbsESPnetModel

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.datadir import read_table
from espnet_ent.data.provenance import digest_files, is_made_from, write_provenance
from espnet_ent.data.tokens import TokenList, build_tokenizer
from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.plugin.language_model import load_language_model


@dataclass(frozen=True)
class Perplexity:
    """Perplexity a token: exp of the mean negative log probability.

    Attributes:
        value: The perplexity.
        num_tokens: Predicted tokens; with the end of each sentence, where the network predicts it.
    """

    value: float
    num_tokens: int


def write_perplexity(
    directory: str | Path, checkpoint: str, text: str | Path, out: str | Path, batch_size: int = 64
) -> Perplexity | None:
    """Write ``ppl``, ``utt2nll`` (nats) and ``utt2ntokens``, as ESPnet's files of these names.

    Args:
        directory: Output of the language model's training.
        checkpoint: File name in it.
        text: Lines ``<id> <words>``.
        out: Directory to write.
        batch_size: Sentences at once.

    Returns:
        The perplexity; None if ``out`` holds it already.

    Raises:
        ConfigError: If the model's configuration is missing or wrong, or ``batch_size`` is less than 1.
        CheckpointError: If the checkpoint is missing, damaged or does not fit.
        DataError: If the text is missing or empty.
    """
    if batch_size < 1:
        raise ConfigError("batch_size out of range", expected="1 or more", got=batch_size)
    if not Path(text).is_file():
        raise DataError("text is missing", where=text, next_step="rerun stages 4 and 6")
    made_from = {"files": digest_files([Path(directory) / checkpoint, Path(text)])}
    if is_made_from(out, made_from):
        return None
    sentences = read_table(text)
    if not sentences:
        raise DataError("text is empty", where=text)
    model, tokens = load_language_model(directory, checkpoint)
    config = read_yaml(Path(directory) / "config.yaml")
    token_list = TokenList(tokens)
    tokenizer = build_tokenizer(config["token_type"], config.get("bpemodel"), token_list.symbols)
    labels = {name: token_list.encode(tokenizer.text2tokens(words)) for name, words in sentences.items()}
    found = dict(_score(model, labels, batch_size))
    num_tokens = sum(count for _, count in found.values())
    perplexity = Perplexity(math.exp(sum(nll for nll, _ in found.values()) / max(1, num_tokens)), num_tokens)
    with atomic_directory(out) as root:
        (root / "ppl").write_text(f"{perplexity.value:.6f}\n", encoding="utf-8")
        (root / "utt2nll").write_text("".join(f"{name} {nll:.6f}\n" for name, (nll, _) in found.items()), "utf-8")
        (root / "utt2ntokens").write_text("".join(f"{name} {count}\n" for name, (_, count) in found.items()), "utf-8")
        write_provenance(root, made_from)
    return perplexity


@torch.no_grad()
def _score(model: AbsESPnetModel, labels: dict, batch_size: int) -> Iterator[tuple[str, tuple[float, int]]]:
    """(sentence, (negative log probability, predicted tokens)) of each sentence."""
    names = list(labels)
    for start in range(0, len(names), batch_size):
        batch = names[start : start + batch_size]
        lengths = torch.tensor([len(labels[name]) for name in batch])
        rows = [torch.from_numpy(labels[name]) for name in batch]
        text = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        if isinstance(model, ESPnetLanguageModel):
            nll, counts = model.nll(text, lengths)
            sums = nll.sum(dim=1).tolist()
        else:
            sums = [
                float(model.nll(row.unsqueeze(0), length.view(1))[0]) for row, length in zip(rows, lengths, strict=True)
            ]
            counts = lengths
        yield from zip(batch, zip(sums, counts.tolist(), strict=True), strict=True)
