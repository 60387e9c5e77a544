#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_records
short_description: Keep the records of a zone by dynamic updates, all in one task
description:
  - All records of a zone in one task, or single values added and removed. The zone is read by one transfer (AXFR), and what
    differs is sent in as few updates (RFC 2136) as hold it. Each update is all or nothing.
  - An update holds only while the record sets that it touches are as the plan saw them. Where somebody changed one meanwhile,
    the zone is read and planned anew, four times at most, and then the task fails.
  - Afterwards the zone is read back, and the task fails where it is not as planned. So it does on any answer of the server
    that is not a success, such as REFUSED, NOTAUTH, BADKEY or BADTIME.
  - Values that bear the owner mark of a topology (M(lbkit.core.topology)) are never changed or removed. A task that would
    do so fails and names them. O(prune) leaves them, and says so in a note.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.dns
  - lbkit.core.attributes
options:
  zone:
    description:
      - The zone's name, such as V(example.org).
      - Where it is left out, O(server) is asked for the zone of each name in O(records), one question a name. All have to be in one
        zone, names end with a dot then, and RV(zone) tells which it is. V(@) and other names within the zone need it said.
      - Of a name that O(server) delegates, NS and DS are in the zone above, as they stand there. Where it serves the delegated zone
        itself, NS are that one's. Say O(zone) where another is meant, as for addresses below a delegation.
    required: false
  records:
    description: Record sets, each name and type once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name within the zone, V(@) for the zone itself, V(*.shop) for a wildcard.
          - A whole name ends with a dot. Other scripts may be written as they are, and go as their C(xn--) form.
        type: str
        required: true
      type:
        description:
          - The type, such as V(A) or V(TXT). Any that a zone can hold, as V(TYPE65280) too.
          - Not what the server keeps by itself, which is SOA and the records of DNSSEC's signing.
        type: str
        required: true
      ttl:
        description:
          - Seconds, or a duration such as V(5m).
          - By default the record set keeps the TTL that it has, and a new one gets O(ttl). With O(state=absent) it does not matter.
        type: str
      values:
        description:
          - The values as zone files have them. Those that differ only in the case of names are the same.
          - Names in values of CNAME, MX, NS, PTR and SRV are within the zone when they are a single label, and else end with a dot.
          - A TXT value is the text itself, without quotes, and is split where it is longer than 255 octets. One that begins with a
            double quote is read as zone files have it, with escapes and several strings.
          - Required with O(state=present). With O(state=absent) just these values go, and where V(values) is left out
            the whole record set.
        type: list
        elements: str
  state:
    description:
      - V(present) has the values stand, as O(values) says.
      - V(absent) removes just the values that are listed. The others of the record set stay.
      - V(absent) for a record without values removes the whole record set.
    type: str
    choices: [present, absent]
    default: present
  values:
    description:
      - What O(state=present) means for other values of the record sets that are listed.
      - V(exact) removes them, so that exactly the listed ones stand.
      - V(append) leaves them.
    type: str
    choices: [exact, append]
    default: exact
  on_existing:
    description:
      - What O(state=present) does with record sets that are listed, stand already, and are not as the task says. What it says of
        them is their values, by O(values), and O(records[].ttl) where that is given.
      - V(replace) has them as the task says.
      - V(keep) leaves them as they are, and names each in a note. All others are made.
      - V(fail) fails before anything is changed, and names all of them.
      - Another type at the same name is no such set. Where a CNAME is in the way, the task fails always.
      - Anything but V(replace) is refused with O(state=absent), which removes just the values that it lists.
    type: str
    choices: [replace, keep, fail]
    default: replace
  prune:
    description:
      - Remove every record set of the zone that is not listed in O(records).
      - SOA and NS of the zone itself, records of DNSSEC's signing, what O(keep) names and what bears a topology's owner mark stay.
      - Refused with O(state=absent), and where O(records) is empty.
    type: bool
    default: false
  keep:
    description:
      - What O(prune) leaves, each as C(NAME) or C(NAME TYPE), such as V(_acme-challenge*) or V(* DS).
      - C(*) stands for any characters, also for dots and for none.
    type: list
    elements: str
    default: []
  ttl:
    description: Of new record sets that do not say otherwise, in seconds or as a duration such as V(5m).
    type: str
    default: "300"
  wait_for:
    description:
      - Addresses of secondaries that have to serve the zone's serial before the task ends, such as V(192.0.2.54) or
        V([2001:db8::54]:5353). O(port) is the default.
      - They are asked without a key. Also where nothing is to be changed, but not in check mode.
    type: list
    elements: str
    default: []
  settle:
    description:
      - How long they may take, such as V(30s) or V(2m). Then the task fails, and names those that lag. The update stays.
      - Also how long a primary that signs or forwards updates may take until it serves them.
    type: str
    default: 30s
seealso:
  - module: lbkit.core.dns_zone_info
  - module: lbkit.core.topology
notes:
  - The key needs the right to transfer the zone (in BIND C(allow-transfer)) and to update it (C(update-policy) or C(allow-update)).
"""

EXAMPLES = r"""
- name: Have these records stand, and leave all others
  lbkit.core.dns_records:
    server: 192.0.2.53
    zone: example.org
    key:
      name: ansible
      secret_file: /etc/lbkit/tsig.key
    records:
      - name: "@"
        type: MX
        values: [10 mail, 20 mail.example.net.]
      - name: www
        type: A
        ttl: 5m
        values: [192.0.2.10, 192.0.2.11]
      - name: "@"
        type: TXT
        values: [v=spf1 mx -all]

- name: Make them the whole zone, but for what is kept, and wait for the secondary
  lbkit.core.dns_records:
    server: 192.0.2.53
    zone: example.org
    key:
      name: ansible
      secret: "{{ vaulted_tsig_secret }}"
    records: "{{ zone_records }}"
    prune: true
    keep: [_acme-challenge*, "* DS"]
    wait_for: [192.0.2.54]

- name: Add one address beside those that stand
  lbkit.core.dns_records:
    server: 192.0.2.53
    zone: example.org
    key:
      name: ansible
      secret_file: /etc/lbkit/tsig.key
    values: append
    records:
      - name: www
        type: A
        values: [192.0.2.12]

- name: Have these names unless they are something else already, in whichever zone they are
  lbkit.core.dns_records:
    server: 192.0.2.53
    key:
      name: ansible
      secret_file: /etc/lbkit/tsig.key
    on_existing: keep
    records:
      - name: www.example.org.
        type: A
        values: [192.0.2.10]
      - name: ftp.example.org.
        type: CNAME
        values: [www]

- name: Remove that one address, and nothing else
  lbkit.core.dns_records:
    server: 192.0.2.53
    zone: example.org
    key:
      name: ansible
      secret_file: /etc/lbkit/tsig.key
    state: absent
    records:
      - name: www
        type: A
        values: [192.0.2.12]

- name: Remove all addresses of old
  lbkit.core.dns_records:
    server: 192.0.2.53
    zone: example.org
    key:
      name: ansible
      secret_file: /etc/lbkit/tsig.key
    state: absent
    records:
      - name: old
        type: A
"""

RETURN = r"""
zone:
  description: The zone's name without its last dot, also where O(zone) was left out.
  returned: success
  type: str
  sample: example.org
plan:
  description:
    - The changes that were carried out, or would be in check mode, in the schema C(lbkit.plan/1), one for each record set.
    - Described in C(docs/plan-schema.md), with a JSON Schema.
  returned: success
  type: dict
  contains:
    schema:
      description: C(lbkit.plan/1).
      type: str
    topology:
      description: Empty, as the records are of none.
      type: str
    impact:
      description: What clients notice at worst, V(none), V(hitless) or V(disruptive).
      type: str
    summary:
      description: How many changes there are of each action.
      type: dict
    changes:
      description: Each change with its resource, action, impact, reason, steps, before and after (RV(ignore:ttl) and RV(ignore:values)).
      type: list
      elements: dict
    notes:
      description: What O(on_existing=keep) leaves, a note for each record set, and what O(prune) leaves because it is a topology's.
      type: list
      elements: str
error:
  description:
    - What was wanted, found, where, and what to do. RV(ignore:problems) has each mistake of the arguments.
    - When something was done before it failed, also RV(ignore:done) and RV(ignore:not_done), lists of changes in words.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _dns, _lbkit


def run(module):
    from lbkit import zones

    params = module.params
    at = _dns.zone_server(module)
    wish = zones.asked(
        at.zone,
        params["records"],
        state=params["state"],
        values=params["values"],
        prune=params["prune"],
        keep=params["keep"],
        ttl=params["ttl"],
        on_existing=params["on_existing"],
    )
    wait_for = [zones.secondary(text, at.port) for text in params["wait_for"]]
    settle = zones.seconds(params["settle"], "settle")
    if module.check_mode:
        planned = zones.plan_records(at, wish)
    else:
        planned = zones.apply_records(at, wish, wait_for=wait_for, settle=settle)
    headers = (f"zone {at.zone} now", f"zone {at.zone} as asked for")
    return _lbkit.result_of(module, planned, *headers, zone=at.zone)


def main():
    module = AnsibleModule(
        argument_spec={
            **_dns.SERVER,
            "zone": {"type": "str"},  # found where it is left out
            "records": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "required": True},
                    "ttl": {"type": "str"},
                    "values": {"type": "list", "elements": "str"},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "values": {"type": "str", "choices": ["exact", "append"], "default": "exact"},
            "on_existing": {"type": "str", "choices": ["replace", "keep", "fail"], "default": "replace"},
            "prune": {"type": "bool", "default": False},
            "keep": {"type": "list", "elements": "str", "default": []},
            "ttl": {"type": "str", "default": "300"},
            "wait_for": {"type": "list", "elements": "str", "default": []},
            "settle": {"type": "str", "default": "30s"},
        },
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
