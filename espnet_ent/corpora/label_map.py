"""What a user's emotion labels stand for in the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.corpora.defect_log import DefectLog
from espnet_ent.corpora.manifest_columns import nearest
from espnet_ent.data.datadir import read_lines
from espnet_ent.labels import EmotionInventory

EXCLUDED = "-"
"""Stands for a class in a label map: utterances with this label are left out and counted."""


@dataclass(frozen=True)
class LabelMap:
    """Classes of raw labels.

    Attributes:
        emotions: The inventory; its names and aliases are known without being mapped.
        classes: Class of the inventory, or ``EXCLUDED``, by raw label; comes before the inventory.
    """

    emotions: EmotionInventory
    classes: Mapping[str, str]

    def lookup(self, label: str) -> str | None:
        """Class of a label, ``EXCLUDED``, or None where neither the map nor the inventory knows it.

        The case of letters matters only where two labels differ in nothing else.
        """
        for form in (label, label.lower()):
            if form in self.classes:
                return self.classes[form]
            if form in self.emotions:
                return self.emotions.canonical(form)
        return None

    def hint(self, label: str) -> str:
        """What to say about an unknown label: the nearest known one, or all classes."""
        known = [*self.classes, *self.emotions.names, *(alias for alias, _ in self.emotions.aliases)]
        return nearest(label, known) or f"; expected one of {' '.join(self.emotions.names)}"


def read_label_map(
    path: str | Path | None, emotions: EmotionInventory, dropped: Iterable[str], log: DefectLog
) -> LabelMap:
    """Read a file of ``<raw label> <class>`` lines; ``-`` in place of the class excludes.

    Args:
        path: The file; None: no map.
        emotions: The inventory.
        dropped: More labels to exclude.
        log: Takes what is wrong with the file.

    Raises:
        DataError: If the file is missing or is not UTF-8.
    """
    classes: dict[str, str] = {}
    for number, line in enumerate(read_lines(path) if path is not None else (), 1):
        if not line.strip():
            continue
        label, _, name = " ".join(line.split()).rpartition(" ")
        if not label:
            log.add_fatal(f"malformed line: expected <raw label> <class>, got {line.strip()!r}", number, Path(path))
        elif label in classes:
            log.add_fatal(f"label {label!r} is mapped twice", number, Path(path))
        elif name != EXCLUDED and name not in emotions:
            hint = nearest(name, emotions.names) or f"; expected one of {' '.join(emotions.names)} {EXCLUDED}"
            log.add_fatal(f"unknown class {name!r}{hint}", number, Path(path))
        else:
            classes[label] = name if name == EXCLUDED else emotions.canonical(name)
    classes.update((label, EXCLUDED) for label in dropped)
    return LabelMap(emotions, classes)
