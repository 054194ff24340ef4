"""How start-up, checks and scoring grow with the number of utterances (``make bench-scaling``).

Each figure is of a process of its own, forked from one that has imported everything and done it all once: seconds of
the processor, which hold on a busy machine too, seconds by the clock, and memory beyond what was there at its start.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from benchmarks.audio_hour import decoding_table, preparation_table, training_table
from benchmarks.generated_set import RATE, GeneratedSet, make_set
from benchmarks.measuring import Cost, measure, memory
from espnet_ent.bin import ent_filter, ent_train
from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.data.cached_set import CachedSet
from espnet_ent.data.validate import make_config, validate_data_dir
from espnet_ent.metrics.scoring import score_directories
from espnet_ent.report.document import Block, Heading, Paragraph, Table, render_markdown, render_terminal

_ROOT = Path(__file__).parents[1]
_OUT = _ROOT / "docs" / "SCALING_FIGURES.md"
_CONFIG = _ROOT / "conf" / "train_ent_mini.yaml"
_TOKENS = ("<blank>", "<unk>", "<space>", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "<sos/eos>")
SIZES = (100, 1000, 10000, 100000)
_WARM_UP = _NUM_VALID = 100
_MIB = 2**20
_START, _READING = "start of training", "plain reading of its tables"


def _tables(made: GeneratedSet) -> list[Path]:
    return [*(made.data / name for name in ("wav.scp", "text", "utt2emo")), *made.shapes]


def _read(made: GeneratedSet) -> None:
    """The least that reading needs: each table that training names, once, as a dictionary of its lines."""
    tables = []
    for path in _tables(made):
        with path.open(encoding="utf-8") as file:
            tables.append(dict(line.split(maxsplit=1) for line in file))


def _first_batch(made: GeneratedSet, *options: str) -> None:
    """From the command to the first batch of the first epoch; the validation set is the small one beside it."""
    from espnet_ent.plugin.trainer import ENTTrainer

    def run(train_iter_factory: object, **_others: object) -> None:
        next(iter(train_iter_factory.build_iter(1)))

    trainer_run = ENTTrainer.run
    ENTTrainer.run = staticmethod(run)
    root = made.data.parent
    argv = ["--config", _CONFIG, "--output_dir", root / "exp", "--token_list", root / "tokens.txt"]
    argv += ["--emotion_list", root / "emotion_list", "--normalize", "utterance_mvn", "--num_workers", "0"]
    for phase, place in (("train", root), ("valid", root / "valid")):
        for entry in ("wav.scp,speech,sound", "text,text,text", "utt2emo,emotion,text"):
            argv += [f"--{phase}_data_path_and_name_and_type", place / "data" / entry]
        for path in made.shapes:
            argv += [f"--{phase}_shape_file", place / path.name]
    (root / "tokens.txt").write_text("\n".join(_TOKENS) + "\n")
    try:
        ent_train.main([str(value) for value in (*argv, *options)])
    finally:
        ENTTrainer.run = trainer_run


def _start(made: GeneratedSet) -> None:
    _first_batch(made, "--batch_type", "numel", "--batch_bins", "100000")


def _filter(made: GeneratedSet) -> None:
    out = made.data.with_name("filtered")
    argv = ["--data", made.data, "--out", out, "--fs", RATE, "--min_wav_duration", "0.1", "--max_wav_duration", "20"]
    ent_filter.main([str(value) for value in argv])


def _validate(made: GeneratedSet, audio: str) -> None:
    config = make_config(made.data.parent / "emotion_list", RATE, audio, allow_empty_text=False)
    assert not validate_data_dir(made.data, config)


OPERATIONS: dict[str, Callable[[GeneratedSet], object]] = {
    _READING: _read,
    _START: _start,
    "start, --lattice_bins": lambda made: _first_batch(made, "--lattice_bins", "2000"),
    "validation, headers of the audio": lambda made: _validate(made, "header"),
    "validation, tables alone": lambda made: _validate(made, "none"),
    "stage 4 (filter)": _filter,
    "index of a feature cache": lambda made: CachedSet(made.cached / "states.scp"),
    "scoring": lambda made: score_directories(made.data, made.decoded, made.data.parent / "emotion_list", None, None),
}


def _make(root: Path, number: int) -> GeneratedSet:
    made = make_set(root, number)
    make_set(root / "valid", _NUM_VALID)
    return made


def measure_sizes(sets: Mapping[int, GeneratedSet]) -> dict[str, dict[int, Cost]]:
    """Costs by operation and number of utterances; set 0 is there to import and compile what is needed."""
    costs: dict[str, dict[int, Cost]] = {name: {} for name in OPERATIONS}
    for size, made in sets.items():
        for name, operation in OPERATIONS.items():
            if not size:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    operation(made)
                continue
            costs[name][size] = measure(lambda operation=operation, made=made: operation(made))
            print(f"{name}, {size}: {costs[name][size]}", file=sys.stderr, flush=True)
    return costs


def exponent(costs: dict[int, float]) -> float:
    """Slope of the logarithm of a cost over that of the size, by least squares."""
    points = [(math.log(size), math.log(max(cost, 1e-9))) for size, cost in costs.items()]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def whole_start(made: GeneratedSet) -> Cost:
    """Start of training in a process that has imported nothing yet, as a user starts it."""
    code = "import sys; from benchmarks.scaling import first_batch_of; print(first_batch_of(sys.argv[1]))"
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", code, str(made.data.parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall, int(done.stdout.split()[-1]))


def first_batch_of(root: str) -> int:
    """From the command to the first batch of the first epoch, for a generated set; bytes at the peak."""
    data, shapes = Path(root, "data"), (Path(root, "speech_shape"), Path(root, "text_shape"))
    _start(GeneratedSet(data, shapes, data, data))
    return memory("VmHWM")


def _growth_table(costs: dict[str, dict[int, Cost]], value: Callable[[Cost], float], unit: str) -> Table:
    sizes = list(next(iter(costs.values())))
    header = ("operation", *(f"{size} utterances, {unit}" for size in sizes), "exponent", "last decade")
    rows = []
    for name, by_size in costs.items():
        values = {size: value(cost) for size, cost in by_size.items()}
        last = dict(list(values.items())[-2:])
        cells = (f"{found:.2f}" if found < 10 else f"{found:.0f}" for found in values.values())
        rows.append((name, *cells, f"{exponent(values):.2f}", f"{exponent(last):.2f}"))
    return Table(header, tuple(rows))


def _bar(costs: dict[str, dict[int, Cost]], whole: dict[int, Cost]) -> str:
    small, large = 1000, max(whole)
    start, reading = costs[_START], costs[_READING][large].cpu
    return (
        f"Start of training, from the command to the first batch, imports included: {whole[large].cpu:.1f} s of the "
        f"processor with {large} utterances, {whole[small].cpu:.1f} s with {small}. The bar is three times the latter "
        f"and {reading:.2f} s to read the tables: {3 * whole[small].cpu + reading:.1f} s. The peak of the process is "
        f"{whole[large].peak / _MIB:.0f} MiB, with {small} utterances {whole[small].peak / _MIB:.0f} MiB: "
        f"{(whole[large].peak - whole[small].peak) / (large - small):.0f} bytes an utterance. Without imports: "
        f"{start[large].cpu:.2f} s and {start[small].cpu:.2f} s."
    )


def blocks(sizes: tuple[int, ...]) -> list[Block]:
    """The whole report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {size: _make(folder / str(size), size or _WARM_UP) for size in (0, *sizes)}
        costs = measure_sizes(sets)
        whole = {size: whole_start(sets[size]) for size in (1000, max(sizes))}
        preparation = preparation_table(folder / "hour")
    load = os.getloadavg()[0]
    return [
        Heading("Growth with the number of utterances", level=1),
        Paragraph(
            f"{os.cpu_count()} cores under a load of {load:.1f}, one thread, {platform.system()}, Python "
            f"{platform.python_version()}, torch {torch.__version__}. `make bench-scaling` writes this file."
        ),
        Heading("Seconds of the processor"),
        _growth_table(costs, lambda cost: cost.cpu, "s"),
        Paragraph(
            "exponent: of the size, by least squares over all sizes and over the last two; below 1 where a constant "
            "part weighs. The validation set of a start has 100 utterances. Audio: 50 files that all utterances "
            "share, in the page cache."
        ),
        Heading("Memory at the peak"),
        _growth_table(costs, lambda cost: cost.peak / _MIB, "MiB"),
        Heading("The bar"),
        Paragraph(_bar(costs, whole)),
        Heading("Preparing an hour of audio"),
        preparation,
        Paragraph("Seconds of one processor; utterances of 6 s. Synthetic audio compresses better than most speech."),
        Heading("Training on an hour of audio, once"),
        training_table(),
        Paragraph(
            "Forward and backward pass and update of a batch of 20 s of audio with 14 labels a second, one step in a "
            "fresh process, on one core."
        ),
        Heading("Decoding an hour of audio"),
        decoding_table(),
        Paragraph("Four utterances of 10 s at once, label steps 15 % of all, emotions of all frames included."),
    ]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of utterances; 1000 among them")
    parser.add_argument("--out", default=str(_OUT), help="file to write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    report = blocks(tuple(args.sizes))
    print(render_terminal(report))
    atomic_write_text(args.out, render_markdown(report))
    print(f"{args.out}: written")


if __name__ == "__main__":
    main()
