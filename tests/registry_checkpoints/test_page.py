"""The page about checkpoints says what the library does: every block of it runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import modelyard
from modelyard.registry import checkpoints

PAGE = Path(__file__).parents[2] / "docs" / "checkpoints.md"


@pytest.mark.filterwarnings("ignore:.*GradScaler")
def test_every_block_of_the_page_runs(home: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    folder = home / "runs" / "first" / "step-00000020"
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=True).returncode == 0
    assert modelyard.Checkpoints is checkpoints.Checkpoints
