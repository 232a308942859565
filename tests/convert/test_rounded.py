"""`--dtype`: every float is the nearest one there is, which torch's own rounding confirms; and the loss is told."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import safetensors.torch
import torch

from convert.checks import converted, refused, words
from modelyard.api.converting import Wish
from modelyard.convert import rounding

TARGETS = {"BF16": torch.bfloat16, "F16": torch.float16}
SOURCES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
PAIRS = [(a, b) for a, b in itertools.product(SOURCES, TARGETS) if a != b]


def patterns(kind: torch.dtype) -> torch.Tensor:
    """Bits of every sort: all of 16, and random ones of wider floats with their middles between two targets."""
    random = torch.Generator().manual_seed(7)
    if kind.itemsize == 2:
        return torch.arange(1 << 16).to(torch.uint16).view(kind)
    whole = torch.int32 if kind.itemsize == 4 else torch.int64
    low, high = torch.iinfo(whole).min, torch.iinfo(whole).max
    bits = torch.randint(low, high, (200_000,), generator=random, dtype=whole).view(kind)
    every = [torch.arange(1 << 16).to(torch.uint16).view(each).to(torch.float64) for each in TARGETS.values()]
    middles = [(each[1:] + each[:-1]) / 2 for each in every]
    near = [step for each in middles for step in (each, each * (1 + 2**-40), each * (1 - 2**-40))]
    return torch.cat([bits, *(each.to(kind) for each in (*every, *near))])


def nearest(source: torch.Tensor, target: torch.dtype) -> torch.Tensor:
    """What exact arithmetic says: the candidate that is nearest, the even one of two."""
    wide = source.to(torch.float64)
    if source.dtype != torch.float64:
        return source.to(torch.float32).to(target)
    first = wide.to(torch.float32).to(target)  # rounded twice: at most one step off
    bits = first.view(torch.int16).to(torch.int32)
    near = torch.stack([(bits + step).clamp(-32768, 32767).to(torch.int16).view(target) for step in (0, -1, 1)])
    apart = (near.to(torch.float64) - wide).abs()
    odd = (near.view(torch.int16) & 1).to(torch.float64)
    usable = near.isfinite() & (near.signbit() == first.signbit())
    key = torch.where(usable, apart, torch.inf)
    least = key.min(0).values
    choice = torch.where((key == least) & usable, odd, 2).argmin(0)
    best = near.gather(0, choice[None])[0]
    return torch.where(first.isfinite(), best, first)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pattern_of_bits_is_rounded_as_it_should_be(source: str, target: str) -> None:
    before = patterns(SOURCES[source])
    data = before.numpy().tobytes() if source != "BF16" else before.view(torch.uint16).numpy().tobytes()
    found = rounding.rounded(data, source, target)
    after = torch.from_numpy(numpy.frombuffer(found, "<u2").copy()).view(TARGETS[target])
    wanted = nearest(before, TARGETS[target])
    assert torch.equal(after.isnan(), before.isnan())
    kept = ~before.isnan()
    differs = after.view(torch.int16)[kept] != wanted.view(torch.int16)[kept]
    limit = float(torch.finfo(TARGETS[target]).max)
    differs &= before[kept].to(torch.float64).abs() < limit  # beside infinity the oracle knows no middle
    assert not differs.any()
    assert torch.equal(after.signbit(), before.signbit())
    told = rounding.compared(data, source, found, target)
    assert told.wrong == 0
    assert told.overflowed == int((after.isinf() & before.isfinite()).sum())


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_number_one_step_off_is_seen(source: str, target: str) -> None:
    before = torch.tensor([1.0, -3.0, 1e-3, 0.0, 200.0], dtype=SOURCES[source])
    data = before.view(torch.uint8).numpy().tobytes()
    good = numpy.frombuffer(rounding.rounded(data, source, target), "<u2")
    for at, step in itertools.product(range(len(good)), (1, -1)):
        bad = good.copy()
        bad[at] = (int(bad[at]) + step) % 65536
        assert rounding.compared(data, source, bad.tobytes(), target).wrong == 1
    infinite = torch.full((5,), torch.inf, dtype=TARGETS[target]).view(torch.uint8).numpy().tobytes()
    assert rounding.compared(data, source, infinite, target).wrong == 5


def test_a_checkpoint_is_rounded_and_whole_numbers_are_not(home: Path) -> None:
    state = {
        "w": torch.randn(50, 40), "turned": torch.randn(30, 20, dtype=torch.float64).T, "half": torch.randn(9).half(),
        "already": torch.randn(9).bfloat16(), "steps": torch.arange(5), "mask": torch.tensor([True, False]),
        "large": torch.tensor([1e39, -1e39, float("nan"), float("inf"), -0.0], dtype=torch.float64),
        "eight": torch.ones(3).to(torch.float8_e4m3fn), "none": torch.empty(0, 3),
    }  # fmt: skip
    torch.save(state, home / "m.pt")
    found = converted(home / "m.pt", Wish(dtype="BF16"))
    loaded = safetensors.torch.load_file(home / "m.safetensors")
    for name, each in state.items():
        if each.dtype in (torch.float32, torch.float16, torch.float64):
            assert loaded[name].dtype == torch.bfloat16
            assert torch.equal(loaded[name].nan_to_num(7), nearest(each, torch.bfloat16).nan_to_num(7))
        else:
            assert words(loaded[name]) == words(each)
    assert loaded["large"].isnan().tolist() == [False, False, True, False, False]
    assert found.agreement is not None
    assert (found.agreement.overflowed, found.agreement.compared) == (2, 50 * 40 + 30 * 20 + 9 + 5)
    assert 0 < found.agreement.largest < 0.1
    assert any("4 tensors" in each for each in found.notes)


def test_a_rounded_set_and_a_rounded_state_dict(home: Path) -> None:
    state = {f"{at}": torch.randn(10, 10) for at in range(6)} | {"tied": torch.ones(1)}
    state["tied"] = state["1"]
    torch.save(state, home / "m.pt")
    found = converted(home / "m.pt", Wish(dtype="F16", max_shard=500))
    assert len(found.written) == 3, "the size that counts is that of the copy"
    converted(home / "m.pt", Wish(to="torch", dtype="F16"), home / "half.pt")
    loaded = torch.load(home / "half.pt", weights_only=True)
    assert all(torch.equal(loaded[name], each.half()) for name, each in state.items())
    converted(home / "half.pt", Wish(dtype="F16"), home / "same.safetensors")


def test_a_number_that_was_rounded_wrongly_never_gets_its_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"w": torch.randn(1000)}, home / "m.pt")
    real = rounding.rounded

    def cut(data: bytes, dtype: str, target: str) -> bytes:
        found = numpy.frombuffer(real(data, dtype, target), "<u2").copy()
        found[500] ^= 1
        return found.tobytes()

    monkeypatch.setattr("modelyard.convert.copying.rounded", cut)
    assert refused(home / "m.pt", Wish(dtype="BF16")).code == "unequal"


def test_rounding_needs_no_package(home: Path) -> None:
    torch.save({"w": torch.randn(10)}, home / "m.pt")
    code = "import sys; sys.modules['numpy'] = None; from modelyard.cli import main; main()"
    command = [sys.executable, "-c", code, "convert", str(home / "m.pt"), "--dtype", "bf16", "--allow-lossy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert safetensors.torch.load_file(home / "m.safetensors")["w"].dtype == torch.bfloat16
