"""From a Config to the text of haproxy.cfg: the same text for the same Config, every word quoted where it must be.

The text carries a digest in `description`, which the running process shows again (`show info`): so it can be told
what a process has loaded, whatever has become of the file since. It is of what only a reload takes up
(`transition/written.py`); servers, maps and certificates are read back one by one.
"""

from __future__ import annotations

from lbkit.haproxy.config.sections import METRICS, Config
from lbkit.haproxy.spec.words import PEERS, RESOLVERS
from lbkit.haproxy.text.backend import backend
from lbkit.haproxy.text.frontend import frontend
from lbkit.haproxy.text.metrics import metrics
from lbkit.haproxy.text.peers import peers
from lbkit.haproxy.text.process import defaults, process
from lbkit.haproxy.text.resolvers import resolvers
from lbkit.haproxy.text.words import Raw, word
from lbkit.haproxy.transition.written import FILE_MARK, static_digest

_NO_DIGEST = " sha256:\n"


def render(config: Config) -> str:
    text = _text(config)
    return text.replace(_NO_DIGEST, f"{_NO_DIGEST[:-1]}{static_digest(text)}\n", 1)


def _text(config: Config) -> str:
    sections = [
        ("global", process(config.global_, config.peers)),
        ("defaults", defaults(config.defaults)),
        *(
            [(f"peers {PEERS}", peers(config.peers, config.frontends, config.backends))]
            if config.peers
            else []
        ),
        *([(f"resolvers {RESOLVERS}", resolvers(config.resolvers))] if config.resolvers else []),
        *((head, ((Raw(line),) for line in lines)) for head, lines in config.raw_sections.items()),
        *((f"frontend {word(each.name)}", frontend(each)) for each in config.frontends),
        *([(f"frontend {METRICS}", metrics(config.metrics))] if config.metrics else []),
        *((f"backend {word(each.name)}", backend(each)) for each in config.backends),
    ]
    lines = [
        f"# {word(config.global_.mark)}",
        "# lbkit made this file, and the next apply writes it anew: change the topology's file instead.",
        *(f"{FILE_MARK}{file.path} {file.kind} {file.digest}" for file in config.files),
    ]
    for head, body in sections:
        lines += ["", head, *("    " + " ".join(word(each) for each in words) for words in body)]
    return "\n".join(lines) + "\n"
