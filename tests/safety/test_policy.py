"""The policy is data: typed, whole, free of contradictions, and true of the packages that are installed here."""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path

import pytest
import torch

from modelyard.safety import policy
from modelyard.safety.opcodes import OPCODES
from modelyard.safety.policy import Dangerous, Name, Vetted, lookup, modern, vetted_names, weights_only_names
from modelyard.safety.policy.lists import dangerous_modules
from modelyard.safety.rules import RULES
from modelyard.safety.running import HANDLERS, STOP
from safety.vetting.__main__ import GROUPS
from safety.vetting.walk import vetted


def test_every_opcode_of_every_protocol_is_followed() -> None:
    ours = {opcode.code: opcode for opcode in OPCODES}
    theirs = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
    assert {code: (each.name, each.protocol) for code, each in ours.items()} == {
        code: (each.name, each.proto) for code, each in theirs.items()
    }
    assert {code for code in range(256) if HANDLERS[code].__name__ != "_unheard_of"} == set(ours) - {STOP}


def test_every_entry_says_why_and_how() -> None:
    for name, entry in vetted_names().items():
        assert entry.why and entry.framework and entry.kind and entry.uses, name
        assert entry.rule in RULES or entry.rule in ("any", "never"), name
        assert entry.rule != "never" or "call" not in entry.uses, name
        assert name.module and name.name and "*" not in name.module + name.name


def test_what_is_dangerous_says_what_it_does_and_nothing_is_both_by_accident() -> None:
    both = {name for name in vetted_names() if policy._dangerous(*name) is not None}
    assert all(each.does or all(each.names.values()) for each in dangerous_modules().values())
    assert {name.module.partition(".")[0] for name in both} <= {
        "builtins", "types", "uuid", "re", "logging", "pathlib", "inspect", "signal", "http", "joblib", "numpy",
        "torch", "pandas", "copyreg", "_codecs", "sklearn", "transformers",
    }  # fmt: skip
    for name in both:
        entry = vetted_names()[name]
        assert entry.framework == "python" or entry.kind in (
            "array", "type", "function", "ufunc", "script", "class", "enum", "exception", "table", "value", "opener",
        ), name  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("os.path", "join"), ("asyncio.events", "x"), ("subprocess", "a.b"),
     ("pathlib", "os.system"), ("collections", "abc.sys.modules"), ("numpy", "load"), ("torch.fx.graph", "Graph")],
)  # fmt: skip
def test_known_dangers(module: str, name: str) -> None:
    found = lookup(module, name)
    assert isinstance(found, Dangerous) and found.does


def test_keys_are_exact() -> None:
    assert isinstance(lookup("collections", "OrderedDict"), Vetted)
    for module, name in (("collections", "OrderedDict.fromkeys"), ("collections.", "OrderedDict"), ("Collections",
                         "OrderedDict"), ("collections", "orderedDict"), ("torch.nn.modules.linear", "")):  # fmt: skip
        assert lookup(module, name) is None


def test_old_addresses_are_those_of_pickle_itself() -> None:
    import _compat_pickle

    for module, new in _compat_pickle.IMPORT_MAPPING.items():
        assert modern(module, "anything-else") == (new, "anything-else")
    for old, renamed in _compat_pickle.NAME_MAPPING.items():
        assert modern(*old) == renamed
    assert modern("collections", "OrderedDict") == ("collections", "OrderedDict")


def test_weights_only_is_what_torch_says() -> None:
    from torch._weights_only_unpickler import _get_allowed_globals

    theirs = {Name(*each.rsplit(".", 1)) for each in _get_allowed_globals()}
    assert weights_only_names() == theirs
    missing = {name for name in theirs if not isinstance(lookup(*name), Vetted)}
    assert not missing


def test_what_is_installed_is_what_was_reviewed() -> None:
    """The shipped list holds what the script finds in the packages of this environment, with the same uses."""
    found = list(vetted(["torch.nn", "torch.optim", "transformers.training_args"]))
    assert len(found) > 400
    for each in found:
        entry = vetted_names()[Name(each.module, each.name)]
        if entry.kind == each.group:
            assert entry.uses == set(GROUPS[each.group][0])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_loading_call_is_true(tmp_path: Path) -> None:
    """What a scan says of weights_only is what torch does."""
    from modelyard.safety.files import scan_file

    path = tmp_path / "m.pt"
    linear = torch.nn.Linear(2, 2)
    for thing in (linear.state_dict(), linear, {"a": 1}, torch.nn.Parameter(torch.ones(2)), [torch.float16],
                  torch.optim.Adam(linear.parameters()).state_dict(), {"a": {1, 2}}):  # fmt: skip
        for new in (True, False):
            for protocol in (2, 4):
                torch.save(thing, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
                told = scan_file(str(path))
                try:
                    torch.load(path, weights_only=True)
                    loads = True
                except pickle.UnpicklingError:
                    loads = False
                assert told.loads.startswith("weights_only=True") == loads, (thing, new, protocol, told)
                assert told.verdict == "safe"
