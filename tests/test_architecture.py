"""The rules of the house that imports cannot show: sizes, words, docstrings, and who may change the disk."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from modelyard.stores import ADAPTERS

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "modelyard"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted(HERE.rglob("*.py"))
WRITERS = {
    "unlink", "rmdir", "rmtree", "remove", "removedirs", "rename", "renames", "replace_file", "mkdir", "makedirs",
    "write_text", "write_bytes", "symlink", "symlink_to", "hardlink_to", "link", "truncate", "ftruncate", "utime",
    "chmod", "chown", "touch", "mkstemp", "mkdtemp", "posix_fallocate", "pwrite", "setxattr", "execv", "Popen",
}  # fmt: skip
MAY_WRITE = {"demo", "apply"}
EMPTY_WORDS = ("utils", "helpers", "manager", "enhanced", "misc", "common")
OWN = {name for path in MODULES for name in [path.stem]}


def tree(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module, inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_keeps_its_budget(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    assert all(length(each) <= 50 for each in functions(path))


def test_most_files_and_functions_are_short() -> None:
    assert median(len(path.read_text().splitlines()) for path in MODULES) <= 100
    assert median(length(each) for path in MODULES for each in functions(path)) <= 8


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(HERE)))
def test_a_test_file_keeps_its_budget(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.STORE.name)
def test_an_adapter_keeps_its_budget_and_its_members(adapter: object) -> None:
    path = Path(str(vars(adapter)["__file__"]))
    assert len(path.read_text().splitlines()) <= 150
    assert all(hasattr(adapter, name) for name in ("STORE", "roots", "recognise", "read"))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.STORE.name)
def test_no_store_knows_another_store(adapter: object) -> None:
    names = {str(vars(each)["__name__"]) for each in ADAPTERS} - {str(vars(adapter)["__name__"])}
    reached, waiting = set(), [Path(str(vars(adapter)["__file__"]))]
    while waiting:
        for name in imports(waiting.pop()):
            part = SOURCE / "stores" / f"{name.rpartition('.')[2]}.py"
            if name.startswith("modelyard.stores.") and name not in reached:
                reached.add(name)
                waiting.append(part)
    assert not reached & names


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Names of what a module calls, with the line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_but_its_rooms_changes_the_disk(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] not in MAY_WRITE:
        assert not [(name, line) for name, line in calls(path) if name in WRITERS]
        assert not any(_opens(node) for node in ast.walk(tree(path)))


def _opens(node: ast.AST) -> bool:
    """The built-in open, which has no business here: files are read by the capped readers."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"


def test_files_are_opened_by_the_capped_readers_alone() -> None:
    rooms = [path for path in MODULES if path.relative_to(SOURCE).parts[0] != "apply"]
    opening = {path.name for path in rooms for name, _ in calls(path) if name in ("open", "read_bytes", "read_text")}
    assert opening <= {"read.py", "mounts.py", "writer.py", "errors.py", "unpack.py"}  # members of a capsule, capped


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_everything_public_says_what_it_is(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module), "the file"
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_names_say_something(path: Path) -> None:
    assert not any(word in path.stem for word in EMPTY_WORDS)


def test_no_room_is_empty() -> None:
    for folder in (path for path in SOURCE.rglob("*") if path.is_dir() and path.name not in ("__pycache__", "native")):
        assert [path for path in folder.glob("*.py") if path.name != "__init__.py"], folder
