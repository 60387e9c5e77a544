# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module told of how it goes, as lines for a person. Pure. Private to this collection."""

from __future__ import annotations

import json
import re

MOST = 12  # lines at a time
QUIET = 20.0  # seconds without a line after which what is under way is told again

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Story:
    """Lines of the file go in, lines for a person come out, at each look."""

    def __init__(self):
        self.seen = 0  # lines
        self._under_way = {}  # by key how it goes
        self._shown = 0.0

    def look(self, text, now):
        """`text` has the lines beyond those `seen`, and perhaps others; `now`: seconds since the task began."""
        told = [line for line in map(_parsed, text.splitlines()) if line and line["line"] > self.seen]
        self.seen = max([self.seen, *(line["line"] for line in told)])
        lines = self._lines(told)
        if not lines and self._under_way and now - self._shown >= QUIET:
            lines = [f"{now:.0f} s: {text}" for text in list(self._under_way.values())[-3:]]
        if lines:
            self._shown = now
        return lines

    def _lines(self, told):
        ended = {line["key"] for line in told if line["state"] == "done"}
        begun = set(self._under_way)
        lines = []
        for line in told:
            key, state = line["key"], line["state"]
            if state == "done":
                self._under_way.pop(key, None)
            else:
                self._under_way[key] = line["text"] if state == "goes on" else f"{line['text']} goes on"
            # what came and went since the last look has its end told, and not its beginning
            if state == "done" or (state == "begins" and key not in ended | begun):
                lines.append(f"{line['seconds']:.1f} s: {line['text']} {state}")
        if len(lines) > MOST:
            left_out = len(lines) - MOST + 1
            lines = [f"{told[-1]['seconds']:.1f} s: {left_out} more before these", *lines[left_out:]]
        return lines


def _parsed(line):
    """None for what no module of ours wrote: a shell's words, on a terminal, or a line that is not whole yet."""
    try:
        found = json.loads(line)
        return {
            "line": int(found["line"]),
            "seconds": float(found["seconds"]),
            "key": str(found["key"]),
            "state": str(found["state"]),
            "text": _CONTROL.sub("?", str(found["text"]))[:200],
        }
    except (ValueError, TypeError, KeyError):
        return None
