"""Names of recordings that utterances are cut from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath


def recording_names(files: Iterable[str]) -> dict[str, str]:
    """A name for each audio file, unique and without white space; it does not depend on the order of the files.

    It is the file's stem, and where several files share one, as many of their folders before it as it takes. What
    even these do not tell apart (``a.wav`` and ``a.flac``) is numbered.

    >>> recording_names(["day1/hall.wav", "day2/hall.wav", "day2/yard.wav"])
    {'day1/hall.wav': 'day1-hall', 'day2/hall.wav': 'day2-hall', 'day2/yard.wav': 'yard'}
    """
    parts = {file: [part for part in PurePath(file).parts if part.strip("/")] for file in sorted(set(files))}
    names = {file: _name(file_parts, 0) for file, file_parts in parts.items()}
    for num_folders in range(1, max(map(len, parts.values()), default=1)):
        counts = Counter(names.values())
        for file, name in names.items():
            if counts[name] > 1:
                names[file] = _name(parts[file], num_folders)
    taken: set[str] = set()
    for file, name in names.items():
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique)
        names[file] = unique
    return names


def _name(parts: list[str], num_folders: int) -> str:
    folders = parts[:-1][-num_folders:] if num_folders else []
    return "_".join("-".join([*folders, PurePath(parts[-1]).stem]).split())
