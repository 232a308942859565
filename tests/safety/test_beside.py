"""Code beside weights: told once a folder, and never for packages and for projects without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelyard.api.scanning import Scanned, scan
from modelyard.safety.beside import FOLDER
from safety.judged import scanned
from safety.payloads import benign, name, text
from typed import Run

NOTEBOOK = {"cells": [{"cell_type": "code", "source": ["!touch marker"]}], "nbformat": 4}


def told(place: Path) -> dict[str, str]:
    """What is said of each folder and file, by its path below the place."""
    found: list[Scanned] = scan([str(place)])
    return {
        str(Path(each.path).relative_to(place)): "; ".join(own.runs for own in each.findings)
        for each in found
        if each.findings
    }


def put(place: Path, **files: bytes) -> Path:
    """Files with a dot for each double underscore of their names."""
    place.mkdir(parents=True, exist_ok=True)
    for called, data in files.items():
        (place / called.replace("__", ".")).write_bytes(data)
    return place


def test_python_beside_weights_is_told_without_its_first_line(tmp_path: Path) -> None:
    put(tmp_path, model__pkl=benign(), modeling_own__py=b"import os\n", handler__py=b"", notes__txt=b"words")
    assert told(tmp_path) == {
        ".": "handler.py (an inference endpoint runs it), modeling_own.py (trust_remote_code=True runs it)"
    }


def test_every_kind_of_code_once_a_folder(tmp_path: Path) -> None:
    words = json.dumps({"cells": [{"cell_type": "markdown", "source": ["words"]}]}).encode()
    put(tmp_path, w__pkl=benign(), a__sh=b"#!/bin/sh\n", b__bat=b"echo", c__ps1=b"x", run=b"#!/usr/bin/env python3\n")
    put(tmp_path, d__ipynb=json.dumps(NOTEBOOK).encode(), e__pth=b"import os; os.system('x')\n", words__ipynb=words)
    found = scan([str(tmp_path)])
    (line,) = [each for each in found if each.findings and not each.path.endswith(".pth")]
    assert (line.format, line.verdict, line.path) == (FOLDER, "suspicious", str(tmp_path))
    for each in ("a.sh", "b.bat", "c.ps1", "d.ipynb", "e.pth (Python runs its lines", "run"):
        assert each in line.findings[0].runs
    assert "words.ipynb" not in line.findings[0].runs
    put(tmp_path, **{f"m{number}__py": b"" for number in range(20)})
    assert told(tmp_path)["."].endswith(" and 20 more")


def test_a_snapshot_of_a_repository_is_one_folder(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--acme--net/snapshots" / ("1" * 40)
    put(snapshot, config__json=b'{"auto_map": {"AutoModel": "net.Net"}}', net__py=b"")
    put(snapshot / "site-packages/deep", more__py=b"")
    key = str(snapshot.relative_to(tmp_path))
    assert told(tmp_path)[key] == "net.py, site-packages/deep/more.py"
    assert len(told(tmp_path)) == 2, "the settings, and the code"


def test_settings_that_ask_for_code_and_pipelines_of_several_folders(tmp_path: Path) -> None:
    put(tmp_path / "a", config__json=b'{"auto_map": {"AutoModel": "net.Net"}}', net__py=b"")
    put(tmp_path / "b", model_index__json=b"{}", pipeline__py=b"")
    put(tmp_path / "b/unet", w__pkl=benign())
    put(tmp_path / "c", MLmodel=b"flavors: {}\n")
    put(tmp_path / "c/code/own", __init____py=b"", net__py=b"")
    found = told(tmp_path)
    assert found["a"] == "net.py" and found["b"] == "pipeline.py (custom_pipeline runs it)"
    assert found["c"].startswith("code/own/")


@pytest.mark.parametrize("folder", ["lib/python3.12/site-packages/acme", "dist-packages/acme", "src/acme"])
def test_sources_of_packages_and_projects_are_no_findings(tmp_path: Path, folder: str) -> None:
    for number in range(30):
        put(tmp_path / folder / f"p{number}", a__py=b"import os\n", b__py=b"")
    if "packages" in folder:
        put(tmp_path / folder / "tests", data__pkl=benign(), test_data__py=b"", run__sh=b"#!/bin/sh\n")
    put(tmp_path, train__py=b"import torch\n")
    assert told(tmp_path) == {}


def test_a_script_without_a_model_is_told_by_itself(tmp_path: Path) -> None:
    put(tmp_path / "tools", install__sh=b"#!/bin/sh\n")
    assert list(told(tmp_path)) == ["tools/install.sh"]


def test_the_command_names_the_folder_and_a_gate_stops(run: Run, home: Path) -> None:
    place = put(home / "net", w__pkl=benign(), modeling_net__py=b"x = 1\n")
    answer = run("scan", str(place))
    assert answer.code == 5 and "1 suspicious, 2 safe" in answer.out and "2 files scanned" in answer.out
    assert "modeling_net.py (trust_remote_code=True runs it)" in answer.out
    assert run("scan", "net", "--sarif").code == 5
    assert run("scan", "w.pkl", "modeling_net.py").code == 1, "no such paths"


def test_a_path_file_of_python_is_no_broken_pickle(tmp_path: Path) -> None:
    """Alone in its folder, too: what Python runs at every start is told, a list of folders runs nothing."""
    plain = scanned(tmp_path, b"conda/lib\n(x86)\n# words\n]\n\n", "plain.pth")
    assert (plain.format, plain.findings) == ("Python path file", ())
    for begin in (b"", b"\xef\xbb\xbf", b"lib\r", b"lib\x0c"):
        runs = scanned(tmp_path, begin + b"import os; os.system('id')\nimport\tsys\n", "runs.pth")
        (one,) = runs.findings
        assert (one.code, one.severity) == ("code-file", "suspicious")
        assert one.runs.endswith("import os; os.system('id') and 1 more")
        assert told(tmp_path) == {"runs.pth": one.runs}
    assert scanned(tmp_path, name("os", "system") + text("id") + b"\x85R", "m.pth").verdict == "dangerous"
    assert scanned(tmp_path, bytes(range(256)), "m.pth").verdict == "unknown"
