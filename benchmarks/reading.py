"""What is done after the walk: each adapter by itself, and the index of references in people's code."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """
import json, sys, time
from pathlib import Path
from modelyard import api
from modelyard.uses import references
from modelyard.walk.tree import walk
def timed(work):
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started
home = Path(sys.argv[1])
_, walked = timed(lambda: walk([str(home)]))
survey, surveyed = timed(lambda: api.survey({}, home, "linux", system=False))
found, indexed = timed(lambda: references.index(survey.tree, survey.claims))
stores = {each.store.name: each.seconds for each in survey.holdings}
print(json.dumps([walked, surveyed, indexed, found.files, stores]))
"""


@dataclass(frozen=True, slots=True)
class Look:
    """Seconds of one look at a home, in one Python."""

    walk: float
    survey: float
    references: float
    files: int
    stores: dict[str, float]


def look(home: Path) -> Look:
    """A fresh Python that walks, surveys and indexes."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(home)], capture_output=True, text=True, check=True)
    return Look(*json.loads(done.stdout))
