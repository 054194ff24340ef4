"""Programs that answer as Slurm does and run jobs on this machine: enough for the adapter, without a cluster.

State is in a folder: ``<job id>`` holds the process of each task; ``answers`` changes what squeue says.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PROGRAM = """#!{python}
import os, pathlib, re, signal, subprocess, sys
root = pathlib.Path({root!r})
program, args = pathlib.Path(sys.argv[0]).name, sys.argv[1:]

def is_running(number):
    try:
        return pathlib.Path("/proc", number, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

if program == "sbatch":
    script = pathlib.Path(args[0]).read_text()
    (root / "script").write_text(script)
    refused = root / "refused"
    if refused.exists():
        sys.exit(f"sbatch: error: {{refused.read_text()}}")
    number = str(1 + len(list(root.glob("[0-9]*"))))
    array = re.search(r"--array=0-(\\d+)", script)
    tasks = [f"{{number}}_{{task}}" for task in range(int(array[1]) + 1)] if array else [number]
    lines = []
    for task in tasks:
        given = {{"SLURM_JOB_ID": number, "SLURM_PROCID": "0", "SLURMD_NODENAME": "node"}}
        if array:
            given |= {{"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": task.partition("_")[2]}}
        with open(root / "output", "ab") as output:
            process = subprocess.Popen(["bash", args[0]], env={{**os.environ, **given}}, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, start_new_session=True)
        lines.append(f"{{task}} {{process.pid}}")
    (root / number).write_text("\\n".join(lines))
    print("Submitted batch job", number)
elif program == "squeue":
    answers = dict(line.split() for line in (root / "answers").read_text().splitlines())
    print("JOBID|STATE|NODELIST")
    for path in root.glob("[0-9]*"):
        for line in path.read_text().splitlines():
            task, process = line.split()
            state = "RUNNING" if is_running(process) else answers.get(task, answers.get("all", "COMPLETED"))
            if state != "nothing":
                print(f"{{task}}|{{state}}|node")
elif program == "scancel":
    for line in (root / args[-1]).read_text().splitlines():
        task, process = line.split()
        if is_running(process):
            os.killpg(int(process), signal.SIGTERM)
            with open(root / "answers", "a") as answers:
                answers.write(f"{{task}} CANCELLED\\n")
"""


def make_stand_in(root: Path) -> str:
    """Write the programs below ``root``; the PATH on which they are found first."""
    state, programs = root / "state", root / "programs"
    state.mkdir()
    programs.mkdir()
    (state / "answers").touch()
    for name in ("sbatch", "squeue", "scancel", "srun"):
        (programs / name).write_text(_PROGRAM.format(python=sys.executable, root=str(state)))
        (programs / name).chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"
