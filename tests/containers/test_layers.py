"""Layers by size: the history of an image against its layers, and records of the build cache against both."""

from __future__ import annotations

import pytest

from modelyard.inventory import Part
from modelyard.owners.engine import Engine, Image, Record, Step
from modelyard.stores.engine_cache import cache
from modelyard.stores.engine_layers import NOTHING, chains, layers, stepped

WORDS = "/bin/sh -c #(nop)  "


def image(name: str, *steps: tuple[int, str], digests: tuple[str, ...] | None = None) -> Image:
    """An image of these steps, lowest first, with a layer for each that has a size."""
    found = digests if digests is not None else tuple(f"l{size}" for size, _ in steps if size)
    size = sum(each for each, _ in steps)
    return Image(name, (f"{name}:1",), size=size, layers=found, steps=tuple(Step(*each) for each in steps))


def engine(*images: Image, records: tuple[Record, ...] | None = (), content: bool = False) -> Engine:
    """An engine that holds these."""
    return Engine("docker", "28", (1, 51), "e", "/d", images=images, records=records, content_store=content)


def sizes(found: tuple[Part, ...]) -> list[int]:
    """The sizes of parts."""
    return sorted(part.size for part in found)


def test_chain_ids_are_those_of_the_image_specification() -> None:
    known = ["sha256:477dd621ef8684b7ee84b2b82705d0a1ff2a67c26058bb6539a734e33dfe77f1"]
    assert chains(known) == known
    assert chains(["a", "b", "c"])[:2] == chains(["a", "b"])
    assert chains(["a", "b", "c"])[2] != chains(["b", "a", "c"])[2]


@pytest.mark.parametrize(
    ("steps", "digests", "expected"),
    [
        ([(5, "ADD"), (0, f"{WORDS}CMD x"), (7, "RUN")], ("a", "b"), [5, 7]),
        ([(5, "ADD"), (0, "WORKDIR /w"), (7, "RUN")], ("a", "b", "c"), [5, 0, 7]),
        ([(5, "ADD"), (0, "RUN true"), (0, "WORKDIR /w"), (7, "RUN")], ("a", NOTHING, "c"), [5, 0, 7]),
        ([(5, "ADD"), (0, "ENV A=b"), (0, "RUN true")], ("a", NOTHING), [5, 0]),
        ([(5, "ADD"), (7, "RUN")], ("a",), None),
        ([(5, "ADD"), (0, f"{WORDS}CMD x")], ("a", "b"), None),
        ([], (), []),
    ],
)
def test_history_tells_which_layer_has_which_size(
    steps: list[tuple[int, str]], digests: tuple[str, ...], expected: list[int] | None
) -> None:
    found = stepped(image("i", *steps, digests=digests))
    assert (None if found is None else [step.size for step in found]) == expected


def test_an_image_whose_layers_are_unknown_promises_what_it_has_alone() -> None:
    one, two = Image("one", size=100, shared=60), Image("two", size=100)
    found = layers(engine(one, two))
    assert [(layer.part.size, layer.part.exact) for layer in found["one"]] == [(40, False)]
    assert [(layer.part.size, layer.part.exact) for layer in found["two"]] == [(0, False)]


def test_images_that_disagree_on_a_layer_leave_the_smaller_size() -> None:
    one = image("one", (5, "ADD"), (7, "RUN"), digests=("a", "b"))
    two = image("two", (5, "ADD"), (6, "RUN"), digests=("a", "b"))
    found = layers(engine(one, two))
    assert found["one"][1].part == found["two"][1].part
    assert (found["one"][1].part.size, found["one"][1].part.exact) == (6, False)


def test_a_record_holds_the_layer_of_its_size_and_all_below() -> None:
    base, built = image("base", (5, "ADD")), image("built", (5, "ADD"), (7, "RUN x"))
    record = Record("r", size=7, shared=True)
    found = cache(engine(base, built, records=(record,)), layers(engine(base, built)))
    assert sizes(found.shared) == [5, 7]
    assert all(part.exact for part in found.shared)


def test_the_record_of_a_base_says_nothing_and_holds_it_all() -> None:
    """Seen: size 0, description `from local `, and 6 MB that stayed until it was pruned."""
    base, other = image("base", (5, "ADD")), image("other", (9, "ADD"))
    for text, expected in (("from local ", [5, 9]), ("pulled from docker.io/library/base:1@sha256:ab", [5])):
        record = Record("r", description=text, shared=True)
        found = cache(engine(base, other, records=(record,)), layers(engine(base, other)))
        assert sizes(found.shared) == expected
    left = Record("r", description="from local ")
    found = cache(engine(records=(left,)), {})
    assert [(part.size, part.exact) for part in found.own["r"]] == [(0, False)]


def test_a_record_that_fits_two_layers_leaves_doubt_about_both() -> None:
    one, two = image("one", (7, "RUN"), digests=("a",)), image("two", (7, "RUN"), digests=("b",))
    found = cache(engine(one, two, records=(Record("r", size=7, shared=True),)), layers(engine(one, two)))
    assert [part.exact for part in found.shared] == [False, False]


def test_records_of_packed_images_are_known_by_their_instruction() -> None:
    built = image("built", (5, "ADD"), (7, "COPY k /k # buildkit"))
    fat = Image("built", ("built:1",), size=20, layers=built.layers, steps=built.steps)
    lone = image("lone", (9, "ADD"))
    record = Record("r", description="[2/4] COPY k /k", size=13, shared=True)
    whole = engine(fat, lone, records=(record,), content=True)
    found = cache(whole, layers(whole))
    assert sizes(found.shared) == [5, 7, 8]


def test_a_record_built_on_what_is_in_doubt_is_its_own_and_the_doubt_stays_below() -> None:
    base = image("base", (5, "ADD"))
    records = (
        Record("doubt", size=77, shared=True),
        Record("child", size=3, parents=("doubt",)),
        Record("own", size=2),
    )
    found = cache(engine(base, records=records), layers(engine(base)))
    assert {name: sizes(parts) for name, parts in found.own.items()} == {"own": [2], "child": [3]}
    assert sizes(found.shared) == [5]


def test_images_that_share_no_layer_keep_their_packed_layers_apart() -> None:
    one = Image("one", size=9, layers=("a",), steps=(Step(5, "ADD"),))
    two = Image("two", size=8, layers=("b",), steps=(Step(5, "ADD"),))
    three = Image("three", size=17, layers=("b", "c"), steps=(Step(5, "ADD"), Step(6, "RUN")))
    found = layers(engine(one, two, three, content=True))
    packed = {name: each[-1].part for name, each in found.items()}
    assert (packed["one"].size, packed["one"].exact) == (4, True)
    assert packed["two"] == packed["three"]
    assert (packed["two"].size, packed["two"].exact) == (6, False)
