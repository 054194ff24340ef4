"""The states of a data directory's utterances in a feature cache.

The folder of a set holds ``states.scp`` (``<utt> <ark>:<offset>``, as ESPnet writes it) and what it was made from.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.datadir import read_data_dir, read_table
from espnet_ent.data.provenance import PROVENANCE, digest_audio, digest_files, is_made_from, write_provenance
from espnet_ent.data.state_store import Entry, UtteranceStates, encoder_digest, read_description, read_index
from espnet_ent.errors import DataError

STATES = "states.scp"
_STAGE = "rerun stage 9 (--stage 9)"


class CachedSet(Mapping[str, UtteranceStates]):
    """States by utterance, read one by one from wherever they lie.

    Args:
        scp: A ``states.scp``.

    Raises:
        DataError: If it is not there or not sound, or an ark or index that it names is not.
    """

    def __init__(self, scp: str | Path) -> None:
        self.scp = Path(scp)
        if not self.scp.is_file():
            raise DataError("cached states are missing", where=self.scp, next_step=_STAGE)
        places = {utt_id: _place(self.scp, utt_id, value) for utt_id, value in read_table(self.scp).items()}
        if not places:
            raise DataError("no cached states", where=self.scp, next_step=_STAGE)
        arks = sorted({ark for ark, _ in places.values()})
        known = {(ark, entry.states): entry for ark in arks for entry in read_index(ark.with_suffix(".index"))}
        lost = sorted(utt_id for utt_id, place in places.items() if place not in known)
        if lost:
            raise DataError("cached states are not where they should be", where=f"{scp}: {lost[0]}", next_step=_STAGE)
        self.entries: dict[str, Entry] = {utt_id: known[place] for utt_id, place in places.items()}
        self.stores = sorted({ark.parent for ark in arks})

    def __getitem__(self, utt_id: str) -> UtteranceStates:
        return self.entries[utt_id].read(utt_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def check_encoder(self, depends_on: Mapping[str, Any]) -> None:
        """Check that the states are those of an encoder.

        Args:
            depends_on: What its states depend on besides the samples.

        Raises:
            DataError: If they depend on something else, which is named.
        """
        for store in self.stores:
            found = read_description(store)
            if encoder_digest(found) != encoder_digest(depends_on):
                changed = sorted(key for key in found.keys() | depends_on if found.get(key) != depends_on.get(key))
                raise DataError(
                    "cached states are those of another encoder",
                    where=self.scp,
                    got=f"changed: {' '.join(changed)}",
                    next_step=_STAGE,
                )

    def check_audio(self) -> None:
        """Check that the audio and tables of the data directory are still those that were encoded.

        Raises:
            DataError: If they are not.
        """
        try:
            record = json.loads((self.scp.parent / PROVENANCE).read_text(encoding="utf-8"))
            data, made_from = record["data_dir"], {key: record[key] for key in ("audio", "tables")}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                "nothing says what was encoded", where=self.scp.parent / PROVENANCE, got=error, next_step=_STAGE
            ) from error
        now = describe_data(data)
        if now != made_from:
            changed = " and ".join(key for key in now if now[key] != made_from[key])
            raise DataError(
                "cached states are of other data", where=self.scp, got=f"changed {changed} of {data}", next_step=_STAGE
            )


def describe_data(data: str | Path) -> dict[str, str]:
    """Digests of the audio of a data directory and of the tables that say which utterance is what of it."""
    utterances = read_data_dir(data)
    tables = digest_files(Path(data, name) for name in ("wav.scp", "segments"))
    return {"audio": digest_audio(utterance.audio for utterance in utterances), "tables": tables}


def is_cached(out: str | Path, made_from: Mapping[str, Any]) -> bool:
    """Whether a set was made from just this, and all that it names is still there."""
    try:
        return is_made_from(out, dict(made_from)) and len(CachedSet(Path(out, STATES))) > 0
    except DataError:
        return False


def write_cached_set(out: str | Path, entries: Sequence[tuple[str, Entry]], made_from: Mapping[str, Any]) -> None:
    """Write the folder of a set, whole or not at all.

    Args:
        out: The folder.
        entries: Utterances, sorted, with their states.
        made_from: ``data_dir``, ``audio`` and ``tables`` (:func:`describe_data`), and anything else.
    """
    with atomic_directory(out) as root:
        lines = [f"{utt_id} {entry.ark}:{entry.states}\n" for utt_id, entry in entries]
        (root / STATES).write_text("".join(lines), encoding="utf-8")
        write_provenance(root, made_from)


def _place(scp: Path, utt_id: str, value: str) -> tuple[Path, int]:
    ark, _, offset = value.rpartition(":")
    if not ark.endswith(".ark") or not offset.isdecimal():
        got, expected = repr(value), "<ark>:<offset>"
        raise DataError("not a place in an ark", where=f"{scp}: {utt_id}", expected=expected, got=got, next_step=_STAGE)
    return _ark(ark), int(offset)


@functools.cache
def _ark(name: str) -> Path:
    """One object for the many utterances of an ark: to make and to hash a path each would take most of the time."""
    return Path(name)
