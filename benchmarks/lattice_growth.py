"""How time and memory of the fused losses grow with the batch, the frames and the labels."""

from __future__ import annotations

import statistics
import time

from benchmarks.dense import Case
from benchmarks.train_step import make, peak_memory, step
from espnet_ent.report.document import Table

_BASE = Case("base", 200, 50, 31, lengths=(1.0, 1.0), is_factorized=True)
SCALED = (
    _BASE,
    Case("2 B", 200, 50, 31, lengths=(1.0,) * 4, is_factorized=True),
    Case("2 T", 400, 50, 31, lengths=(1.0, 1.0), is_factorized=True),
    Case("2 U", 200, 100, 31, lengths=(1.0, 1.0), is_factorized=True),
    Case("4 T, 4 U", 800, 200, 31, lengths=(1.0, 1.0), is_factorized=True),
)


def scaling_table(num_runs: int) -> Table:
    """Median time and peak memory of one step of each case."""
    rows = []
    for case in SCALED:
        heads, batch = make(case)
        seconds = []
        for _ in range(num_runs + 1):
            start = time.perf_counter()
            step("fused", heads, batch)
            seconds.append(time.perf_counter() - start)
        memory = peak_memory(case, "fused")
        cells = len(case.lengths) * case.num_frames * (case.num_labels + 1)
        told = "-" if memory is None else f"{memory:.0f}"
        rows.append((case.name, str(cells), f"{1000 * statistics.median(seconds[1:]):.0f}", told))
    return Table(("case", "nodes", "ms", "MiB"), tuple(rows))


def audio_table() -> Table:
    """Peak memory of one step by the length of an utterance: 25 frames and 15 characters a second, FENT, D = 768."""
    rows = []
    for seconds in (5, 10, 20, 30):
        case = Case(f"{seconds} s", 25 * seconds, 15 * seconds, 31, is_factorized=True)
        nodes = case.num_frames * (case.num_labels + 1)
        peaks = {name: peak_memory(case, name) for name in ("dense", "fused")}
        told = ["out of memory" if peak is None else f"{peak:.0f}" for peak in peaks.values()]
        rows.append((str(seconds), str(case.num_frames), str(case.num_labels), str(nodes), *told))
    return Table(("seconds of audio", "T", "U", "nodes (lattice_bins)", "dense MiB", "fused MiB"), tuple(rows))
