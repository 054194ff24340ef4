import sys

from espnet_ent.plugin.compat import quiet_imports


def test_known_noise_is_dropped_and_everything_else_passed_on(capsys):
    with quiet_imports():
        print("Failed to import Flash Attention, using ESPnet default: no module")
        print("something else")
        print("[nltk_data] Error loading", file=sys.stderr)
        print("a real warning", file=sys.stderr)
        print("without an end", end="")
    captured = capsys.readouterr()
    assert captured.out == "something else\nwithout an end"
    assert captured.err == "a real warning\n"
