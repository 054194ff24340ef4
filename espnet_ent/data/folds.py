"""Leave-one-session-out folds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from espnet_ent.errors import ConfigError


@dataclass(frozen=True)
class SessionFold:
    """Sessions of each part of a fold."""

    train: tuple[int, ...]
    dev: tuple[int, ...]
    test: tuple[int, ...]


PROTOCOLS = ("honest", "paper")


def session_fold(fold: int, num_sessions: int, protocol: str = "honest") -> SessionFold:
    """Fold ``fold`` (from 1): tests on that session, develops on the whole next one, trains on the rest.

    Every dialog holds both speakers of its session, so only whole sessions are disjoint in speakers. The protocol
    ``paper`` is that of the ENT reference: it trains on all other sessions and develops on the test session, which
    makes its figures oracles.

    >>> session_fold(5, 5)
    SessionFold(train=(2, 3, 4), dev=(1,), test=(5,))
    >>> session_fold(5, 5, "paper")
    SessionFold(train=(1, 2, 3, 4), dev=(5,), test=(5,))

    Raises:
        ConfigError: If there is no such fold or protocol.
    """
    if not 1 <= fold <= num_sessions:
        raise ConfigError("no such fold", expected=f"1 to {num_sessions}", got=fold)
    if protocol not in PROTOCOLS:
        raise ConfigError("unknown protocol", expected=" | ".join(PROTOCOLS), got=repr(protocol))
    dev = fold if protocol == "paper" else fold % num_sessions + 1
    train = tuple(session for session in range(1, num_sessions + 1) if session not in (fold, dev))
    return SessionFold(train, (dev,), (fold,))


def chosen_sessions(
    train: Iterable[int], dev: Iterable[int], num_sessions: int, protocol: str = "honest"
) -> SessionFold:
    """Sessions to train and to develop on, where the test set is another corpus.

    The protocol ``paper`` develops on the test set and leaves no session for it.

    Raises:
        ConfigError: If a session does not exist or is in both parts, or a part is empty that must not be.
    """
    fold = SessionFold(tuple(sorted(set(train))), tuple(sorted(set(dev))), ())
    sessions = fold.train + fold.dev
    disjoint = fold.train and (fold.dev or protocol == "paper") and len(set(sessions)) == len(sessions)
    if not disjoint or not set(sessions) <= set(range(1, num_sessions + 1)):
        raise ConfigError(
            "training and development need sessions of their own",
            expected=f"sessions of 1 to {num_sessions}, none in both",
            got=f"train {list(fold.train)}, dev {list(fold.dev)}",
        )
    return fold


def session_parts(
    fold: int, num_sessions: int, protocol: str, train: Iterable[int] = (), dev: Iterable[int] = ()
) -> dict[str, tuple[int, ...]]:
    """Sessions of each data directory: those of a fold, or chosen ones where some are given.

    >>> session_parts(1, 5, "honest", train=[1, 2, 3, 4], dev=[5])
    {'train': (1, 2, 3, 4), 'dev': (5,)}

    Raises:
        ConfigError: If there is no such fold or protocol, or the chosen sessions do not do.
    """
    train, dev = tuple(train), tuple(dev)
    if train or dev:
        parts = chosen_sessions(train, dev, num_sessions, protocol)
    else:
        parts = session_fold(fold, num_sessions, protocol)
    named = {"train": parts.train, "dev": parts.dev, "test": parts.test}
    return {name: sessions for name, sessions in named.items() if sessions}
