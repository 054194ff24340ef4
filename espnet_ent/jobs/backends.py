"""Where jobs can run."""

from __future__ import annotations

from espnet_ent.errors import ConfigError
from espnet_ent.jobs.local import LocalRunner
from espnet_ent.jobs.runner import JobRunner, Resources, RunOptions
from espnet_ent.jobs.slurm import SlurmRunner

BACKENDS: dict[str, type[JobRunner]] = {"local": LocalRunner, "slurm": SlurmRunner}


def make_runner(backend: str, options: RunOptions, resources: Resources) -> JobRunner:
    """The runner of a backend.

    Raises:
        ConfigError: If there is no such backend.
    """
    if backend not in BACKENDS:
        raise ConfigError("unknown backend", where="--backend", expected=" | ".join(BACKENDS), got=backend)
    return BACKENDS[backend](options, resources)
