"""What others wrote becomes plain data within bounds, or a sentence with its place: never more, and never another error."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.config import BadYaml, read_agent, read_checks
from hive.config.yaml_loader import MAX_BYTES, MAX_DEPTH, MAX_NODES, UnreadableYaml, parse

PIECES = [
    *"[]{}:,-?&*!|>'\"%@`#\\ \n\t\0~=<",
    *("a", "1", "---", "...", "\n  ", "lane: app\n", "<<", ": ", "- ", "!!", "\\u", "\\U", "\\x", "%YAML 1.", "\ufeff"),
    *("\ud800", "\x85", "\u2028", "env:", "&a", "*a", "0x", "9" * 20, "1e9", "checks: ", "packages: ", "2020-13-45"),
]
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


def refusal(text: str) -> str:
    """Why a text is not read, with its place."""
    with pytest.raises(UnreadableYaml) as error:
        parse(text)
    return str(error.value)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    """No text whatever raises anything but BadYaml, and what is said of it is short and can be printed."""
    for read in (lambda text: read_agent("iris", text), read_checks):
        try:
            read(text)
        except BadYaml as error:
            said = error.problems
        else:
            said = ()
        assert len(said) <= 51
        assert [problem for problem in map(str, said) if not problem.isprintable() or len(problem) > 600] == []


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.text("ab", max_size=3), lambda inner: st.lists(inner, max_size=5)))
def test_data_is_no_larger_than_its_text(data: object) -> None:
    """Each value that is made stands in the text once: nothing is expanded."""
    text = json.dumps(data)
    try:
        tree = parse(text)
    except UnreadableYaml:
        return
    assert len(tree.marks) <= len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LAUGHS, "1:4: an anchor (&) is not read here"),
        ("a: &x [*x]", "1:4: an anchor (&)"),
        ("lane: *app", "1:7: an alias (*) is not read here"),
        ("<<: {lane: app}", "1:1: a merge key (<<) is not read here"),
        ("a: !!python/object/apply:os.getcwd []", "1:4: a tag (!) is not read here"),
        ("a: !!int 5", "1:4: a tag (!)"),
        ("lane: " + "[" * 9000, f"1:22: is nested deeper than {MAX_DEPTH} levels"),
        ("- " * 9000, f"is nested deeper than {MAX_DEPTH} levels"),
        ("a: [" + "b," * 9000, f"holds more than {MAX_NODES} values"),
        ("a: b\n" * 20_000, f"1:1: is larger than {MAX_BYTES} bytes"),
        ("a: " + "ä" * 40_000, f"1:1: is larger than {MAX_BYTES} bytes"),
        ("a: " + "b" * 40_000, "1:4: is text of more than 32768 characters"),
        ("minutes: " + "9" * 5000, "1:10: a number should have at most 15 digits"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document begins here"),
        ("? [a]\n: b\n", "1:3: a key should be text, not a list or a mapping"),
        ("k" * 300 + ": b\n", "1:1: a key should have at most 200 characters"),
        ("a:\tb", "1:3: is no YAML: found character"),
        ("a: b\0", "1:5: is no YAML: a character that may not stand in a file"),
        (r'a: "\UFFFFFFFF"', "is no YAML: an escape or a number that stands for nothing"),
        ("%YAML 1." + "9" * 5000 + "\n--- a", "is no YAML: an escape or a number that stands for nothing"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    """What could grow, run, or mean two things is refused, at its place."""
    assert expected in refusal(text)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", {}),
        ("---", {}),
        ("\ufefflane: app", {"lane": "app"}),
        ("a: 2020-13-45", {"a": "2020-13-45"}),
        ("a: yes", {"a": "yes"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 0x1F", {"a": "0x1F"}),
        ("a: =", {"a": "="}),
        ("a: [1, -2, 1.5, true, ~, 'x']", {"a": [1, -2, 1.5, True, None, "x"]}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
    ],
)
def test_what_is_read(text: str, data: object) -> None:
    """A document is what it seems to be: words stay words."""
    assert parse(text).data == data


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\na: 2", "the key 'a' stands here twice, first on line 1"),
        ("1: a", "a key should be text: put '1' in quotes"),
        ("null: a", "a key should be text: put 'null' in quotes"),
        (r'a: "x\0y"', "holds a character that may not stand in text (U+0000)"),
        (r'a: "\uD800"', "holds a character that may not stand in text (U+D800)"),
        (r'"\e[31m": a', "holds a character that may not stand in text (U+001B)"),
    ],
)
def test_single_faults_are_told_with_the_others(text: str, fault: str) -> None:
    """A fault of one value does not hide those of others."""
    assert [said for _, said in parse(text).faults] == [fault]


def test_a_bomb_costs_no_memory() -> None:
    """Half a kilobyte of aliases stays half a kilobyte."""
    tracemalloc.start()
    try:
        refusal(LAUGHS)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_the_first_fifty_mistakes() -> None:
    """A declaration that is wrong a thousand times is answered with fifty sentences and a number."""
    with pytest.raises(BadYaml) as error:
        read_agent("iris", "lane: app\n" + "".join(f"no{number}: x\n" for number in range(1000)))
    assert len(error.value.problems) == 51
    assert error.value.problems[-1].text == "and 950 more mistakes"
