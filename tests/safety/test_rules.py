"""The fourteen rules that the history of scanner bypasses forces, one test or more for each."""

from __future__ import annotations

import io
import json
import pickle
import random
import subprocess
import sys
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from modelyard.safety.policy import lookup, vetted_names
from safety.judged import codes, scanned
from safety.payloads import benign, call, name, stacked, stream, system, text, torch_zip, touch


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


def test_rule_1_frames_are_kept_and_both_readings_of_a_broken_one_are_followed(tmp_path: Path, marker: Path) -> None:
    hidden = b"\0\0" + system(marker) + b"."
    data = b"\x80\x04N0\x95" + (2).to_bytes(8, "little") + b"B\x07\x01\0\0" + hidden.ljust(0x107, b"N") + b"."
    told = scanned(tmp_path, data)
    assert told.verdict == "dangerous" and {"frame-mismatch", "dangerous-call"} <= codes(told)
    assert scanned(tmp_path, torch_zip(data), "m.pt").verdict == "dangerous"


def test_rule_1_a_frame_within_a_frame(tmp_path: Path) -> None:
    inner = b"\x95" + (3).to_bytes(8, "little") + b"N0N"
    told = scanned(tmp_path, b"\x80\x04" + b"\x95" + (30).to_bytes(8, "little") + inner.ljust(29, b"N") + b"." * 40)
    assert told.verdict == "dangerous" and "frame-mismatch" in codes(told)


def test_rule_1_honest_frames_are_no_finding(tmp_path: Path) -> None:
    told = scanned(tmp_path, pickle.dumps({"a": ["x" * 70_000, b"y" * 200_000], "b": list(range(70_000))}, 4))
    assert (told.verdict, told.findings) == ("safe", ())


def test_rule_2_a_reference_alone_is_judged(tmp_path: Path) -> None:
    assert scanned(tmp_path, stream(name("os", "system"))).verdict == "dangerous"
    assert scanned(tmp_path, stream(name("os", "system") + b"0N")).verdict == "dangerous"
    assert scanned(tmp_path, stream(name("acme.models", "Net"))).verdict == "suspicious"


@pytest.mark.parametrize(
    ("module", "qualified"),
    [("numpy", "memmap"), ("numpy", "load"), ("numpy.f2py.crackfortran", "getlincoef"), ("torch.hub", "load"),
     ("torch.ops", "load_library"), ("torch.fx.graph_module", "_forward_from_src"), ("joblib", "load"),
     ("sklearn.datasets", "fetch_openml"), ("sklearn.base", "BaseEstimator.get_params"), ("torch.nn", "os")],
)  # fmt: skip
def test_rule_2_no_prefix_is_ever_vetted(tmp_path: Path, module: str, qualified: str) -> None:
    assert scanned(tmp_path, stream(stacked(module, qualified))).verdict in ("suspicious", "dangerous")


def test_rule_2_every_level_of_a_dotted_name(tmp_path: Path) -> None:
    assert scanned(tmp_path, stream(stacked("pathlib", "os.system"))).verdict == "dangerous"
    assert (
        scanned(tmp_path, stream(stacked("torch.nn.modules.linear", "Linear.__init__.__globals__"))).verdict != "safe"
    )


@pytest.mark.parametrize("opcode", [b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"])
def test_rule_2_extension_codes_are_refused(tmp_path: Path, opcode: bytes) -> None:
    assert "extension-code" in codes(scanned(tmp_path, stream(opcode)))


def test_rule_3_a_name_that_is_computed(tmp_path: Path) -> None:
    rot = call(name("_codecs", "encode"), text("flfgrz"), text("rot13"))
    told = scanned(tmp_path, stream(text("os") + rot + b"\x93"))
    assert {"computed-name", "unvetted-arguments"} <= codes(told) and told.verdict == "dangerous"
    plain = call(name("_codecs", "encode"), text("abc"), text("latin1"))
    assert scanned(tmp_path, stream(plain)).verdict == "safe"


def test_rule_4_old_addresses_mean_new_ones(tmp_path: Path) -> None:
    old = scanned(tmp_path, stream(name("__builtin__", "eval"), protocol=2))
    assert any("builtins.eval" in each.runs for each in old.findings)
    assert scanned(tmp_path, stream(name("commands", "getoutput"), protocol=2)).verdict == "dangerous"
    assert scanned(tmp_path, stream(name("itertools", "imap"), protocol=1)).verdict == "dangerous"
    assert scanned(tmp_path, stream(call(name("copy_reg", "_reconstructor"), name("__main__", "X"), name(
        "__builtin__", "object"), b"N"), protocol=2)).verdict == "suspicious"  # fmt: skip


@pytest.mark.parametrize(
    "attack",
    [call(name("collections", "defaultdict"), name("os", "abort")),
     call(name("torch._tensor", "_rebuild_from_type_v2"), name("os", "system"), name("torch", "Tensor"), b")", b"N"),
     call(name("torch._tensor", "_rebuild_from_type_v2"), name("torch._utils", "_rebuild_wrapper_subclass"),
          name("torch", "Tensor"), text("x") + b"\x85", b"N"),
     call(name("copyreg", "_reconstructor"), name("os", "system"), name("builtins", "object"), b"N"),
     call(name("builtins", "getattr"), name("enum", "Enum"), text("__subclasses__")),
     call(name("functools", "partial"), name("builtins", "list")), call(name("operator", "attrgetter"), text("x")),
     call(name("builtins", "map"), name("builtins", "list"), b"]"),
     call(name("numpy.core.multiarray", "_reconstruct"), name("collections", "OrderedDict"), b")", b"N"),
     call(name("builtins", "list"), name("collections", "deque") + b")R"),
     call(name("numpy.random._pickle", "__bit_generator_ctor"), name("collections", "OrderedDict")),
     call(name("builtins", "type"), text("X"), b")", b"}"), call(name("builtins", "type"), b"N") + b")R",
     call(name("numpy", "memmap"), text("x")), name("numpy", "memmap") + text("x") + b"\x85\x81",
     call(name("pandas.core.indexes.base", "_new_Index"), name("numpy", "memmap"), b"}"),
     call(name("copyreg", "__newobj__"), name("numpy", "memmap"), text("x")),
     call(name("collections", "defaultdict"), name("numpy", "memmap")),
     call(name("copyreg", "_reconstructor"), name("numpy", "memmap"), name("builtins", "object"), b"N"),
     call(call(name("builtins", "getattr"), name("zoneinfo", "ZoneInfo"), text("from_file")), text("x")),
     call(call(name("builtins", "getattr"), name("zoneinfo", "ZoneInfo"), text("_unpickle")), name("os", "getcwd")),
     b"]" + name("builtins", "getattr") + b"a", call(name("sklearn.neighbors._kd_tree", "newObj"), text("x"))],
)  # fmt: skip
def test_rule_5_vetted_with_what_arguments(tmp_path: Path, attack: bytes) -> None:
    assert scanned(tmp_path, stream(attack)).verdict == "dangerous"


def test_rule_5_bytes_that_are_loaded_are_scanned(tmp_path: Path, marker: Path) -> None:
    inner = stream(system(marker))
    data = stream(call(name("torch.storage", "_load_from_bytes"), b"B" + len(inner).to_bytes(4, "little") + inner))
    told = scanned(tmp_path, data)
    assert any(each.code == "dangerous-name" and each.where.startswith("bytes:") for each in told.findings)


@pytest.mark.parametrize(
    "attack",
    [name("numpy", "size") + b"}" + text("x") + b"K\x01s" + b"b",
     name("argparse", "Namespace") + b"N}" + text("__setstate__") + name("os", "system") + b"s\x86b",
     b"]" + b"}b", b")" + b"}b", call(name("torch._utils", "_rebuild_tensor_v2")) + text("k") + b"K\x01s",
     text("a") + text("k") + b"K\x01s", b")K\x01a", call(name("decimal", "Decimal"), text("1")) + b"K\x01a"],
)  # fmt: skip
def test_rule_6_states_and_items_go_only_where_they_belong(tmp_path: Path, attack: bytes) -> None:
    assert scanned(tmp_path, stream(attack)).verdict == "dangerous"


def test_rule_7_what_is_popped_or_overwritten_ran_all_the_same(tmp_path: Path, marker: Path) -> None:
    for hidden in (system(marker) + b"0N", b"(" + system(marker) + b"1N", system(marker) + b"q\x000Nq\x000h\x00",
                   b"(" + name("os", "system") + touch(marker) + b"o0N", b"(" + touch(marker) + b"ios\nsystem\n0N",
                   text("os") + b"q\x010" + text("system") + b"q\x020h\x01h\x02\x93" + touch(marker) + b"\x85R0N",
                   text("os") + text("x") + b"0" + text("system") + b"\x93" + touch(marker) + b"\x85R0N"):  # fmt: skip
        told = scanned(tmp_path, stream(hidden))
        assert told.verdict == "dangerous" and any("os.system" in each.runs for each in told.findings)


def test_rule_8_persistent_ids_belong_to_torch(tmp_path: Path) -> None:
    storage = b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x00tQ"
    assert scanned(tmp_path, stream(storage)).verdict == "unknown"
    assert scanned(tmp_path, torch_zip(stream(storage, protocol=2), more={"data/0": b""}), "m.pt").verdict == "safe"
    odd = b"(" + text("module") + name("torch", "FloatStorage") + text("0") + b"tQ"
    assert scanned(tmp_path, torch_zip(stream(odd, protocol=2)), "m.pt").verdict == "unknown"


def test_rule_9_every_byte_is_accounted_for(tmp_path: Path, marker: Path) -> None:
    assert scanned(tmp_path, benign() + stream(system(marker))).verdict == "dangerous"
    assert "unaccounted-bytes" in codes(scanned(tmp_path, benign() + b"\xff" * 99))
    hidden = torch_zip(benign(), more={"data/0": stream(system(marker)), "notes/x.bin": stream(system(marker))})
    assert len([each for each in scanned(tmp_path, hidden, "m.pt").findings if each.code == "dangerous-name"]) == 2


def test_rule_9_a_later_stream_may_use_the_memo_of_the_one_before(tmp_path: Path, marker: Path) -> None:
    first = b"\x80\x04" + name("os", "system") + b"q\x07."
    told = scanned(tmp_path, first + b"\x80\x04h\x07" + touch(marker) + b"\x85R.")
    assert "dangerous-call" in codes(told)
    shared = b"\x80\x04" + name("os", "system") + b"\x94."
    told = scanned(tmp_path, shared + b"\x80\x04N\x940h\x00" + touch(marker) + b"\x85R.")
    assert "dangerous-call" in codes(told)


def test_rule_10_what_ran_before_a_break_has_run(tmp_path: Path, marker: Path) -> None:
    for rest in (b"", b"\xff", b"0000", b"h\x63", b"X\xff\xff\xff\x7f", b"R", b"\x80\x09"):
        told = scanned(tmp_path, b"\x80\x04" + system(marker) + rest)
        assert told.verdict == "dangerous" and "dangerous-call" in codes(told)
    assert scanned(tmp_path, benign()[:-5]).verdict == "unknown"


def test_rule_10_many_findings_of_one_kind_do_not_hide_another(tmp_path: Path, marker: Path) -> None:
    crowd = b"".join(name("acme", f"Net{number}") + b"0" for number in range(600))
    assert scanned(tmp_path, b"\x80\x04" + crowd + b"\xff").verdict == "unknown"
    assert scanned(tmp_path, stream(crowd, system(marker))).verdict == "dangerous"


@pytest.mark.parametrize("suffix", [".pkl", ".txt", ".safetensors", "", ".jpg"])
def test_rule_11_content_first_and_every_container(tmp_path: Path, marker: Path, suffix: str) -> None:
    evil = stream(system(marker))
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/model.xyz", zlib.compress(evil))
    for data in (evil, evil[2:], zlib.compress(evil), torch_zip(evil), inner.getvalue(), torch_zip(inner.getvalue())):
        assert scanned(tmp_path, data, f"model{suffix}").verdict == "dangerous"


@pytest.mark.parametrize("begin", [b"", b"cos\nsystem\np0\n0"], ids=["nothing before", "a name before"])
@pytest.mark.parametrize("name", ["model.txt", "model.dat", "model"])
def test_rule_12_what_lies_behind_the_end_of_a_budget_is_never_safe(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes, name: str
) -> None:
    monkeypatch.setattr("modelyard.safety.running.ENTRIES", 1000)
    evil = begin + b"N" * 200_000 + system(marker) + b"."
    assert scanned(tmp_path, evil, name).verdict in ("unknown", "dangerous")


def test_rule_12_budgets_hold_for_bombs(tmp_path: Path) -> None:
    doubling = b"\x80\x04N\x85" + b"2\x86" * 60 + b"."
    deep = b"\x80\x04" + b"(" * 200_000 + b"N" + b"t" * 200_000 + b"."
    bombs = [doubling, deep, b"\x80\x04Nr\xff\xff\xff\x7f.", b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
             b"\x80\x04\x8b\xff\xff\xff\x7f.", b"\x80\x04X\xff\xff\xff\xffa.", b"I" + b"9" * 1_000_000 + b"\n.",
             b"\x80\x04]" + b"2a" * 1000 + b"."]  # fmt: skip
    for bomb in bombs:
        began = time.process_time()
        scanned(tmp_path, bomb)
        assert time.process_time() - began < 5
    tracemalloc.start()
    for bomb in (doubling, *bombs[2:]):
        scanned(tmp_path, bomb)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert "memory-bomb" in codes(scanned(tmp_path, bombs[2]))


def test_rule_13_nothing_that_a_file_names_is_imported(tmp_path: Path, marker: Path) -> None:
    (tmp_path / "trap.py").write_text(f"open({str(marker)!r}, 'w')")
    code = ("import sys; sys.path.insert(0, sys.argv[1])\nfrom modelyard.safety.files import scan_file\n"
            "print(scan_file(sys.argv[2]).verdict, 'trap' in sys.modules, 'pickle' in sys.modules)")  # fmt: skip
    path = tmp_path / "m.pkl"
    path.write_bytes(stream(call(stacked("trap", "Model"))))
    told = subprocess.run(
        [sys.executable, "-c", code, tmp_path, path], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    assert told.stdout.split() == ["suspicious", "False", "False"] and not marker.exists()


def test_rule_14_the_verdict_does_not_depend_on_what_is_installed(tmp_path: Path) -> None:
    known = vetted_names()
    assert len(known) > 3000 and all(entry.why and entry.uses and entry.framework for entry in known.values())
    path = tmp_path / "m.pkl"
    path.write_bytes(stream(name("sklearn.linear_model._base", "LinearRegression") + b")\x81}b", protocol=2))
    code = ("import sys, json; sys.modules['sklearn'] = None\nfrom modelyard.safety.files import scan_file\n"
            "print(json.dumps([f.code for f in scan_file(sys.argv[1]).findings]))")  # fmt: skip
    bare = [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}", str(path)]
    assert json.loads(subprocess.run(bare, capture_output=True, check=True).stdout) == []
    assert lookup("sklearn.linear_model._base", "LinearRegression_") is None


def test_weights_that_begin_like_a_pickle_by_chance_raise_no_alarm(tmp_path: Path) -> None:
    """Of 65,536 arrays six begin so; a model has thousands."""
    rng, early = random.Random(5), 0
    for second in range(6):
        for _ in range(60):
            data = bytes([0x80, second]) + rng.randbytes(2046)
            early += scanned(tmp_path, data, "weight_0").verdict == "safe"
    assert early > 360 * 0.95
    long = b"\xff" + b"i" * 5000 + b"\n" + b"x" * 5000 + b"\n"  # what no loader takes for a name
    for first in (b"\x82\xff", b"\x83\xff\xff", b"\x84\xff\xff\xff\x70", b"i" + long, b"c" + long):
        assert scanned(tmp_path, first + b"\xff" * 2000, "weight_0").verdict == "safe", first[:9]
    assert scanned(tmp_path, b"cos\n" + b"path.os." * 5000 + b"system\n.", "weight_0").verdict == "dangerous"
    cut = pickle.dumps({"a": list(range(400)), "b": "x" * 99})[:-3]
    assert scanned(tmp_path, cut, "weight_0").verdict == "unknown", "a pickle that was cut off is still one"
    assert scanned(tmp_path, stream(system(tmp_path / "marker"))[:-1], "weight_0").verdict == "dangerous"
    assert scanned(tmp_path, bytes([0x80, 0]) + system(tmp_path / "marker") + bytes(99), "w").verdict == "dangerous"
