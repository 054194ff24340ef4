"""What may not stand in the code at all: the package, the tools around it and the shell code, read as text."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PYTHON = sorted(
    path for folder in ("espnet_ent", "benchmarks", "egs2", "tools") for path in (ROOT / folder).rglob("*.py")
)
PYTHON += [ROOT / "setup.py"]
SHELL = sorted(
    path
    for folder in ("egs2", "tools", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and not path.is_symlink() and path.read_bytes().startswith(b"#!") and path.suffix != ".py"
)
SHELL += sorted((ROOT / "egs2").rglob("*.sh"))

# Calls that run what a file or a user says, by their dotted names.
_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.startfile", "tempfile.mktemp"}
_CALLS |= {"pickle.load", "pickle.loads", "pickle.Unpickler", "pickle.dump", "pickle.dumps", "builtins.eval"}
_CALLS |= {"shutil.unpack_archive", "torch.hub.load", "subprocess.getoutput", "subprocess.getstatusoutput"}
_CALLS |= {"yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "numpy.fromregex", "logging.config.listen"}
_METHODS = {"extractall", "extract"}  # of zipfile and tarfile
_MODULES = {"dill", "cloudpickle", "joblib", "jsonpickle", "marshal", "shelve", "cPickle", "imp", "pty", "telnetlib"}
_KEYWORDS = {("shell", True), ("weights_only", False), ("allow_pickle", True), ("trust_remote_code", True)}
_KEYWORDS |= {("verify", False), ("filter", "fully_trusted")}
_ALLOWED_PICKLE = {"UnpicklingError"}
_OURS = {("espnet_ent/plugin/packs.py", "extract")}  # of plugin/archives.py, which is what checks each member


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    """``a.b.c`` of an expression, with the names that imports gave put back; empty for anything else."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, aliases)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _aliases(tree: ast.AST) -> dict[str, str]:
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def faults_of_python(source: str) -> list[str]:
    """``line: fault`` of everything that may not be there."""
    tree = ast.parse(source)
    aliases = _aliases(tree)
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = [alias.name for alias in node.names]
            for name in [module] if module else names:
                if name.partition(".")[0] in _MODULES:
                    faults.append(f"{node.lineno}: imports {name}")
            if module == "pickle" and set(names) - _ALLOWED_PICKLE:
                faults.append(f"{node.lineno}: pickle")
        elif isinstance(node, ast.Attribute) and _dotted(node.value, aliases) == "pickle":
            if node.attr not in _ALLOWED_PICKLE:
                faults.append(f"{node.lineno}: pickle.{node.attr}")
        elif isinstance(node, ast.Call):
            faults += [f"{node.lineno}: {fault}" for fault in _faults_of_call(node, _dotted(node.func, aliases))]
    return faults


def _faults_of_call(node: ast.Call, name: str) -> list[str]:
    faults = [name] if name in _CALLS or name.startswith(("os.exec", "os.spawn")) else []
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        faults.append(node.func.attr)
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    for keyword, value in _KEYWORDS:
        found = given.get(keyword)
        if found is not None and not (isinstance(found, ast.Constant) and found.value != value):
            faults.append(f"{name}({keyword}=...)")
    if name == "torch.load" and "weights_only" not in given:
        faults.append("torch.load without weights_only")
    if name == "yaml.load" and not _is_name(given.get("Loader")):
        faults.append("yaml.load without a safe loader")
    return faults


def _is_name(node: ast.AST | None) -> bool:
    """A loader of the module itself; :func:`test_loaders_of_yaml_are_safe` looks at what it is."""
    return isinstance(node, ast.Name) and node.id.startswith("_")


def faults_of_shell(source: str) -> list[str]:
    """``line: fault`` of what runs a string as code."""
    forbidden = {
        "eval": r"(?:^|[\s;&|({`])eval\s",
        "source of a program's output": r"(?:^|[\s;&|({])(?:source|\.)\s+<\(",
        "sh -c of a variable": r"\b(?:ba|z|da)?sh\s+(?:-\w+\s+)*-c\s+[\"']?\$",
        "download piped into a shell": r"\b(?:curl|wget)\b[^|]*\|\s*(?:sudo\s+)?(?:ba)?sh\b",
        "raw archive extraction": r"\b(?:tar\s+-?\w*x|unzip\b)",
        "chmod 777": r"\bchmod\s+(?:-R\s+)?[0-7]?777\b",
    }
    faults = []
    for number, line in enumerate(source.splitlines(), 1):
        code = re.sub(r"(^|\s)#.*", "", line)
        faults += [f"{number}: {name}" for name, pattern in forbidden.items() if re.search(pattern, code)]
    return faults


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


pytestmark = pytest.mark.security


def test_no_python_file_runs_what_a_file_says(figures) -> None:
    found = {
        _name(path): [
            fault for fault in faults_of_python(path.read_text()) if (_name(path), fault.split()[1]) not in _OURS
        ]
        for path in PYTHON
    }
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert len(PYTHON) > 150
    promise = "no `weights_only=False`, unsafe YAML, `eval`, `exec`, pickle, `shell=True` or raw archive extraction"
    figures("Security", promise, python_files=len(PYTHON))


def test_no_shell_file_runs_a_string(figures) -> None:
    found = {_name(path): faults_of_shell(path.read_text(encoding="utf-8")) for path in set(SHELL)}
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert len(set(SHELL)) > 15
    figures("Security", "no `eval` and no downloaded or computed shell code", shell_files=len(set(SHELL)))


def test_loaders_of_yaml_are_safe() -> None:
    loads = [(path, name) for path in PYTHON for name in re.findall(r"yaml\.load\(.*Loader=(\w+)", path.read_text())]
    assert loads
    for path, name in loads:
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        assert issubclass(getattr(module, name), (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "import torch as t\nt.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "from torch import load\nload(path)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.UnsafeLoader)",
        "from yaml import unsafe_load as read\nread(text)",
        "eval('1')",
        "exec(code)",
        "import builtins\nbuiltins.eval('1')",
        "import pickle\npickle.load(file)",
        "import pickle as p\np.loads(data)",
        "from pickle import loads",
        "import joblib",
        "from marshal import loads",
        "import os\nos.system('ls')",
        "from os import popen\npopen('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "subprocess.Popen(command, shell=given)",
        "archive.extractall(target)",
        "zipfile.ZipFile(path).extract(name)",
        "import shutil\nshutil.unpack_archive(path)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "import os\nos.execvp('ls', [])",
    ],
)
def test_each_of_these_would_be_found_in_python(source: str) -> None:
    assert len(faults_of_python(source)) >= 1


@pytest.mark.parametrize(
    "source",
    [
        'eval "$command"',
        "x=1; eval $x",
        "source <(program)",
        'bash -c "$1"',
        "sh -e -c $command",
        "curl https://example.org/x | sh",
        "tar xf a.tar",
        "tar -xzf a.tgz",
        "unzip a.zip",
    ],
)
def test_each_of_these_would_be_found_in_shell(source: str) -> None:
    assert len(faults_of_shell(source)) >= 1


def test_harmless_code_is_left_alone() -> None:
    assert faults_of_python("model.eval()\ntorch.load(p, weights_only=True)\nre.compile('x')\nevaluate(1)") == []
    assert faults_of_python("import pickle\ntry: f()\nexcept pickle.UnpicklingError: pass") == []
    assert faults_of_shell('# eval is evil\nevaluate x\necho "$x"  # eval') == []
