"""What all commands share: how a user error and an interruption end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from espnet_ent.data.disk import is_full
from espnet_ent.errors import EXIT_USER_ERROR, EntError

EXIT_INTERRUPTED = 130


def run(main: Callable[[], int | None]) -> None:
    """Run a command's main function and leave the process with its status.

    An :class:`EntError` becomes one line on stderr and status 2. Any other exception is a defect of this
    package and keeps its traceback, but for a full disk, which is the user's.
    """
    program = Path(sys.argv[0]).stem
    try:
        status = main()
    except EntError as error:
        sys.stdout.flush()
        print(f"{program}: error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except OSError as error:
        if not is_full(error):
            raise
        print(f"{program}: error: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(status or 0)


class Parser(argparse.ArgumentParser):
    """Options written out in full, and one line for an error."""

    def __init__(self, **options: Any) -> None:
        super().__init__(prog=Path(sys.argv[0]).stem, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Leave with one line and status 2."""
        self.exit(EXIT_USER_ERROR, f"{self.prog}: error: {message}; see --help\n")


def add_model(
    parser: argparse.ArgumentParser,
    name: str = "--model",
    what: str = "output directory of training, packed model, or hub id",
    checkpoint: str | None = None,
) -> None:
    """Options that name a trained model; every command that people call takes ``--model`` and ``--exp`` for it.

    Args:
        parser: The command's options.
        name: Which of the two the command is shown with: ``--exp`` where only the output of training will do.
        what: Help.
        checkpoint: Default of the checkpoint's name.
    """
    other = "--exp" if name == "--model" else "--model"
    parser.add_argument(name, other, dest=name.strip("-"), required=True, help=what)
    told = "valid.loss.ave.pth"
    parser.add_argument("--inference_ent_model", default=checkpoint, help=f"checkpoint in it; default: {told}")


def add_decoding(parser: argparse.ArgumentParser, default: str = "those of a packed model") -> None:
    """Options of decoding, for every command that people call."""
    parser.add_argument(
        *("--inference_config", "--config"),
        help=f"YAML file with options of decoding, e.g. conf/decode_smoothed.yaml; default: {default}",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")


def add_lm(parser: argparse.ArgumentParser) -> None:
    """Options that name a language model."""
    parser.add_argument("--lm_exp", help="output directory of a language model's training, for a beam search")
    parser.add_argument("--inference_lm", default="valid.loss.ave.pth", help="checkpoint in --lm_exp")


def boolean(value: str) -> bool:
    """Parse ``true`` or ``false``, as ESPnet's options are written."""
    lowered = value.lower()
    if lowered not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {value!r}")
    return lowered == "true"
