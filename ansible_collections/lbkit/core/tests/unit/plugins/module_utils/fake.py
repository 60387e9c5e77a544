# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module for a test: its parameters, and how it ended."""

from __future__ import annotations


class Ended(Exception):
    def __init__(self, told):
        self.told = told
        super().__init__(str(told))


class FakeModule:
    def __init__(self, *, check_mode=False, diff=False, **params):
        self.params = params
        self.check_mode = check_mode
        self._diff = diff

    def exit_json(self, **told):
        raise Ended(told)

    def fail_json(self, **told):
        raise Ended({"failed": True, **told})
