"""From a Config to the text of haproxy.cfg: the same text for the same Config, every word quoted where it must be.

The text carries its own digest in `description`, which the running process shows again (`show info`): so it can
be told what a process has loaded, whatever has become of the file since.
"""

from __future__ import annotations

import hashlib
import re

from lbkit.haproxy.config.sections import METRICS, PEERS, RESOLVERS, Config
from lbkit.haproxy.text.backend import backend
from lbkit.haproxy.text.frontend import frontend
from lbkit.haproxy.text.metrics import metrics
from lbkit.haproxy.text.peers import peers
from lbkit.haproxy.text.process import defaults, process
from lbkit.haproxy.text.resolvers import resolvers
from lbkit.haproxy.text.words import word

_NO_DIGEST = " sha256:\n"
_DIGEST = re.compile(r"\bsha256:([0-9a-f]{32})\b")


def render(config: Config) -> str:
    text = _text(config)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return text.replace(_NO_DIGEST, _NO_DIGEST[:-1] + digest + "\n", 1)


def digest_in(text: str) -> str | None:
    """The digest that a configuration's text, or the description of a running HAProxy, carries."""
    match = _DIGEST.search(text)
    return match[1] if match else None


def _text(config: Config) -> str:
    sections = [
        ("global", process(config.global_, config.peers)),
        ("defaults", defaults(config.defaults)),
        *([(f"peers {PEERS}", peers(config.peers))] if config.peers else []),
        *([(f"resolvers {RESOLVERS}", resolvers(config.resolvers))] if config.resolvers else []),
        *((f"frontend {word(each.name)}", frontend(each)) for each in config.frontends),
        *([(f"frontend {METRICS}", metrics(config.metrics))] if config.metrics else []),
        *((f"backend {word(each.name)}", backend(each)) for each in config.backends),
    ]
    lines = [
        f"# {word(config.global_.mark)}",
        "# lbkit made this file, and the next apply writes it anew: change the topology's file instead.",
    ]
    for head, body in sections:
        lines += ["", head, *("    " + " ".join(word(each) for each in words) for words in body)]
    return "\n".join(lines) + "\n"
