"""What the documents say is so: targets, options, files, names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
_OPTIONS = {
    name
    for script in (ROOT / "egs2/TEMPLATE/ent1/ent.sh", *ROOT.glob("egs2/*/ent1/run.sh"))
    for name in re.findall(r"^([a-z]\w*)=", script.read_text(), flags=re.MULTILINE)
}
_DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "egs2/*/ent1/README.md")
    for path in ROOT.glob(pattern)
    if path.name != "RESULTS.md"
)
_RECIPES = sorted(path.parent for path in ROOT.glob("egs2/*/ent1/run.sh"))


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_readme_begins_with_what_it_is_and_the_two_commands() -> None:
    before, first, *_ = README.split("```sh\n")
    prose = " ".join(line for line in before.splitlines() if not line.startswith("#"))
    assert len(re.findall(r"[.!](?:\s|$)", prose.strip())) == 2
    assert [line.split("  ")[0] for line in first.split("```")[0].splitlines()] == ["make demo", "make test"]


def test_the_readme_shows_what_the_demo_prints() -> None:
    block = README.split("<!-- result of make demo: begin -->")[1].split("<!-- result of make demo: end -->")[0]
    assert "to be filled" not in block
    for printed in ("Set test", "WER", "UA", "Set zed_test", "EDER", "all neutral", "ORACLE", "utterance prosody"):
        assert printed in block


def test_the_makefile_has_what_it_must_and_explains_it() -> None:
    assert {"env", "demo", "test", "lint", "bench"} <= _TARGETS
    explained = set(re.findall(r'@echo "make ([\w-]+) ', (ROOT / "Makefile").read_text()))
    assert explained == _TARGETS - {"help"}


@pytest.mark.parametrize("path", _DOCUMENTS, ids=_name)
def test_make_targets_and_files_that_are_named_are_there(path: Path) -> None:
    text = path.read_text()
    code = "\n".join([*_blocks(text, "sh"), *re.findall(r"`([^`\n]+)`", text)])
    assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= _TARGETS
    for file in re.findall(r"\b(?:egs2|docs|tests|tools|espnet_ent|conf)/[\w./]+\w/?", code):
        made_by_a_run = re.search(r"/(exp|data|dump|downloads)\b", file)
        assert made_by_a_run or "<" in code.split(file)[1][:1] or (ROOT / file).exists(), file


@pytest.mark.parametrize("path", _DOCUMENTS, ids=_name)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", [ROOT / "README.md", *(recipe / "README.md" for recipe in _RECIPES)], ids=_name)
def test_options_that_are_named_are_options(path: Path) -> None:
    for line in path.read_text().splitlines():
        if "run.sh" in line or "--stage" in line:
            # What is inside quotes goes to local/data.sh or to ent_train.
            assert set(re.findall(r"--(\w+)", re.sub(r'"[^"]*"', "", line))) - {"help"} <= _OPTIONS | {"stage"}


def test_every_recipe_is_in_the_readme() -> None:
    for recipe in _RECIPES:
        assert f"cd {_name(recipe)}" in README


def test_python_examples_parse_and_import_public_names() -> None:
    import espnet_ent

    for block in _blocks(README, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "espnet_ent":
                assert {alias.name for alias in node.names} <= set(espnet_ent.__all__)


def test_the_example_s_attributes_are_those_of_a_transcript() -> None:
    from espnet_ent.data.transcript import EmotionTranscript

    used = set(re.findall(r"\btranscript\.(\w+)", README))
    assert used
    assert used <= {*EmotionTranscript.__dataclass_fields__, *vars(EmotionTranscript)}


def test_layers_in_contributing_are_the_enforced_ones() -> None:
    source = ast.parse((ROOT / "tests/test_layers.py").read_text())
    (layers,) = [
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "LAYERS"
    ]
    rows = re.findall(r"^\| L(\d) \| ([^|]+) \|", CONTRIBUTING, flags=re.MULTILINE)
    told = {int(level): set(re.findall(r"`(\w+)(?:\.py|/)`", names)) for level, names in rows}
    assert told == {level: set(names) for level, names in enumerate(layers)}


def test_decisions_are_numbered_and_complete() -> None:
    files = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    for file in files:
        text = file.read_text()
        assert text.startswith(f"# {int(file.name[:4])}. ")
        positions = [text.index(f"**{part}.**") for part in ("Context", "Decision", "Consequence")]
        assert positions == sorted(positions)


def test_public_files_name_no_registry_and_no_private_path() -> None:
    suspects = re.compile(r"https?://[^\s)]*(?:pypi|simple)|index-url|find-links|/root/|/work/")
    own = {Path(__file__).name}
    for folder in ("", ".ci", "tools", "egs2", "conf", "docs", "espnet_ent"):
        pattern = "*" if folder in ("", ".ci", "tools") else "**/*"
        for path in (ROOT / folder).glob(pattern):
            made_by_a_run = re.search(r"/ent1/(exp|data|dump|downloads)/|__pycache__", str(path))
            if path.is_file() and not path.is_symlink() and not made_by_a_run and path.name not in own:
                assert not suspects.search(path.read_text(errors="replace")), _name(path)


def test_every_variant_of_a_system_is_told() -> None:
    told = (ROOT / "docs/SYSTEMS.md").read_text()
    for path in sorted((ROOT / "conf/variants").glob("*.txt")):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        names = [line.split()[0] for line in lines]
        assert len(set(names)) == len(names) > 1
        assert [name for name in names if f"`{name}`" not in told] == []
