"""Train a language model on text, or collect its statistics (stages 6 and 7)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from espnet_ent.bin.command import run
from espnet_ent.bin.ent_train import train_once


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; a run that finished before with the same options and texts is left alone."""
    from espnet_ent.plugin.compat import quiet_imports

    def train(argv: list[str]) -> bool:
        with quiet_imports():
            from espnet_ent.plugin.lm_task import LanguageModelTask
        return LanguageModelTask.main(cmd=argv)

    train_once(list(sys.argv[1:] if argv is None else argv), train)


if __name__ == "__main__":
    run(main)
