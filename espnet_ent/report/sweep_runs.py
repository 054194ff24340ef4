"""The runs of a sweep: stages 11 to 13 of a recipe for each setting and seed, side by side."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from espnet_ent.errors import ConfigError
from espnet_ent.jobs.array import Job
from espnet_ent.jobs.local import LocalRunner
from espnet_ent.jobs.outcome import failure_lines, message_of
from espnet_ent.jobs.result import JobResult
from espnet_ent.jobs.runner import RunOptions
from espnet_ent.report.sweep_choice import best_checkpoints, chosen
from espnet_ent.report.sweep_plan import Setting, check_epochs
from espnet_ent.report.sweep_record import is_changed, write_records
from espnet_ent.report.sweep_scores import Row, RunPlaces, read_rows

_START = "valid.loss.ave.pth"  # what others start from
# A group of its own: a shell that is told to stop does not tell what it has started.
_TOGETHER = """set -m; job=; trap '[ -z "${job}" ] || kill -TERM -- "-${job}"; wait; exit 143' TERM INT HUP; \
( %s ) & job=$!; set +m; wait "${job}\""""


@dataclass
class SweepRuns:
    """Runs the stages of the recipe, and reads what they gave.

    Attributes:
        places: What to train, and where.
        dev: The set that chooses.
        max_jobs_run: Trainings at a time.
        failed: Setting, seed and set of the runs that failed: scores that lie there are of an earlier run.
        changed: Names of settings, left alone by ``train``, that are no longer what they were trained with.
    """

    places: RunPlaces
    dev: str
    max_jobs_run: int = 1
    failed: set[tuple[str, str, str]] = field(default_factory=set)
    changed: tuple[str, ...] = ()

    def rows(self, sets: Sequence[str] = ()) -> list[Row]:
        """What has been scored on the development set, and on others: one row a setting, with its best checkpoint."""
        names = [self.dev, *sets]
        changed = {(name, seed, of) for name in self.changed for seed in self.places.seeds for of in names}
        return best_checkpoints(read_rows(self.places, names, self.failed | changed), self.num_seeds, self.dev)

    @property
    def num_seeds(self) -> int:
        """Seeds of the sweep."""
        return len(self.places.seeds)

    def train(self, only: Sequence[str] | None = None) -> None:
        """Train all settings with all seeds, decode and score the development set.

        Raises:
            ConfigError: If ``only`` names an unknown setting, there is no recipe, settings have been trained with
                something else, or don't have the checkpoints to choose from.
        """
        plan = self.places.plan
        if not (self.places.recipe / "run.sh").is_file():
            raise ConfigError(
                "there is no run.sh", where=self.places.recipe, next_step="give --recipe egs2/CORPUS_ent/ent1"
            )
        names = [setting.name for setting in plan.settings]
        for name in only or ():
            if name not in names:
                raise ConfigError("unknown setting", where="--only", expected=f"one of {' '.join(names)}", got=name)
        settings = [setting for setting in plan.settings if only is None or setting.name in only]
        scored = [setting for setting in settings if setting in plan.scored]
        needed = {setting.start for setting in settings}
        starts = [setting for setting in plan.starts if setting.name in needed or setting in settings]
        for setting in scored:
            check_epochs(plan, setting, self.places.recipe)
        write_records(self.places, [*starts, *scored])
        others = [setting for setting in plan.scored if setting not in scored]
        self.changed = tuple(setting.name for setting in others if is_changed(self.places, setting))
        self._prepare([*starts, *scored])
        # Seed by seed: a sweep that is stopped has all settings with the same seeds.
        seeds = self.places.seeds
        self._run([(setting, seed) for seed in seeds for setting in starts], [self.dev], 11, "dev")
        runs = [(setting, seed) for seed in seeds for setting in scored]
        self.failed |= {(s.name, seed, self.dev) for s, seed in runs if (s.start, seed, self.dev) in self.failed}
        self._run(runs, [self.dev], 11, "dev")

    def test(self, rows: Sequence[Row], sets: Sequence[str]) -> None:
        """Decode and score test sets with the chosen setting, its baseline, the plan's, and the supervised ones."""
        best = chosen(rows, self.num_seeds, self.dev)
        wanted = {row.setting.name for row in rows if row is best or row.setting.is_supervised}
        wanted |= {self.places.plan.baseline} | ({best.setting.baseline} if best else set())
        tested = [row for row in rows if row.setting.name in wanted]
        checkpoints = {row.setting.name: (row.checkpoint,) for row in tested}
        self._run([(row.setting, seed) for row in tested for seed in self.places.seeds], sets, 12, "test", checkpoints)

    def _prepare(self, settings: Sequence[Setting]) -> None:
        """Stages 2 to 10 of settings with data of their own, one after the other."""
        own = {setting.run_options: setting for setting in settings if setting.run_options}
        jobs = []
        for setting in own.values():
            command = ["./run.sh", "--expdir", self.places.expdir, *setting.run_options]
            job = self._job(f"{setting.name}_data", [[*command, "--stage", "2", "--stop_stage", "10"]])
            jobs.append(job)
        results = LocalRunner(RunOptions(max_jobs_run=1)).run(jobs)
        _tell(results)
        broken = {options for options, result in zip(own, results, strict=True) if result.status != 0}
        unprepared = [setting for setting in settings if setting.run_options in broken]
        self.failed |= {(s.name, seed, self.dev) for s in unprepared for seed in self.places.seeds}

    def _run(
        self,
        runs: Sequence[tuple[Setting, str]],
        sets: Sequence[str],
        stage: int,
        name: str,
        checkpoints: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        runs = [(setting, seed) for setting, seed in runs if (setting.name, seed, self.dev) not in self.failed]
        jobs = []
        for setting, seed in runs:
            wanted = self.places.plan.checkpoints if checkpoints is None else checkpoints[setting.name]
            commands = self._commands(setting, seed, sets, stage, wanted)
            jobs.append(self._job(f"{setting.name}_seed{seed}_{name}", commands))

        def show(job: Job, line: str) -> None:
            if ": epoch " in line or "error: " in line:
                print(f"{job.log.stem}: {message_of(line).partition(': ')[2]}", flush=True)

        results = LocalRunner(RunOptions(self.max_jobs_run)).run(jobs, show)
        _tell(results)
        for (setting, seed), result in zip(runs, results, strict=True):
            if result.status != 0:
                self.failed |= {(setting.name, seed, of) for of in sets}

    def _commands(
        self, setting: Setting, seed: str, sets: Sequence[str], stage: int, checkpoints: Sequence[str]
    ) -> list[list[str]]:
        """Stages up to 13, decoding with one checkpoint after the other."""
        plan, expdir = self.places.plan, self.places.expdir
        given = ["./run.sh", "--seeds", seed, "--expdir", expdir, "--inference_nj", "1", *setting.run_options]
        given += ["--ent_config", f"{expdir}/{self.places.folder.name}/{setting.name}.yaml"]
        given += ["--ent_tag", plan.tag(setting), "--test_sets", " ".join(sets), "--calibrate", "false"]
        if setting.start is not None:
            start = next(other for other in plan.settings if other.name == setting.start)
            model = f"{expdir}/seed{seed}/ent_{plan.tag(start)}/{_START}"
            given += ["--ent_args", f"--init_param {model}"]
        if setting in plan.starts:
            return [[*given, "--stage", "11", "--stop_stage", "11"]]
        commands = []
        for number, checkpoint in enumerate(checkpoints):
            stages = ["--stage", str(stage if number == 0 else 12), "--stop_stage", "13"]
            tag = self.places.decoding(checkpoint)
            commands.append([*given, *stages, "--inference_ent_model", checkpoint, "--inference_tag", tag])
        return commands

    def _job(self, name: str, commands: Sequence[Sequence[str]]) -> Job:
        """Commands in the recipe's directory, each after the success of the one before, which are stopped together."""
        line = " && ".join(map(shlex.join, [["cd", str(self.places.recipe)], *commands]))
        return Job(self.places.folder / "log" / f"{name}.log", ("bash", "-c", _TOGETHER % line))


def _tell(results: Sequence[JobResult]) -> None:
    for line in failure_lines(results):
        print(line, file=sys.stderr)
