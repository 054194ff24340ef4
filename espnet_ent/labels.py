"""The emotion inventory: names, which one is neutral, and the aliases that corpora use.

This is the only place that knows emotion names. The inventory travels with the data as
``data/emotion_list`` and inside the model's config (as the lines of that file), so an index is never
interpreted without the list that gives it a meaning.

File format, one emotion a line, in index order::

    <name> <emotion|neutral> [<alias> ...]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from espnet_ent.errors import LabelError

_ROLE_EMOTION = "emotion"
_ROLE_NEUTRAL = "neutral"


@dataclass(frozen=True)
class EmotionInventory:
    """An ordered, closed set of emotion classes.

    Attributes:
        names: Canonical names; the position is the class index.
        neutral: The member of ``names`` that stands for "no emotion".
        aliases: Pairs (other name, canonical name).

    Raises:
        LabelError: On a name or alias that occurs twice, or if ``neutral`` is not a name.
    """

    names: tuple[str, ...]
    neutral: str
    aliases: tuple[tuple[str, str], ...] = ()
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, int] = {}
        for position, name in enumerate(self.names):
            if name in index:
                raise LabelError("emotion occurs twice in the inventory", got=repr(name))
            index[name] = position
        if self.neutral not in index:
            raise LabelError("the neutral class is not in the inventory", expected=self.names, got=self.neutral)
        for alias, name in self.aliases:
            if name not in self.names:
                raise LabelError(f"alias {alias!r} of an unknown emotion", got=repr(name))
            if alias in index and index[alias] != self.names.index(name):
                raise LabelError("alias stands for two emotions", got=repr(alias))
            index[alias] = self.names.index(name)
        object.__setattr__(self, "_index", index)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, label: object) -> bool:
        return isinstance(label, str) and label in self._index

    @property
    def neutral_index(self) -> int:
        """Class index of the neutral emotion."""
        return self._index[self.neutral]

    def index(self, label: str, where: object = None) -> int:
        """Class index of a name or alias.

        Raises:
            LabelError: If ``label`` is unknown; ``where`` tells the user which line is at fault.
        """
        try:
            return self._index[label]
        except KeyError:
            raise LabelError(
                "unknown emotion label",
                where=where,
                expected="one of " + " ".join(self._index),
                got=repr(label),
            ) from None

    def canonical(self, label: str, where: object = None) -> str:
        """Canonical name of a name or alias; raises :class:`LabelError` like :meth:`index`."""
        return self.names[self.index(label, where)]

    def to_lines(self) -> list[str]:
        """The inventory in the format of ``emotion_list``, without line ends."""
        lines = []
        for name in self.names:
            role = _ROLE_NEUTRAL if name == self.neutral else _ROLE_EMOTION
            aliases = [alias for alias, target in self.aliases if target == name]
            lines.append(" ".join([name, role, *aliases]))
        return lines

    @classmethod
    def from_lines(cls, lines: Iterable[str], where: object = "emotion_list") -> EmotionInventory:
        """Parse the format of ``emotion_list``.

        Raises:
            LabelError: On a malformed line, or unless exactly one class is neutral.
        """
        names: list[str] = []
        neutral: list[str] = []
        aliases: list[tuple[str, str]] = []
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if len(fields) < 2 or fields[1] not in (_ROLE_EMOTION, _ROLE_NEUTRAL):
                raise LabelError(
                    "malformed line",
                    where=f"{where}:{number}",
                    expected="<name> <emotion|neutral> [<alias> ...]",
                    got=repr(line.rstrip()),
                )
            names.append(fields[0])
            if fields[1] == _ROLE_NEUTRAL:
                neutral.append(fields[0])
            aliases.extend((alias, fields[0]) for alias in fields[2:])
        if len(neutral) != 1:
            raise LabelError("exactly one class must be neutral", where=where, got=neutral or "none")
        return cls(tuple(names), neutral[0], tuple(aliases))

    @classmethod
    def read(cls, path: str | Path) -> EmotionInventory:
        """Read an ``emotion_list`` file."""
        path = Path(path)
        if not path.is_file():
            raise LabelError("emotion list is missing", where=path, next_step="rerun stage 5 (token list)")
        return cls.from_lines(path.read_text(encoding="utf-8").splitlines(), where=path)

    @classmethod
    def from_config(cls, value: str | Path | Sequence[str]) -> EmotionInventory:
        """Build from a config value: a path to an ``emotion_list``, or its lines."""
        if isinstance(value, (str, Path)):
            return cls.read(value)
        return cls.from_lines(value, where="config key emotion_list")

    def write(self, path: str | Path) -> None:
        """Write an ``emotion_list`` file."""
        Path(path).write_text("\n".join(self.to_lines()) + "\n", encoding="utf-8")


FOUR_EMOTIONS = EmotionInventory(
    names=("hap", "ang", "sad", "neu"),
    neutral="neu",
    aliases=(
        ("exc", "hap"),
        ("happy", "hap"),
        ("happiness", "hap"),
        ("excited", "hap"),
        ("angry", "ang"),
        ("anger", "ang"),
        ("sadness", "sad"),
        ("neutral", "neu"),
    ),
)
"""The usual four classes of IEMOCAP and ZED, in the order of the ENT reference."""
