"""A single stage of a recipe, run on stand-ins, and what it called."""

from __future__ import annotations

from tests.recipes.workspace import Workspace

EXP = "exp/ent_train_ent_mini_raw_char"
DECODED = f"{EXP}/decode_greedy_valid.loss.ave"


def touch(workspace: Workspace, *files: str) -> None:
    for file in files:
        path = workspace.recipe("mini") / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def run_stage(workspace: Workspace, stage: int, *options: str) -> list[list[str]]:
    ended = workspace.run("mini", "--stage", str(stage), "--stop_stage", str(stage), *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    return workspace.calls()


def options_of(call: list[str]) -> dict[str, list[str]]:
    """Options of a call and their values, repeated ones added up."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in call:
        if word.startswith("--"):
            name = word
            found.setdefault(name, [])
        elif name:
            found[name].append(word)
    return found
