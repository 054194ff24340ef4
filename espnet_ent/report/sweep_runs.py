"""The runs of a sweep: stages 11 to 13 of a recipe for each setting and seed, side by side."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.errors import ConfigError
from espnet_ent.jobs.array import Job
from espnet_ent.jobs.local import run_local
from espnet_ent.jobs.outcome import failure_lines, message_of
from espnet_ent.report.sweep import Row, Setting, SweepPlan, chosen, config_of

_START = "valid.loss.ave.pth"  # what others start from


@dataclass(frozen=True)
class SweepRuns:
    """Runs the stages of the recipe.

    Attributes:
        plan: What to train.
        recipe: Directory of ``run.sh``.
        expdir: As of ``run.sh``.
        seeds: Seeds of training.
        max_jobs_run: Trainings at a time.
        inference_tag: Name of a decoding directory up to the checkpoint's name.
    """

    plan: SweepPlan
    recipe: Path
    expdir: str
    seeds: tuple[str, ...]
    max_jobs_run: int = 1
    inference_tag: str = "decode_greedy"

    def train(self, dev: str, only: Sequence[str] | None = None) -> int:
        """Train all settings with all seeds, decode and score the development set; returns how many runs failed.

        Raises:
            ConfigError: If ``only`` names an unknown setting, or there is no recipe.
        """
        if not (self.recipe / "run.sh").is_file():
            raise ConfigError("there is no run.sh", where=self.recipe, next_step="give --recipe egs2/CORPUS_ent/ent1")
        names = [setting.name for setting in self.plan.settings]
        for name in only or ():
            if name not in names:
                raise ConfigError("unknown setting", where="--only", expected=f"one of {' '.join(names)}", got=name)
        settings = [setting for setting in self.plan.settings if only is None or setting.name in only]
        starts = [setting for setting in self.plan.starts if setting not in settings]
        for setting in [*starts, *settings]:
            path = self._folder / f"{setting.name}.yaml"
            content = config_of(setting, self.recipe)
            if not path.is_file() or path.read_text(encoding="utf-8") != content:
                atomic_write_text(path, content)
        failed = self._prepare(settings)
        needed = {setting.start for setting in settings}
        for others in (
            [s for s in self.plan.starts if s.name in needed],
            [s for s in settings if s in self.plan.scored],
        ):
            # Seed by seed: a sweep that is stopped has all settings with the same seeds.
            failed += self._run([(setting, seed) for seed in self.seeds for setting in others], [dev], 11, "dev")
        return failed

    def _prepare(self, settings: Sequence[Setting]) -> int:
        """Stages 2 to 10 of settings with data of their own, one after the other."""
        own = {setting.run_options: setting for setting in settings if setting.run_options}
        jobs = []
        for setting in own.values():
            command = ("./run.sh", "--expdir", self.expdir, *setting.run_options, "--stage", "2", "--stop_stage", "10")
            log = self._folder / "log" / f"{setting.name}_data.log"
            jobs.append(Job(log, ("bash", "-c", 'cd "$0" && "$@"', str(self.recipe), *command)))
        results = run_local(jobs, 1) if jobs else []
        for line in failure_lines(results):
            print(line, file=sys.stderr)
        return sum(result.status != 0 for result in results)

    def test(self, rows: Sequence[Row], dev: str, sets: Sequence[str]) -> int:
        """Decode and score test sets with the chosen setting, the baseline and the supervised ones."""
        best = chosen(rows, self.plan, dev)
        tested = [row for row in rows if row is best or row.setting.is_supervised]
        tested += [row for row in rows if row.setting.name == self.plan.baseline and row not in tested]
        checkpoints = {row.setting.name: (row.checkpoint,) for row in tested}
        runs = [(row.setting, seed) for row in tested for seed in self.seeds]
        return self._run(runs, sets, 12, "test", checkpoints)

    def _run(
        self,
        runs: Sequence[tuple[Setting, str]],
        sets: Sequence[str],
        stage: int,
        name: str,
        checkpoints: dict[str, tuple[str, ...]] | None = None,
    ) -> int:
        jobs = []
        for setting, seed in runs:
            log = self._folder / "log" / f"{setting.name}_seed{seed}_{name}.log"
            wanted = self.plan.checkpoints if checkpoints is None else checkpoints[setting.name]
            jobs.append(Job(log, self._command(setting, seed, sets, stage, wanted)))

        def show(job: Job, line: str) -> None:
            if ": epoch " in line or "error: " in line:
                print(f"{job.log.stem}: {message_of(line).partition(': ')[2]}", flush=True)

        results = run_local(jobs, self.max_jobs_run, show) if jobs else []
        for line in failure_lines(results):
            print(line, file=sys.stderr)
        return sum(result.status != 0 for result in results)

    def _command(
        self, setting: Setting, seed: str, sets: Sequence[str], stage: int, checkpoints: Sequence[str]
    ) -> tuple[str, ...]:
        """Stages up to 13, decoding with one checkpoint after the other."""
        given = ["./run.sh", "--seeds", seed, "--expdir", self.expdir, "--inference_nj", "1", *setting.run_options]
        config = f"{self.expdir}/{self._folder.name}/{setting.name}.yaml"
        given += ["--ent_config", config, "--ent_tag", self.plan.tag(setting)]
        given += ["--test_sets", " ".join(sets)]
        commands = [["cd", str(self.recipe)]]
        if setting.start is not None:
            start = next(other for other in self.plan.settings if other.name == setting.start)
            model = f"{self.expdir}/seed{seed}/ent_{self.plan.tag(start)}/{_START}"
            given += ["--ent_args", f"--init_param {model}"]
        if setting in self.plan.starts:
            commands.append([*given, "--stage", "11", "--stop_stage", "11"])
            checkpoints = ()
        for number, checkpoint in enumerate(checkpoints):
            first = stage if number == 0 else 12
            stages = ["--stage", str(first), "--stop_stage", "13"]
            tag = f"{self.inference_tag}_{checkpoint.removesuffix('.pth')}"
            commands.append([*given, *stages, "--inference_ent_model", checkpoint, "--inference_tag", tag])
        return ("bash", "-c", " && ".join(map(shlex.join, commands)))

    @property
    def _folder(self) -> Path:
        return self.recipe / self.expdir / f"sweep_{self.plan.name}"
