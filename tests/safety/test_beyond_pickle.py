"""What runs in files that are no pickles: Keras layers, operators, templates, settings, native code, lying headers."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import onnx
import pytest
from onnx import TensorProto, helper

from safety.judged import codes, scanned

DENSE = {"class_name": "Sequential", "module": "keras", "registered_name": None, "config": {"name": "s", "layers": [
    {"class_name": "Dense", "module": "keras.layers", "config": {"units": 2, "activation": "relu", "kernel_initializer":
     {"class_name": "GlorotUniform", "module": "keras.initializers", "config": {}}}}]}}  # fmt: skip
KERAS: list[tuple[dict[str, Any], str, str]] = [
    ({"class_name": "Lambda", "module": "keras.layers", "config": {"function": {}}}, "keras-lambda", "dangerous"),
    ({"class_name": "__lambda__", "config": {"value": "4wEA"}}, "keras-lambda", "dangerous"),
    ({"class_name": "function", "module": "os", "config": "system"}, "dangerous-name", "dangerous"),  # CVE-2025-1550
    ({"class_name": "run", "module": "subprocess", "config": {}}, "dangerous-name", "dangerous"),
    ({"class_name": "function", "module": "keras.utils", "config": "get_file"}, "dangerous-name", "dangerous"),
    ({"class_name": "Net", "module": "acme.layers", "config": {}}, "unvetted-name", "suspicious"),
    ({"class_name": "Net", "registered_name": "acme>Net", "config": {}}, "unvetted-name", "suspicious"),
]


def keras_zip(config: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
    return out.getvalue()


def keras_hdf5(folder: Path, config: dict[str, Any]) -> bytes:
    with h5py.File(folder / "made.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "3.15.1"
        file.create_group("model_weights").create_dataset("w", data=[1.0, 2.0])
    return (folder / "made.h5").read_bytes()


def nested(layer: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "module": "keras", "config": {"layers": [{"config": {"layer": layer}}]}}


@pytest.mark.parametrize(("layer", "code", "verdict"), KERAS)
def test_keras_layers_that_are_code(tmp_path: Path, layer: dict[str, Any], code: str, verdict: str) -> None:
    for data in (keras_zip(nested(layer)), keras_hdf5(tmp_path, nested(layer))):
        told = scanned(tmp_path, data, "m.keras")
        assert (told.verdict, codes(told)) == (verdict, {code})


def test_keras_layers_that_are_settings(tmp_path: Path) -> None:
    assert scanned(tmp_path, keras_zip(DENSE), "m.keras").findings == ()
    assert scanned(tmp_path, keras_hdf5(tmp_path, DENSE), "m.h5").findings == ()


def test_hdf5_links_into_other_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file["weights"] = h5py.ExternalLink("/etc/passwd", "/")
    assert "external-data" in codes(scanned(tmp_path, (tmp_path / "made.h5").read_bytes(), "m.h5"))


def onnx_model(domain: str = "", location: str = "") -> bytes:
    node = helper.make_node("Add", ["x", "w"], ["y"], domain=domain)
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if location:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    inner = helper.make_graph([node], "inner", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    hold = helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([hold], "g", [value], [value], [weight])
    return bytes(helper.make_model(graph, producer_name="a test").SerializeToString())


def test_onnx_operators_and_external_data(tmp_path: Path) -> None:
    assert scanned(tmp_path, onnx_model(), "m.onnx").findings == ()
    assert scanned(tmp_path, onnx_model("com.microsoft"), "m.onnx").findings == ()
    assert codes(scanned(tmp_path, onnx_model("acme.ops"), "m.onnx")) == {"custom-operator"}
    for location in ("../../etc/passwd", "/etc/passwd", "a/../../b"):
        told = scanned(tmp_path, onnx_model(location=location), "m.onnx")
        assert (told.verdict, codes(told)) == ("dangerous", {"external-data"})
    assert scanned(tmp_path, onnx_model(location="w.bin"), "m.onnx").verdict == "safe"
    (tmp_path / "w.bin").symlink_to("/etc/passwd")
    assert "external-data" in codes(scanned(tmp_path, onnx_model(location="w.bin"), "m.onnx"))
    assert onnx.__version__


def message(number: int, data: bytes) -> bytes:
    """A field of protobuf."""
    size = b""
    length = len(data)
    while True:
        size += bytes([length & 127 | (128 if length > 127 else 0)])
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + size + data


@pytest.mark.parametrize(("operator", "verdict"), [("MatMul", "safe"), ("ReadFile", "suspicious"), ("WriteFile",
                         "dangerous"), ("PyFunc", "dangerous"), ("Acme>Run", "suspicious")])  # fmt: skip
def test_saved_model_operators(tmp_path: Path, operator: str, verdict: str) -> None:
    node = message(1, b"n") + message(2, operator.encode())
    for graph in (message(1, node), message(2, message(1, message(1, b"f") + message(3, node)))):
        meta = message(1, message(4, b"serve")) + message(2, graph)
        told = scanned(tmp_path, b"\x08\x01" + message(2, meta), "saved_model.pb")
        assert (told.format, told.verdict) == ("SavedModel", verdict)


TEMPLATES = [
    ("{% for m in messages %}{{ m['role'] + ': ' + m.content.strip() }}{% endfor %}", "safe"),
    ("{%- set ns = namespace(found=false) %}{{ raise_exception('__not code__') }}{{ bos_token }}", "safe"),
    ("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | tojson }}", "safe"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "dangerous"),
    ("{{ x['__globals__']['os'].popen('id').read() }}", "dangerous"),
    ("{{ x|attr('\\x5f\\x5fclass\\x5f\\x5f') }}", "dangerous"),
    ("{{ x | attr(y ~ z) }}", "dangerous"),
    ("{% for c in x | map(attribute='__class__') %}{% endfor %}", "dangerous"),
    ("{{ cycler.next }}{{ lipsum.x }}", "suspicious"),
    ("{% include 'other' %}", "suspicious"),
    ("{{ x.__class__", "dangerous"),
]


def gguf(template: str) -> bytes:
    """A file of one key."""
    key, text = b"tokenizer.chat_template", template.encode()
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text)) + text
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair + bytes(64)


@pytest.mark.parametrize(("template", "verdict"), TEMPLATES)
def test_chat_templates_are_read_and_never_rendered(tmp_path: Path, template: str, verdict: str) -> None:
    assert scanned(tmp_path, gguf(template), "m.gguf").verdict == verdict
    settings = json.dumps({"chat_template": template}).encode()
    assert scanned(tmp_path, settings, "tokenizer_config.json").verdict == verdict
    several = json.dumps({"chat_template": [{"name": "default", "template": template}]}).encode()
    assert scanned(tmp_path, several, "tokenizer_config.json").verdict == verdict
    assert scanned(tmp_path, template.encode(), "chat_template.jinja").verdict == verdict


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"auto_map": {"AutoModel": "modeling.Net"}}, "remote-code"), ({"trust_remote_code": True}, "remote-code"),
     ({"auto_map": {"AutoTokenizer": ["a/b--tok.Tok", None]}}, "remote-code"),
     ({"_class_name": "P", "_diffusers_version": "0.42", "unet": ["my_unet", "Net"]}, "remote-code"),
     ({"token": "hf_" + "a" * 34}, "secret"), ({"key": "AKIA" + "A" * 16}, "secret")],
)  # fmt: skip
def test_settings_that_bring_code_or_secrets(tmp_path: Path, settings: dict[str, Any], code: str) -> None:
    told = scanned(tmp_path, json.dumps(settings).encode(), "config.json")
    assert codes(told) == {code} and "aaaa" not in str(told.findings)


@pytest.mark.parametrize(
    ("called", "settings", "verdict"),
    [("model_index.json", {"_class_name": "P", "unet": ["my_unet", "Net"]}, "suspicious"),
     ("model_index.json", {"_class_name": ["pipeline", "Mine"]}, "suspicious"),
     ("model_index.json", {"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"]}, "safe"),
     ("config.json", {"_class_name": "U", "_diffusers_version": "0.42", "x": ["DownBlock2D", "AttnBlock2D"]}, "safe"),
     ("modules.json", [{"type": "sentence_transformers.models.Pooling"}], "safe"),
     ("modules.json", [{"type": "sentence_transformers.models.Pooling"}, {"type": "own.Layer"}], "suspicious"),
     ("modules.json", [{"type": "joblib.numpy_pickle", "path": "evil.pkl"}], "dangerous"),
     ("modules.json", [{"type": "os.system"}], "dangerous"), ("modules.json", {"type": "words"}, "safe"),
     ("adapter_config.json", {"auto_mapping": {"parent_library": "transformers.models.bert"}}, "safe"),
     ("adapter_config.json", {"auto_mapping": {"parent_library": "evil", "base_model_class": "X"}}, "suspicious")],
)  # fmt: skip
def test_settings_whose_name_says_who_imports_what_they_name(
    tmp_path: Path, called: str, settings: Any, verdict: str
) -> None:
    assert scanned(tmp_path, json.dumps(settings).encode(), called).verdict == verdict


@pytest.mark.parametrize("called", [".env", ".env.local", "settings.env"])
def test_secrets_in_the_variables_of_a_project(tmp_path: Path, called: str) -> None:
    assert codes(scanned(tmp_path, b"KEY=AKIA" + b"A" * 16, called)) == {"secret"}


def test_onnx_data_outside_in_every_place_for_tensors(tmp_path: Path) -> None:
    """Sparse initializers, lists of tensors, defaults of functions, and one behind many files that are fine."""
    away = onnx.TensorProto(data_type=1, dims=[1], name="w", data_location=1)
    away.external_data.add(key="location", value="/etc/passwd")
    sparse = onnx.SparseTensorProto(values=away, dims=[2])
    attributes = [onnx.AttributeProto(name="a", type=kind, **{field: [away if field == "tensors" else sparse]})
                  for kind, field in ((9, "tensors"), (12, "sparse_tensors"))]  # fmt: skip
    graphs = [onnx.GraphProto(name="g", sparse_initializer=[sparse]),
              *(onnx.GraphProto(name="g", node=[onnx.NodeProto(op_type="Constant", attribute=[each])])
                for each in attributes)]  # fmt: skip
    models = [onnx.ModelProto(ir_version=10, graph=each) for each in graphs]
    own = onnx.FunctionProto(name="f", attribute_proto=[attributes[0]])
    models.append(onnx.ModelProto(ir_version=10, graph=onnx.GraphProto(name="g"), functions=[own]))
    many = onnx.GraphProto(name="g")
    for at in range(300):
        many.initializer.add(data_type=1, dims=[1], data_location=1).external_data.add(key="location", value=f"a{at}")
    fine = onnx.ModelProto(ir_version=10, graph=many)
    assert scanned(tmp_path, fine.SerializeToString(), "m.onnx").verdict == "unknown"
    many.initializer.add(data_type=1, dims=[1], data_location=1).external_data.add(key="location", value="z/../../up")
    models.append(onnx.ModelProto(ir_version=10, graph=many))
    for model in models:
        assert scanned(tmp_path, model.SerializeToString(), "m.onnx").verdict == "dangerous", model


def test_settings_that_are_settings(tmp_path: Path) -> None:
    plain = {"architectures": ["Bert"], "model_type": "bert", "hidden_size": 8}
    parts = {"_class_name": "P", "_diffusers_version": "0.42", "unet": ["diffusers", "UNet2DConditionModel"]}
    for settings in (plain, parts):
        assert scanned(tmp_path, json.dumps(settings).encode(), "config.json").findings == ()


def test_classes_by_name_in_yaml_and_nemo(tmp_path: Path) -> None:
    texts = {
        b"model:\n  _target_: os.system\n": "dangerous-name",
        b"a: !!python/object/apply:os.system ['x']\n": "dangerous-name",
        b"_target_: acme.Net\n": "unvetted-name",
        b"model:\n  target: torch.load\n  params: {}\n": "dangerous-name",
    }
    for text, code in texts.items():
        assert codes(scanned(tmp_path, text, "model_config.yaml")) == {code}
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo("./model_config.yaml")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
        assert codes(scanned(tmp_path, out.getvalue(), "m.nemo")) == {code}
    assert scanned(tmp_path, b"_target_: nemo.collections.asr.Model\n", "model_config.yaml").findings == ()
    assert scanned(tmp_path, b"target: ldm.models.Net\nbuild: {target: os}\n", "model_config.yaml").findings == ()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return out.getvalue()


def test_skops_schemas_name_what_they_make(tmp_path: Path) -> None:
    def schema(module: str, kind: str, loader: str = "ObjectNode") -> bytes:
        node = {"__class__": kind, "__module__": module, "__loader__": loader}
        return zipped(schema_dot_json=json.dumps({"content": {"a": [node]}}).encode())

    assert scanned(tmp_path, schema("sklearn.linear_model._base", "LinearRegression"), "m.skops").findings == ()
    assert codes(scanned(tmp_path, schema("os", "system"), "m.skops")) == {"dangerous-name"}
    assert codes(scanned(tmp_path, schema("acme", "Net"), "m.skops")) == {"unvetted-name"}
    assert codes(scanned(tmp_path, schema("builtins", "list", "MethodNode"), "m.skops")) == {"unvetted-call"}
    for module in ("numpy_evil", "sklearn_evil.tree", "sklearn.evil", "builtins_evil"):  # a prefix vets nothing
        assert codes(scanned(tmp_path, schema(module, "ndarray"), "m.skops")) == {"unvetted-name"}, module


def test_code_in_torchscript_archives(tmp_path: Path) -> None:
    def script(code: bytes) -> bytes:
        empty = b"\x80\x02)."
        return zipped(m__data_dot_pkl=empty, m__constants_dot_pkl=empty, m__code__x_dot_py=code)

    assert scanned(tmp_path, script(b"  x = ops.prim.data(y)\n  return torch.relu(x)\n"), "m.pt").findings == ()
    assert codes(scanned(tmp_path, script(b"  ops.acme.run(x)\n"), "m.pt")) == {"custom-operator"}
    assert scanned(tmp_path, script(b"  ops.aten.from_file('/etc/passwd')\n"), "m.pt").verdict == "dangerous"


def test_programs_and_scripts(tmp_path: Path) -> None:
    assert codes(scanned(tmp_path, b"\x7fELF" + bytes(99), "model.so")) == {"native-code"}
    assert codes(scanned(tmp_path, zipped(m__data__x_dot_so=b"\x7fELF" + bytes(99)), "m.pt2")) == {"native-code"}
    assert codes(scanned(tmp_path, b"#!/bin/sh\necho\n", "setup.sh")) == {"code-file"}
    assert codes(scanned(tmp_path, zipped(**{"MAR-INF__MANIFEST_dot_json": b"{}", "h_dot_py": b""}), "m.mar")) == {
        "remote-code"
    }


def safetensors(table: str, data: bytes) -> bytes:
    return struct.pack("<Q", len(table)) + table.encode() + data


ONE = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
LIES = [
    ('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 4),
    ('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8),
    (f"{{{ONE}}}", 8),
    (f"{{{ONE}}}", 2),
    (f"{{{ONE},{ONE.replace('a', 'b', 1)}}}", 4),
    (f"{{{ONE},{ONE}}}", 4),
]


@pytest.mark.parametrize(("table", "length"), LIES)
def test_safetensors_headers_that_lie(tmp_path: Path, table: str, length: int) -> None:
    told = scanned(tmp_path, safetensors(table, bytes(length)), "m.safetensors")
    assert (told.verdict, codes(told)) == ("unknown", {"header-lies"})
    assert scanned(tmp_path, safetensors(f"{{{ONE}}}", bytes(4)), "m.safetensors").findings == ()


def test_a_pickle_that_looks_like_safetensors(tmp_path: Path) -> None:
    body = b'{"a":{"dtype":"F32"'
    head = b"X" + struct.pack("<I", 3 + len(body)) + b"\0\0\0" + body
    assert int.from_bytes(head[:8], "little") < 1 << 40
    marker = f"touch {tmp_path / 'marker'}".encode()
    evil = head + b"0cos\nsystem\n(X" + struct.pack("<I", len(marker)) + marker + b"tR."
    told = scanned(tmp_path, evil + b" " * 9000, "model.safetensors")
    assert told.verdict == "dangerous" and "dangerous-call" in codes(told)
