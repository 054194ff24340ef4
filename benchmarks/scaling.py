"""How start-up, checks and scoring grow with the number of utterances (``make bench-scaling``).

Each figure is of a process of its own, forked from one that has imported everything and done it all once: seconds of
the processor, which hold on a busy machine too, seconds by the clock, and memory beyond what was there at its start.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.generated_set import RATE, GeneratedSet, make_set
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
_WARM_UP = 100
_MIB = 2**20
_START, _READING = "start of training", "plain reading of its tables"


@dataclass(frozen=True)
class Cost:
    """What an operation took: seconds of the processor, seconds by the clock, bytes at the peak."""

    cpu: float
    wall: float
    peak: float


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
    for phase, place in (("train", root), ("valid", root.with_name("0"))):
        for entry in ("wav.scp,speech,sound", "text,text,text", "utt2emo,emotion,text"):
            argv += [f"--{phase}_data_path_and_name_and_type", place / "data" / entry]
        for path in made.shapes:
            argv += [f"--{phase}_shape_file", place / path.name]
    (root / "tokens.txt").write_text("\n".join(_TOKENS) + "\n")
    try:
        ent_train.main([str(value) for value in (*argv, *options)])
    finally:
        ENTTrainer.run = trainer_run


def _filter(made: GeneratedSet) -> None:
    out = made.data.with_name("filtered")
    argv = ["--data", made.data, "--out", out, "--fs", RATE, "--min_wav_duration", "0.1", "--max_wav_duration", "20"]
    ent_filter.main([str(value) for value in argv])


def _validate(made: GeneratedSet, audio: str) -> None:
    config = make_config(made.data.parent / "emotion_list", RATE, audio, allow_empty_text=False)
    assert not validate_data_dir(made.data, config)


OPERATIONS: dict[str, Callable[[GeneratedSet], object]] = {
    _READING: _read,
    _START: lambda made: _first_batch(made, "--batch_type", "numel", "--batch_bins", "100000"),
    "start, --lattice_bins": lambda made: _first_batch(made, "--lattice_bins", "2000"),
    "validation, headers of the audio": lambda made: _validate(made, "header"),
    "validation, tables alone": lambda made: _validate(made, "none"),
    "stage 4 (filter)": _filter,
    "index of a feature cache": lambda made: CachedSet(made.cached / "states.scp"),
    "scoring": lambda made: score_directories(made.data, made.decoded, made.data.parent / "emotion_list", None, None),
}


def measure(operation: Callable[[], object]) -> Cost:
    """Run it in a forked process.

    Raises:
        RuntimeError: If it fails there.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the parent
            before, cpu, wall = _status("VmRSS"), time.process_time(), time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                operation()
            found = time.process_time() - cpu, time.perf_counter() - wall, _status("VmHWM") - before
            os.write(writing, json.dumps(found).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the operation failed")
    return Cost(*json.loads(text))


def _status(name: str) -> int:
    """Bytes that the kernel counts for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def measure_sizes(folder: Path, sizes: tuple[int, ...]) -> dict[str, dict[int, Cost]]:
    """Costs by operation and number of utterances."""
    costs: dict[str, dict[int, Cost]] = {name: {} for name in OPERATIONS}
    for size in (0, *sizes):
        made = make_set(folder / str(size), size or _WARM_UP)
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


def import_seconds() -> tuple[float, float]:
    """Seconds of the processor and by the clock until a training command has imported what it needs."""
    code = "import espnet_ent.plugin.task, resource as r; u = r.getrusage(r.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout), time.perf_counter() - start


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


def _bar(costs: dict[str, dict[int, Cost]], imports: tuple[float, float]) -> str:
    small, large = 1000, max(costs[_START])
    start, reading = (costs[name] for name in (_START, _READING))
    bound, found = 3 * start[small].cpu + reading[large].cpu, start[large].cpu
    whole = 3 * (start[small].cpu + imports[0]) + reading[large].cpu, found + imports[0]
    return (
        f"Start of training with {large} utterances, by the processor: {found:.2f} s against a bar of {bound:.2f} s "
        f"(three times that of {small}, {start[small].cpu:.2f} s, and {reading[large].cpu:.2f} s to read the tables). "
        f"With the {imports[0]:.1f} s of imports ({imports[1]:.1f} s by the clock), as a user sees it: {whole[1]:.2f} s "
        f"against {whole[0]:.2f} s. Memory: {start[large].peak / _MIB:.0f} MiB, "
        f"{(start[large].peak - start[small].peak) / (large - small):.0f} bytes an utterance."
    )


def blocks(sizes: tuple[int, ...]) -> list[Block]:
    """The whole report."""
    with tempfile.TemporaryDirectory() as folder:
        costs = measure_sizes(Path(folder), sizes)
    imports = import_seconds()
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
        Paragraph(_bar(costs, imports)),
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
