"""The page of recipes says what happens: every block of it runs, in order, in an empty folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from typed import Run

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
RECIPES = (
    "pipeline", "state dict", "whole model", "checkpoint", "Export to ONNX", "another number of samples", "checker",
    "Metadata", "Folders", ".gitignore", "malicious",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_every_block_of_the_page_runs(home: Path, run: Run) -> None:
    text = PAGE.read_text()
    headings = re.findall(r"(?m)^## (.*)$", text)
    assert [any(each in heading for heading in headings) for each in RECIPES] == [True] * len(headings)
    names: dict[str, object] = {"__name__": "recipes"}
    commands = 0
    for language, block in re.findall(r"```(python|console)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(compile(block, str(PAGE), "exec"), names)
            continue
        for line in block.splitlines():
            words, _, comment = line.removeprefix("$ modelyard ").partition("    # ")
            code = re.match(r"exit code (\d+): (.*)", comment)
            answer = run(*shlex.split(words))
            assert answer.code == (int(code[1]) if code else 0), (line, answer)
            assert code is None or code[1] == "5" or code[2] in answer.err
            commands += 1
    assert commands >= 6
    assert not (home / "it-ran").exists()
