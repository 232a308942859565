"""What `docs/registry.md` shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.cli.registry import VERBS
from modelyard.registry.codec import Codec
from modelyard.registry.codecs import CODECS

PAGE = (Path(__file__).parents[2] / "docs" / "registry.md").read_text()


def test_the_first_example_runs(home: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.random.default_rng(0).random((20, 3))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, x[:, 0] > 0.5)
    names: dict[str, Any] = {"pipeline": pipeline, "X": x}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], names)
    assert (names["model"].predict(x) == pipeline.predict(x)).all()
    shown = re.findall(r"(?m)^      (\S+) ", PAGE)
    assert {each.name for each in (home / "models" / "spam" / "v1.0.0").iterdir()} <= {*shown, "model.skops"}
    assert (home / "models" / ".modelyard-registry").exists() and (home / "models" / ".gitignore").exists()


def test_it_names_every_verb_and_every_member_of_a_codec() -> None:
    told = re.findall(r"`modelyard registry ([a-z|]+)`", PAGE)[0].split("|")
    assert [each for each in told if each not in VERBS] == []
    members = {name for name in vars(Codec) if not name.startswith("_")}
    assert members <= set(re.findall(r"(?m)^\| `(\w+)", PAGE))
    assert len(CODECS) == 10
