"""Check of the data that a run names, before it starts: a loader would stop in the middle of an epoch."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet_ent.data.audio import audio_info
from espnet_ent.data.cached_set import CachedSet
from espnet_ent.data.datadir import read_table
from espnet_ent.errors import AudioError, ConfigError, DataError
from espnet_ent.labels import EmotionInventory

_MOST_NAMED = 5
_STATISTICS = "rerun stage 10 (statistics)"
_CACHE = "rerun stage 9 (--stage 9)"
_DUMP = "rerun stages 3 and 4 (dump)"


def check_inputs(args: argparse.Namespace, required: Sequence[str], optional: Sequence[str]) -> None:
    """Check the training and validation data.

    Args:
        args: The task's options.
        required: Names of data that must be given.
        optional: Names of data that may be given.

    Raises:
        DataError: If a file is missing, or files of a set hold different utterances.
        LabelError: If an emotion is not in the inventory.
        AudioError: If the audio is not of the sample rate ``--fs``.
        ConfigError: If data is missing from the options, or unknown.
    """
    emotions = EmotionInventory.from_config(args.emotion_list)
    for phase in ("train", "valid"):
        entries = getattr(args, f"{phase}_data_path_and_name_and_type")
        names = [name for _, name, _ in entries]
        _check_names(phase, names, required, None if args.allow_variable_data_keys else optional)
        _check_cached(entries)
        tables = {path: _read(path, _DUMP) for path, _, _ in entries}
        shapes = {path: _read(path, _STATISTICS) for path in getattr(args, f"{phase}_shape_file")}
        _check_same_utterances(tables, shapes)
        for path, name, kind in entries:
            if name == "emotion" and kind == "text":
                for utt_id, label in tables[path].items():
                    emotions.index(label.strip(), where=f"{path}: {utt_id}")
            if name == "speech":
                _check_sample_rate(path, tables[path], args.fs)
            if name == "states":
                CachedSet(path).check_audio()


def check_texts(args: argparse.Namespace) -> None:
    """Check training and validation data that are text alone; arguments and errors as :func:`check_inputs`."""
    for phase in ("train", "valid"):
        entries = getattr(args, f"{phase}_data_path_and_name_and_type")
        _check_names(phase, [name for _, name, _ in entries], ("text",), ())
        tables = {path: _read(path, "rerun stage 1, or give another --lm_train_text") for path, _, _ in entries}
        shapes = {path: _read(path, "rerun stage 6 (statistics)") for path in getattr(args, f"{phase}_shape_file")}
        _check_same_utterances(tables, shapes)


def _check_names(phase: str, names: list[str], required: Sequence[str], optional: Sequence[str] | None) -> None:
    option = f"--{phase}_data_path_and_name_and_type"
    missing = [name for name in required if name not in names]
    if missing or len(set(names)) < len(names):
        raise ConfigError("data are missing or given twice", where=option, expected=" ".join(required), got=names)
    unknown = [name for name in names if optional is not None and name not in (*required, *optional)]
    if unknown:
        raise ConfigError("unknown data", where=option, expected=" ".join((*required, *optional)), got=unknown)


def _read(path: str, next_step: str) -> dict[str, str]:
    if not Path(path).is_file():
        raise DataError("file is missing", where=path, next_step=next_step)
    table = read_table(path)
    if not table:
        raise DataError("file is empty", where=path, next_step=next_step)
    return table


def _check_same_utterances(tables: Mapping[str, Mapping], shapes: Mapping[str, Mapping]) -> None:
    """Data files must agree; shape files too, among each other, and may name fewer utterances than there are."""
    for files, next_step in ((tables, _DUMP), (shapes, _STATISTICS)):
        (first, expected), *others = [*files.items()] or [("", {})]
        for path, table in others:
            if table.keys() != expected.keys():
                _refuse(f"{path}: utterances differ from {first}", expected.keys() ^ table.keys(), next_step)
    if tables and shapes:
        path, data = next(iter(tables.items()))
        for shape_path, shape in shapes.items():
            if shape.keys() - data.keys():
                _refuse(f"{shape_path}: utterances are not in {path}", shape.keys() - data.keys(), _STATISTICS)
            left_out = len(data) - len(shape)
            if left_out:
                logging.warning(f"{shape_path}: {left_out} of {len(data)} utterances are left out; rerun stage 10")


def _refuse(what: str, utt_ids: set[str], next_step: str) -> None:
    named = " ".join(sorted(utt_ids)[:_MOST_NAMED])
    raise DataError(what, got=f"{len(utt_ids)}: {named}", next_step=next_step)


def _check_cached(entries: Sequence[tuple[str, str, str]]) -> None:
    """Check that a feature cache holds just the utterances of the other data."""
    cached = [path for path, name, _ in entries if name == "states"]
    for path, name, _ in entries:
        if cached and name == "text":
            differing = _read(path, _DUMP).keys() ^ _read(cached[0], _CACHE).keys()
            if differing:
                _refuse(f"{cached[0]}: cached utterances differ from {path}", differing, _CACHE)


def _check_sample_rate(path: str, sources: Mapping[str, str], sample_rate: int) -> None:
    """Check the first file; ESPnet's loader refuses files whose rate differs from the others'."""
    utt_id, source = next(iter(sources.items()))
    found = audio_info(source).sample_rate
    if found != sample_rate:
        raise AudioError(
            "unexpected sample rate", where=f"{path}: {utt_id}", expected=f"{sample_rate} Hz (--fs)", got=f"{found} Hz"
        )
