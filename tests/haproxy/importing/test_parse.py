"""Reading haproxy.cfg: as HAProxy reads it, and whatever the text is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yaml import safe_load

from lbkit.base.errors import Mistake
from lbkit.haproxy.importing.cfg import lines, parse
from lbkit.haproxy.importing.values import Names, duration, milliseconds, place
from lbkit.haproxy.importing.whole import imported
from lbkit.haproxy.importing.yaml_text import yaml_text
from lbkit.haproxy.text.words import word
from tests.haproxy.importing.imports import ALL, case, differing, made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\tc", ("a", "b", "c")),
        ("a # b", ("a",)),
        ("a b#c", ("a", "b")),
        (r"a b\ c \# \\ \'", ("a", "b c", "#", "\\", "'")),
        ('a "b c"d', ("a", "b cd")),
        ("a 'b \"c' ''", ("a", 'b "c', "")),
        (r"""a "b \" \$ \1" '\n' \n \x41""", ("a", 'b " $ \\1', "\\n", "\n", "A")),
        ("a '$b' $c", ("a", "$b", "$c")),
    ],
)
def test_words_are_what_haproxy_takes_them_for(text: str, words: tuple[str, ...]) -> None:
    (line,) = lines(text)
    assert line.words == words
    assert not line.problem
    assert not line.variables


@pytest.mark.parametrize(
    ("text", "names"),
    [('a "$B"', ("B",)), ('a "${B-x y}$C"', ("B", "C")), ('a "${B[*]}"', ("B",)), ('a "$.LINE"', (".LINE",))],
)
def test_environment_variables_are_named(text: str, names: tuple[str, ...]) -> None:
    (line,) = lines(text)
    assert (line.variables, line.problem) == (names, "")


@pytest.mark.parametrize("text", ["a 'b", 'a "b', r"a \x4", 'a "$1"', 'a "${B"'])
def test_what_haproxy_refuses_is_a_problem_of_its_line(text: str) -> None:
    cfg = parse(f"global\n maxconn 5\n {text}\n node n\n")
    assert [line.number for line in cfg.stray] == [3]
    assert [line.number for line in cfg.sections[0].lines] == [2, 4]


def test_sections_have_names_and_bases() -> None:
    cfg = parse("defaults\ndefaults one\ndefaults two from one\nfrontend f from two\nlisten l :80\n")
    heads = [(section.kind, section.name, section.base, section.given) for section in cfg.sections]
    assert heads == [
        ("defaults", "", "", ()),
        ("defaults", "one", "", ()),
        ("defaults", "two", "one", ()),
        ("frontend", "f", "two", ()),
        ("listen", "l", "", (":80",)),
    ]


@given(st.lists(st.text(min_size=1).filter(str.isprintable), min_size=1, max_size=6))
def test_words_that_lbkit_writes_are_read_again(words: list[str]) -> None:
    (line,) = lines(" ".join(word(each) for each in words))
    assert line.words == tuple(words)


ODD = st.text(st.sampled_from("ab '\"\\#$x41{}[*]-.\t\n\r\0é"))


@given(ODD | st.text())
def test_any_text_can_be_read(text: str) -> None:
    cfg = parse(text)
    told = {line.number for section in cfg.sections for line in (section.head, *section.lines)}
    assert told | {line.number for line in cfg.stray} == {line.number for line in lines(text)}


LINES = sorted({line for name in ALL for line in case(name).splitlines()})
ANY_LINE = st.sampled_from(LINES) | st.builds(
    lambda words: "    " + " ".join(words),
    st.lists(
        st.sampled_from(sorted({word for line in LINES for word in line.split()})), min_size=1, max_size=6
    ),
)
FRONTEND = "\nfrontend sure\n bind :80\n"


@settings(max_examples=50)
@given(st.lists(ANY_LINE | ODD, max_size=40).map("\n".join))
def test_whatever_is_imported_is_a_document_and_each_line_is_told_of(text: str) -> None:
    try:
        found = imported(FRONTEND + text, name="shop")
    except Mistake:
        return
    yaml = yaml_text(found.document, found.lines, "haproxy.cfg")
    assert safe_load(yaml) == found.document
    assert all(entry.text for entry in found.report.entries.values())


SETTINGS = {
    "defaults": [
        *("timeout queue 3s", "timeout http-request 4s", "timeout tunnel 1h", "retries 5", "option redispatch"),
        *("option redispatch 1", "option dontlognull", "option forwardfor", "maxconn 50", "balance leastconn"),
        *("option httpclose", "log global", "default-server inter 3s", "option httpchk", "errorfile 503 /dev/null"),
        *("timeout check 3s", "option httplog", "fullconn 9", "http-reuse never", "option abortonclose"),
    ],
    "frontend": [
        *("timeout client 9s", "maxconn 5", "option forwardfor", "option dontlognull", "acl a path /a"),
        *("http-request deny if { src 10.0.0.1 }", "http-request set-header X-A b", "http-request deny if a"),
        *("http-request del-header X-A", "use_backend b if { path /b }", "no log", "log 10.0.0.2 local1"),
        *("http-response set-header X-A b", "option httpclose", "rate-limit sessions 7", "option clitcpka"),
    ],
    "backend": [
        *("balance source", "balance random", "hash-type consistent", "retries 0", "no option redispatch"),
        *("timeout server 9s", "timeout queue 1s", "cookie A insert", "option allbackups", "no option abortonclose"),
        *("default-server rise 5 check", "default-server weight 7", "server one 10.0.0.1:80"),
        *("server two 10.0.0.2:80 check inter 1s", "server three 10.0.0.3:80 backup no-check cookie c"),
        *("http-request set-header X-A b", "option httpchk GET /x", "option srvtcpka", "source 10.0.0.9"),
    ],
}  # fmt: skip


LOG = "global\n    log 10.0.0.1 local0\n"


def some(kind: str) -> st.SearchStrategy[str]:
    several = st.lists(st.sampled_from(SETTINGS[kind]), unique=True, max_size=8)
    return several.map(lambda found: "".join(f"    {line}\n" for line in found))


@settings(max_examples=50)
@given(
    some("defaults"),
    some("frontend"),
    some("backend"),
    st.sampled_from(["http", "tcp"]),
    st.sampled_from(["", LOG]),
)
def test_what_is_rendered_means_the_same(defaults: str, front: str, back: str, mode: str, log: str) -> None:
    original = (
        f"{log}defaults\n    mode {mode}\n    timeout connect 1s\n    timeout client 2s\n{defaults}"
        f"frontend f\n    bind :80\n{front}    default_backend b\nbackend b\n{back}    server last 10.0.0.4:80\n"
    )
    assert differing(original, made(original)) == []


@given(st.lists(st.text(min_size=1), unique=True))
def test_names_become_labels_of_their_own(names: list[str]) -> None:
    labels = Names.of(names)
    assert len({labels[name] for name in names}) == len(names)


@given(st.integers(1, 31 * 86_400_000))
def test_times_are_the_same_in_both(ms: int) -> None:
    assert milliseconds(duration(ms)) == ms


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        (":80", ("", 80)),
        ("*:80", ("", 80)),
        ("[::1]:80", ("::1", 80)),
        ("ipv6@::1:80", ("::1", 80)),
        ("a.test:80", ("a.test", 80)),
        ("/run/a.sock", None),
        ("abns@a", None),
        ("10.0.0.1", None),
        ("10.0.0.1:+80", None),
        ("10.0.0.1:0", None),
    ],
)
def test_places(text: str, wanted: tuple[str, int] | None) -> None:
    found = place(text, port=True)
    assert (found and (found.host, found.port)) == wanted
