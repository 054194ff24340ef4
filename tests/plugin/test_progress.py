import io
import sys

from espnet_ent.plugin.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_bar_with_the_number_of_batches(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(progress_bar(iter("ab"), "ab", "epoch 3")) == ["a", "b"]
    assert "epoch 3" in sys.stderr.getvalue()
    assert "/2" in sys.stderr.getvalue()


def test_a_log_shows_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(progress_bar(iter("ab"), iter("ab"), "epoch 3")) == ["a", "b"]
    assert sys.stderr.getvalue() == ""
