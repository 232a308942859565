"""Code in graphs, settings and templates that is spelled, placed or named so that it is not seen."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest

from modelyard.safety.files import scan_file
from modelyard.safety.folders import files_below
from safety.judged import codes, scanned
from safety.test_readers import zipped


def exported(
    formula: str = "Symbol('s77', positive=True, integer=True)", target: str = "torch.ops.aten.mul.Tensor"
) -> bytes:
    node = {"target": target, "outputs": [{"as_int": {"as_expr": {"expr_str": formula}}}]}
    graph = json.dumps({"graph_module": {"graph": {"nodes": [node]}}})
    return zipped({"m/archive_format": "pt2", "m/version": "0", "m/models/model.json": graph})


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [("Symbol('s77', positive=True, integer=True)", "safe"), ("2*s0 + Max(1, FloorDiv(u0, 3))", "safe"),
     ("Add(Mul(Integer(2), Symbol('s0')), Rational(1, 2))", "safe"), ("__import__('os').system('x')", "dangerous"),
     ("s0.func", "dangerous"), ("eval(chr(49))", "dangerous"), ("[s0 for s0 in (1,)][0]", "dangerous")],
)  # fmt: skip
def test_formulas_of_exported_programs(tmp_path: Path, formula: str, verdict: str) -> None:
    """torch.export.load gives them to sympy.sympify, which evaluates Python (seen with torch 2.13)."""
    assert scanned(tmp_path, exported(formula), "m.pt2").verdict == verdict


@pytest.mark.parametrize(
    ("target", "code"),
    [("torch.hub.load", "dangerous-name"), ("torch.ops.acme.run.default", "custom-operator"),
     ("acme.run", "unvetted-name"),
     ("torch.ops.aten.from_file.default", "graph-operation")],
)  # fmt: skip
def test_operators_of_exported_programs(tmp_path: Path, target: str, code: str) -> None:
    assert codes(scanned(tmp_path, exported(target=target), "m.pt2")) == {code}
    spelled = exported().replace(b'"target"', b'"t\\u0061rget"')
    assert scanned(tmp_path, spelled, "m.pt2").verdict != "safe"


@pytest.mark.parametrize("code", ["torch.save(x, '/tmp/x')", "torch . from_file('/x', True, 4)", "ops . acme . run(x)"])
def test_scripts_that_reach_files(tmp_path: Path, code: str) -> None:
    """TorchScript runs __setstate__ while it loads, and writes torch's own operators without `ops`."""
    script = f"class M(Module):\n  def __setstate__(self, x):\n    {code}\n"
    empty = b"\x80\x02)."
    data = zipped({"m/constants.pkl": empty, "m/data.pkl": empty, "m/code/__torch__.py": script, "m/version": "3"})
    assert scanned(tmp_path, data, "m.pt").verdict in ("suspicious", "dangerous")


@pytest.mark.parametrize(
    "text",
    ["a: !<tag:yaml.org,2002:python/object/apply:os.system> [x]", "a: !!p%79thon/object/apply:os.system [x]",
     "%TAG !e! tag:yaml.org,2002:python/\n---\na: !e!object/apply:os.system [x]", "a: {_target_: os.system, c: x}",
     'a:\n  "_t\\x61rget_": os.system', "a:\n  _target_: &x os.system", "a:\n  _target_: >-\n    os.system",
     "a:\n  _target_:\n    os.system", "a: {b: &x os.system, _target_: *x}"],
)  # fmt: skip
def test_classes_in_yaml_however_they_are_spelled(tmp_path: Path, text: str) -> None:
    assert scanned(tmp_path, text.encode(), "c.yaml").verdict in ("suspicious", "dangerous")
    assert scanned(tmp_path, b"a: &x {b: 1}\nc: *x\nd: what is this! yes\n", "c.yaml").findings == ()


@pytest.mark.parametrize(
    "template",
    ["{{ x['_'~'_class_'~'_'] }}", "{{ ''['_'+'_class_'+'_'] }}", "{% set k='_'~'_class_'~'_' %}{{ x[k]('id') }}",
     "{% set f = x[k] %}{{ f('id') }}", "{{ x | map(attribute='_'~'_class_') | list }}", "{{ x()('id') }}",
     "{{ x[['_','_'] | join] }}", "{{ x | selectattr(y) }}"],
)  # fmt: skip
def test_templates_that_compute_names(tmp_path: Path, template: str) -> None:
    assert scanned(tmp_path, template.encode(), "chat_template.jinja").verdict in ("suspicious", "dangerous")


HONEST = """{%- macro render(tool) -%}{{ tool | tojson(indent=4) }}{%- endmacro -%}
{%- set ns = namespace(last=none, turns=0) -%}{% for message in messages[1:] %}
{%- if (message['role'] == 'user') and loop.index0 is not divisibleby(2) %}{{ raise_exception('No ' + message.role) }}
{%- elif message.content is string %}{{ '<|' + message['role'] + message['content'].split('</think>')[-1] | trim }}
{%- endif %}{%- for call in message.tool_calls %}{{ render(call['function']) }}{{ call.arguments.items() | list }}
{%- endfor %}{{ params[name] ~ strftime_now("%d") }}{{ messages[(ns.turns - 1)]['content'] }}{% endfor %}"""


def test_an_honest_template_raises_no_alarm(tmp_path: Path) -> None:
    assert scanned(tmp_path, HONEST.encode(), "chat_template.jinja").findings == ()


def test_a_template_in_the_other_byte_order(tmp_path: Path) -> None:
    key, text = b"tokenizer.chat_template", b"{{ x.__class__ }}"
    pair = struct.pack(">Q", len(key)) + key + struct.pack(">IQ", 8, len(text)) + text
    assert scanned(tmp_path, b"GGUF" + struct.pack(">IQQ", 3, 0, 1) + pair, "m.gguf").verdict == "unknown"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [("NaN", "suspicious"), ('"\\ud800"', "suspicious"), ("[" + "1," * 300_000 + "1]", "unknown"),
     (" " * (9 << 20) + "1", "unknown")],
    ids=["NaN", "half a letter", "many values", "much space"],
)  # fmt: skip
def test_settings_that_only_python_reads(tmp_path: Path, value: str, verdict: str) -> None:
    data = '{"auto_map": {"AutoModel": "modeling.Net"}, "x": ' + value + "}"
    assert scanned(tmp_path, data.encode(), "config.json").verdict == verdict


def test_names_that_promise_a_format_that_cannot_be_read(tmp_path: Path) -> None:
    unknown_field = b"\xc2\x0c\x80\x01" + b"x" * 128
    for called in ("m.onnx", "m.gguf", "m.h5", "m.keras", "m.safetensors", "m.npz", "m.skops"):
        assert scanned(tmp_path, unknown_field, called).verdict == "unknown", called
    assert scanned(tmp_path, b"ftrt" + bytes(99), "m.engine").verdict == "suspicious"


def test_a_frozen_graph(tmp_path: Path) -> None:
    """What TensorFlow 1 writes: a graph without the folder of a SavedModel, or inside the .meta of a checkpoint."""
    graph = field(1, field(1, b"a") + field(2, b"WriteFile"))
    assert scanned(tmp_path, graph, "graph.pb").verdict == "dangerous"
    assert scanned(tmp_path, field(1, b"\x0a\x00") + field(2, graph), "model.meta").verdict == "dangerous"


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + bytes([len(data) & 0x7F | 0x80, len(data) >> 7]) + data


def test_a_graph_in_a_checkpoint_of_tensorflow(tmp_path: Path) -> None:
    """What a real `.meta` begins with, the operators that TensorFlow knows, is no node; groups are passed over."""
    facts = field(2, field(1, field(1, b"MatMul") + field(4, bytes(200)))) + field(5, b"2.21.0")
    for name, verdict in ((b"MatMul", "safe"), (b"WriteFile", "dangerous"), (b"ReadFile", "suspicious")):
        graph = field(1, field(1, b"a") + field(2, name))
        assert scanned(tmp_path, field(1, facts) + field(2, graph), "model.ckpt.meta").verdict == verdict
        group = b"\xa3\x06" + field(1, b"x") + b"\xa4\x06"
        assert scanned(tmp_path, group + graph, "graph.pb").verdict == verdict


@pytest.mark.parametrize(
    "spelled",
    ['op: "WriteFile"', "op:'WriteFile'", 'op # a "comment"\n :\n "Write" # another\n \'File\'', 'op:"\\x57riteFile"',
     'op: "\\127rite\\u0046ile"'],
)  # fmt: skip
def test_a_graph_that_is_written_as_text(tmp_path: Path, spelled: str) -> None:
    honest = 'node {\n  name: "WriteFile"\n  op: "MatMul"  # op: WriteFile\n}\n'
    for called in ("graph.pbtxt", "saved_model.pbtxt", "model.meta"):
        assert scanned(tmp_path, honest.encode(), called).findings == ()
        told = scanned(tmp_path, f"{honest}node {{ {spelled} }}".encode(), called)
        assert [each.runs for each in told.findings] == ["WriteFile writes any file"]


def test_files_of_others_with_the_names_of_graphs_are_no_broken_ones(tmp_path: Path) -> None:
    triton = b'name: "net"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 8\n'
    assert scanned(tmp_path, triton, "config.pbtxt").findings == ()
    assert scanned(tmp_path, b"item { id: 1 name: 'Save' }\n", "labels.pbtxt").findings == ()
    assert scanned(tmp_path, b"fileFormatVersion: 2\n", "picture.png.meta").findings == ()
    assert scanned(tmp_path, bytes(99), "zeros.meta").findings == ()


def test_the_same_bytes_under_two_names(tmp_path: Path) -> None:
    """The cache of the hub keeps equal files once: a harmless name must not hide what the other one does."""
    blob = tmp_path / "blob"
    blob.write_text('{"auto_map": {"AutoModel": "modeling.Net"}}')
    for called in ("a.txt", "config.json"):
        os.symlink(blob, tmp_path / called)
    found = [scan_file(path) for path in files_below([str(tmp_path)])]
    assert len(found) == 2 and {each.verdict for each in found} == {"safe", "suspicious"}
    blob.write_text('[{"type": "os.system"}]')
    os.symlink(blob, tmp_path / "modules.json")
    assert "dangerous" in {scan_file(path).verdict for path in files_below([str(tmp_path)])}
