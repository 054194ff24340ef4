import os
import signal
import threading
import time

import pytest

from espnet_ent.errors import ConfigError
from espnet_ent.plugin.locking import exclusive
from tests.plugin import forked


def hold(directory):
    with exclusive(directory):
        (directory / "held").touch()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    pid = forked.start(hold, tmp_path)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    yield pid
    os.kill(pid, signal.SIGKILL)
    assert forked.finish(pid) == -signal.SIGKILL


def test_a_second_run_in_the_same_directory_is_refused_with_the_first_ones_process(tmp_path, holder):
    message = f"another run is using this directory; got process {holder};"
    with pytest.raises(ConfigError, match=message), exclusive(tmp_path):
        pass


def test_one_that_waits_gets_it_when_the_other_lets_go(tmp_path, capsys):
    pid = forked.start(hold, tmp_path)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    timer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with exclusive(tmp_path, wait=True):
        assert forked.finish(pid) == -signal.SIGKILL
    assert capsys.readouterr().out == f"{tmp_path}: waits for process {pid}\n"


def test_the_directory_is_free_again_after_a_kill(tmp_path):
    pid = forked.start(hold, tmp_path)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    forked.finish(pid)
    with exclusive(tmp_path):
        pass


def test_a_worker_that_outlives_a_killed_run_does_not_hold_the_directory(tmp_path):
    def leave_a_worker():
        with exclusive(tmp_path):
            worker = forked.start(time.sleep, 60)
            (tmp_path / "worker").write_text(str(worker))
            os.kill(os.getpid(), signal.SIGKILL)

    assert forked.run(leave_a_worker) == -signal.SIGKILL
    try:
        with exclusive(tmp_path):
            pass
    finally:
        os.kill(int((tmp_path / "worker").read_text()), signal.SIGKILL)
