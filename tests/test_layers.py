"""The architecture: an import may only go down, and third parties stay where they belong."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "espnet_ent"

LAYERS = (
    ("labels", "frames", "timeline", "errors", "windows"),
    ("corpora", "data", "metrics", "export", "jobs"),
    ("encoders", "transducer", "emotion", "losses", "search", "collate"),
    ("plugin",),
    ("bin", "inference", "inference_config", "decoding", "report", "doctor", "pack_check", "publishing"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ONLY_STDLIB_AND_NUMPY = LAYERS[0]
# A report may be written, and a command may start, without torch: their imports of lower layers are checked at run
# time (tests/bin). Here: who may import what at all.
FORBIDDEN = {0: {"torch", "torchaudio", "espnet2", "espnet"}, 1: {"torch", "torchaudio", "espnet2", "espnet"}}
FORBIDDEN |= {2: {"espnet2", "espnet"}, 3: {"espnet"}, 4: {"espnet2", "espnet"}}

FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def unit(path: Path) -> str:
    """The name of a file's room: the first part below the package."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> list[str]:
    """Dotted names of everything that a file imports, at any depth."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module)
            if node.module == "espnet_ent":
                found += [f"espnet_ent.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_file_has_a_layer_and_imports_only_downwards(path):
    if path == PACKAGE / "__init__.py":
        return
    name = unit(path)
    assert name in LEVEL, f"{name} stands in no layer"
    for imported in imports(path):
        parts = imported.split(".")
        if parts[0] in FORBIDDEN[LEVEL[name]]:
            pytest.fail(f"{path.name} (layer {LEVEL[name]}) imports {imported}")
        if parts[0] == "espnet_ent" and len(parts) > 1:
            assert LEVEL[parts[1]] <= LEVEL[name], f"{path.name} imports upwards: {imported}"


@pytest.mark.parametrize("name", ONLY_STDLIB_AND_NUMPY)
def test_the_lowest_layer_needs_the_standard_library_and_numpy_only(name):
    import sys

    for imported in imports(PACKAGE / f"{name}.py"):
        top = imported.split(".")[0]
        assert top in {"numpy", "espnet_ent", "__future__"} or top in sys.stdlib_module_names


def test_packages_of_one_layer_do_not_import_each_other_in_a_circle():
    edges: dict[str, set[str]] = {}
    for path in FILES:
        for imported in imports(path):
            parts = imported.split(".")
            if parts[0] == "espnet_ent" and len(parts) > 1 and parts[1] != unit(path):
                edges.setdefault(unit(path), set()).add(parts[1])

    def reachable(start):
        seen, stack = set(), [start]
        while stack:
            for following in edges.get(stack.pop(), ()):
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
        return seen

    circles = [name for name in edges if name in reachable(name) and name != "__init__"]
    assert not circles


def test_the_mini_corpus_alone_knows_espeak():
    importers = {unit(path) for path in FILES if any("espeakng" in name for name in imports(path))}
    assert importers == {"corpora"}


def python_files():
    return sorted([*FILES, *(ROOT / "tests").rglob("*.py"), ROOT / "setup.py"])


@pytest.mark.parametrize("path", python_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_keep_to_their_size(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{node.name} is too long"


def test_public_functions_have_docstrings_and_annotations():
    lacking = []
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {ast.unparse(base) for base in node.bases}
                if "Protocol" not in bases:
                    functions += [child for child in node.body if isinstance(child, ast.FunctionDef)]
        for function in functions:
            if function.name.startswith("_"):
                continue
            if ast.get_docstring(function) is None or function.returns is None:
                lacking.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}")
    assert not lacking
