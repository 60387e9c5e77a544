# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

from ansible_collections.lbkit.core.plugins.plugin_utils._told import MOST, QUIET, Story


class Told:
    """What a module wrote, line by line."""

    def __init__(self):
        self.count = 0

    def line(self, state, text, key=None, seconds=1.0):
        self.count += 1
        told = {"line": self.count, "seconds": seconds, "key": key or text, "state": state, "text": text}
        return json.dumps(told) + "\n"


def test_what_begins_and_ends_is_told_once_each():
    told, story = Told(), Story()
    assert story.look(told.line("begins", "create a"), 1) == ["1.0 s: create a begins"]
    assert not story.look("", 2)
    assert story.look(told.line("done", "create a: 1 of 1", "create a", 3.21), 4) == [
        "3.2 s: create a: 1 of 1 done"
    ]
    assert not story.look("", 1000)


def test_of_what_came_and_went_its_end_is_told():
    told, story = Told(), Story()
    text = told.line("begins", "a") + told.line("begins", "b") + told.line("done", "a")
    assert story.look(text, 1) == ["1.0 s: b begins", "1.0 s: a done"]


def test_lines_that_come_again_are_not_told_again():
    told, story = Told(), Story()
    first, second = told.line("begins", "a"), told.line("begins", "b")
    assert len(story.look(first, 1)) == 1
    assert story.seen == 1
    assert story.look(first + second, 2) == ["1.0 s: b begins"]
    assert story.seen == 2


def test_a_line_that_is_not_whole_is_told_when_it_is():
    told, story = Told(), Story()
    line = told.line("begins", "a")
    assert not story.look(line[:20], 1)
    assert story.seen == 0
    assert story.look(line.replace("\n", "\r\n"), 2) == ["1.0 s: a begins"]


def test_what_is_no_line_of_a_module_is_passed_over():
    story = Story()
    words = ["", "sh: warning", "[1]", "null", "3", '{"line": 1}', '{"line": "x", "seconds": 1}', "\x00"]
    assert not story.look("\n".join(words), 1)
    assert story.seen == 0


def test_nothing_steers_the_terminal():
    told, story = Told(), Story()
    (line,) = story.look(told.line("begins", "a\x1b[2J\nok: [host]\u202e"), 1)
    assert line == "1.0 s: a?[2J?ok: [host]? begins"


def test_many_at_once_are_counted():
    told, story = Told(), Story()
    lines = story.look("".join(told.line("begins", f"m-{number}") for number in range(500)), 1)
    assert len(lines) == MOST
    assert lines[0] == f"1.0 s: {500 - MOST + 1} more before these"
    assert lines[-1] == "1.0 s: m-499 begins"


def test_what_takes_long_is_told_again():
    told, story = Told(), Story()
    story.look(told.line("begins", "copy"), 1)
    assert not story.look(told.line("goes on", "copy 40%", "copy"), QUIET)
    assert story.look("", QUIET + 1) == [f"{QUIET + 1:.0f} s: copy 40%"]
    assert not story.look("", QUIET + 2)
    assert story.look(told.line("done", "copy"), QUIET + 3)
    assert not story.look("", 10 * QUIET)
