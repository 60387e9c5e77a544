# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to the library and back. Private to this collection."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from pathlib import Path

from ansible.module_utils.basic import missing_required_lib

try:
    import lbkit  # costs next to nothing: what is heavy is imported where it is used
except ImportError:
    lbkit = None
    LBKIT_IMPORT_ERROR = traceback.format_exc()
else:
    LBKIT_IMPORT_ERROR = None

SOURCE = {
    "file": {"type": "path"},
    "definition": {"type": "dict"},
    "folder": {"type": "path"},
    "run_dir": {"type": "path"},
}
PROGRESS = {"progress_file": {"type": "path"}}
CONSTRAINTS = {
    "mutually_exclusive": [("file", "definition"), ("file", "folder")],
    "required_one_of": [("file", "definition")],
}


def require(module):
    """End the task with words to act on unless the library is there."""
    if lbkit is None:
        module.fail_json(msg=missing_required_lib("lbkit-iac"), exception=LBKIT_IMPORT_ERROR)


@contextmanager
def failing(module):
    """What the library raises on purpose ends the task: its text as the message, its fields as `error`."""
    try:
        yield
    except lbkit.LbkitError as error:
        fields = error.as_data()
        module.fail_json(msg=str(error), changed=bool(fields.get("done")), error=fields)


def fail(module, error, *, changed=False, **more):
    """The same for an error that has a result beside it."""
    module.fail_json(msg=str(error), changed=changed, error=error.as_data(), **more)


def wait_of(module, name):
    """Seconds of an option that says how long to wait: 30, 30s, 2m."""
    from lbkit.faces.options import wait_of

    try:
        return wait_of(module.params[name])
    except ValueError as error:
        module.fail_json(msg=f"{name} was to be {error}, not {module.params[name]!r}")


def scope_and_host(module):
    """The checked topology, and the host to act on."""
    params = module.params
    if params["file"]:
        scope = lbkit.load(params["file"])
    else:
        scope = lbkit.load_data(params["definition"], Path(params["folder"] or "."))
    return scope, lbkit.Host(run_dir=Path(params["run_dir"])) if params["run_dir"] else lbkit.Host()


def finish(module, run):
    """End the task with what `run` returns of it, or with the words of what went wrong. A module that only looks says nothing of `changed`."""
    require(module)
    with failing(module):
        result = run(module)
    module.exit_json(**{"changed": False, **result})


def following(module):
    """Who tells the module's action plugin, on the controller, how a long run goes."""
    from lbkit.faces.following import Following

    file = module.params["progress_file"]
    return Following(Path(file) if file else None)


def result_of(module, planned, before="now", after="as declared", **more):
    """What a task returns of a plan, carried out or not: `before` and `after` are headers of the difference."""
    from lbkit.faces.render.difference import before_and_after

    result = {"changed": bool(planned), "plan": planned.as_data(), **more}
    if module._diff:
        old, new = before_and_after(planned.changes)
        result["diff"] = {"before": old, "after": new, "before_header": before, "after_header": after}
    return result


def standing(module, scope, host, header, *, only=(), adopt=(), prove=False, shown=()):
    """What a task returns that had a topology, or what `only` names of it, stand as declared, or removed it.

    `header` says in the difference what it is of; `shown` names what the status is of, all where it is left out.
    """
    absent = module.params["state"] == "absent"
    proof = None
    if module.check_mode:
        planned = lbkit.plan(scope, host, absent=absent, adopt=adopt, only=only)
    else:
        more = {"lock_timeout": wait_of(module, "lock_timeout"), "prove": prove}
        with following(module) as follow:
            applied = lbkit.apply(
                scope, host, absent=absent, adopt=adopt, only=only, watch=follow.applied, **more
            )
        planned, proof = applied.plan, applied.proof
    more = {"status": [] if absent else status_of(scope, host, only=shown)}
    if proof is not None:
        more["proof"] = proof.as_data()
    after = f"{header} gone" if absent else f"{header} as declared"
    return result_of(module, planned, f"{header} now", after, **more)


def status_of(scope, host, only=()):
    return [row.as_data() for row in lbkit.status(scope, host, only=only)]
