"""Several processes of one machine: how their failures are told. They are forked; those of users are spawned."""

import argparse
import os
import signal
import time
from pathlib import Path

import pytest

from espnet_ent.errors import ConfigError, EntError, WorkerError
from espnet_ent.plugin import launching
from espnet_ent.plugin.distributed import PeerLostError
from tests.plugin import forked


class Task:
    """What a process does is said by its rank."""

    deeds = ()

    @classmethod
    def main_worker(cls, args):
        cls.deeds[args.dist_rank](args)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(launching, "START", "fork")
    monkeypatch.setattr(launching, "GRACE", 0.2)


def launch(*deeds, **others):
    Task.deeds = deeds
    args = {"ngpu": 0, "dist_init_method": "env://", "multiprocessing_distributed": True}
    names = ("dist_world_size", "dist_rank", "local_rank", "dist_master_addr", "dist_master_port", "dist_launcher")
    return launching.launch(Task, argparse.Namespace(**{**args, **dict.fromkeys(names), **others}), len(deeds))


def succeed(args):
    """Nothing to do."""


def mistake(args):
    raise ConfigError("wrong value", where="option x")


def defect(args):
    raise ZeroDivisionError("of the code")


def lose_peer(args):
    raise PeerLostError("another process has ended")


def be_killed(args):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(args):
    os._exit(7)


def hang(args):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def test_each_process_knows_its_place(tmp_path):
    def tell(args):
        told = (args.dist_rank, args.local_rank, args.dist_world_size, args.ngpu, args.distributed)
        (tmp_path / str(args.dist_rank)).write_text(repr(told))

    assert launch(tell, tell, tell)
    found = [(tmp_path / str(rank)).read_text() for rank in range(3)]
    assert found == [repr((rank, rank, 3, 0, True)) for rank in range(3)]


def test_the_second_of_two_machines(tmp_path):
    def tell(args):
        (tmp_path / f"{args.dist_rank}").write_text(f"{args.local_rank} {args.dist_world_size} {args.dist_init_method}")

    deeds = {2: tell, 3: tell}
    Task.deeds = deeds
    others = {"dist_world_size": 2, "dist_rank": 1, "dist_init_method": "file:///shared/meeting"}
    names = ("local_rank", "dist_master_addr", "dist_master_port", "dist_launcher")
    args = argparse.Namespace(ngpu=0, multiprocessing_distributed=True, **others, **dict.fromkeys(names))
    assert not launching.launch(Task, args, 2)
    assert [(tmp_path / rank).read_text() for rank in "23"] == [f"{n} 4 file:///shared/meeting" for n in (0, 1)]


@pytest.mark.parametrize(
    ("deeds", "error", "message"),
    [
        ((mistake, mistake), EntError, "^option x: wrong value$"),
        ((lose_peer, mistake), EntError, "^option x: wrong value$"),
        ((defect, lose_peer), RuntimeError, "(?s)process 0 of 2 failed.*ZeroDivisionError: of the code"),
        ((lose_peer, be_killed), WorkerError, "process 1 of 2: .*ended before its end; got SIGKILL"),
        ((leave, succeed), WorkerError, "process 0 of 2: .*got status 7"),
        ((lose_peer, succeed), PeerLostError, "another process has ended"),
        ((hang, mistake), EntError, "option x: wrong value"),  # the other is ended, and is not told of
    ],
)
def test_the_cause_is_told_and_no_process_is_left(deeds, error, message):
    with pytest.raises(error, match=message):
        launch(*deeds)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_sigterm_is_passed_on(tmp_path):
    def wait(args):
        def stop(*_):
            raise EntError("stopped")

        signal.signal(signal.SIGTERM, stop)
        Path(tmp_path, str(args.dist_rank)).touch()
        time.sleep(60)

    def parent():
        with pytest.raises(EntError, match="stopped"):
            launch(wait, wait)

    child = forked.start(parent)
    for rank in "01":
        forked.wait_for(tmp_path / rank)
    os.kill(child, signal.SIGTERM)
    assert forked.finish(child) == forked.SUCCESS
