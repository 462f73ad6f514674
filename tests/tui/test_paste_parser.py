"""Pastes from a terminal: whatever they hold is text, however they are cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

pytest.importorskip("termios", reason="this system has no such terminals")
import itertools

from triage.tui.terminal import BEGIN, END, PasteParser

HOSTILE = "\x1b[1;36mred\x1b[0m q \x1b[A \x1b]0;title\x07 \x1b[20\x1b[200 模型 🙂 \x1b"


def fed(pieces):
    parser = PasteParser()
    found = [message for piece in pieces if piece for message in parser.feed(piece)]
    pastes = [message.text for message in found if isinstance(message, events.Paste)]
    keys = [message.key for message in found if isinstance(message, events.Key)]
    return pastes, keys


def cut(text, places):
    marks = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(marks)]


@given(
    st.text(st.sampled_from("\x1b[]201~0Aq \r模"), max_size=60).filter(lambda text: END not in text),
    st.lists(st.integers(0, 500)),
)
def test_a_paste_is_one_text_and_no_key(text, places):
    whole = f"x{BEGIN}{text}{END}y"
    if END in text + END[:-1]:
        return
    assert fed(cut(whole, places)) == ([text], ["x", "y"])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_hostile_text_acts_on_nothing(size):
    whole = f"{BEGIN}{HOSTILE}{END}q"
    assert fed([whole[at : at + size] for at in range(0, len(whole), size)]) == ([HOSTILE], ["q"])


def test_two_pastes_and_keys_between():
    assert fed([f"{BEGIN}a{END}\x1b[A{BEGIN}b{END}"]) == (["a", "b"], ["up"])


def test_a_large_paste_costs_little():
    text = "line of a log\r" * 300_000
    whole = f"{BEGIN}{text}{END}"
    assert fed([whole[at : at + 65536] for at in range(0, len(whole), 65536)]) == ([text], [])
