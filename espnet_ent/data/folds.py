"""Leave-one-session-out folds."""

from __future__ import annotations

from dataclasses import dataclass

from espnet_ent.errors import ConfigError


@dataclass(frozen=True)
class SessionFold:
    """Sessions of each part of a fold."""

    train: tuple[int, ...]
    dev: tuple[int, ...]
    test: tuple[int, ...]


def session_fold(fold: int, num_sessions: int) -> SessionFold:
    """Fold ``fold`` (from 1): tests on that session, develops on the whole next one, trains on the rest.

    Every dialog holds both speakers of its session, so only whole sessions are disjoint in speakers.

    >>> session_fold(5, 5)
    SessionFold(train=(2, 3, 4), dev=(1,), test=(5,))

    Raises:
        ConfigError: If there is no such fold.
    """
    if not 1 <= fold <= num_sessions:
        raise ConfigError("no such fold", expected=f"1 to {num_sessions}", got=fold)
    dev = fold % num_sessions + 1
    train = tuple(session for session in range(1, num_sessions + 1) if session not in (fold, dev))
    return SessionFold(train, (dev,), (fold,))
