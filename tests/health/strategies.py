"""Health checks of all kinds, for tests of whatever is made of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lbkit.health.spec import HealthCheck

SECONDS = st.floats(0.001, 86400)
PORTS = st.integers(1, 65535)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=40)
SENDABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"], include_characters="\r\n\t"),
    min_size=1,
    max_size=40,
)
OCTETS = SENDABLE | st.binary(min_size=1, max_size=40).map(lambda octets: {"hex": octets.hex()})
EXPRESSIONS = st.sampled_from(["ok", "^[a-z]+$", "a|b", r"\d{1,3}%", 'it\'s "quoted"', "a b", r"\\", "$x"])
CODES = st.integers(100, 599) | st.tuples(st.integers(100, 599), st.integers(100, 599)).map(
    lambda pair: "{}-{}".format(*sorted(pair))
)
VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
OWN = {"host", "connection", "content-length", "transfer-encoding"}
NAMES = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", fullmatch=True).filter(
    lambda name: name.lower() not in OWN
)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


ANY_PROTOCOL = {
    "port": PORTS,
    "server_name": st.just("app.example.test"),
    "proxy_protocol": st.booleans(),
    "interval": SECONDS,
    "interval_changing": SECONDS,
    "interval_down": SECONDS,
    "timeout": SECONDS,
    "rise": st.integers(1, 100),
    "fall": st.integers(1, 100),
    "agent": st.fixed_dictionaries({"port": PORTS}, optional={"interval": SECONDS, "send": LINES}),
}
OF_HTTP = _some(
    **ANY_PROTOCOL,
    path=st.from_regex(r"/[!-~]{0,60}", fullmatch=True),
    method=st.sampled_from(["GET", "OPTIONS", "POST"]),
    host=st.sampled_from(["shop.example.test", "[fd00::1]:8080", "10.0.0.1"]),
    headers=st.dictionaries(NAMES, VALUES, max_size=3).filter(
        lambda headers: len({name.lower() for name in headers}) == len(headers)
    ),
    expect=_some(status=st.lists(CODES, min_size=1, max_size=3), body=LINES, body_regex=EXPRESSIONS),
)
OF_TCP = _some(**ANY_PROTOCOL, send=OCTETS, expect=_some(answer=OCTETS, answer_regex=EXPRESSIONS))

documents = st.one_of(
    st.builds(lambda fields, name: {"protocol": name, **fields}, OF_HTTP, st.sampled_from(["http", "https"])),
    st.builds(lambda fields, name: {"protocol": name, **fields}, OF_TCP, st.sampled_from(["tcp", "tls"])),
)
"""As a person writes them."""

checks = documents.map(HealthCheck.model_validate)
