from __future__ import annotations

import pytest

from lbkit.base.errors import Bug, Failure, LbkitError, Mistake
from lbkit.base.problems import InvalidDocument, Problem, Problems, dotted, near


@pytest.mark.parametrize(("kind", "code"), [(Mistake, 64), (Failure, 1), (Bug, 70)])
def test_each_kind_has_its_exit_code_and_the_one_root(kind: type[LbkitError], code: int) -> None:
    assert kind("x").exit_code == code
    assert isinstance(kind("x"), LbkitError)


def test_the_message_comes_from_the_fields() -> None:
    error = Failure("port 80 was to be free", found="nginx", where="lb-1", remedy="stop nginx")
    assert str(error) == "lb-1: port 80 was to be free\n  found: nginx\n  to do: stop nginx"
    assert error.as_data() == {
        "error": "Failure",
        "wanted": "port 80 was to be free",
        "found": "nginx",
        "where": "lb-1",
        "remedy": "stop nginx",
    }


def test_empty_fields_leave_no_line() -> None:
    assert str(Mistake("a name")) == "a name"


def test_a_document_tells_every_problem_with_its_place() -> None:
    problems = Problems()
    assert not problems
    problems.add(("machines", "web", "run", 0, "name"), "a name", found="''", remedy="give one")
    problems.add((), "a mapping")
    assert problems
    error = InvalidDocument("web.yml", problems)
    assert error.exit_code == 64
    assert str(error) == (
        "web.yml has 2 mistakes\n"
        "web.yml: machines.web.run[0].name: a name\n"
        "  found: ''\n"
        "  to do: give one\n"
        "web.yml: (the document): a mapping"
    )
    assert [problem["path"] for problem in error.as_data()["problems"]] == [
        "machines.web.run[0].name",
        "(the document)",
    ]


def test_one_mistake_is_one_and_is_told_at_its_line() -> None:
    error = InvalidDocument("web.yml", [Problem(("a",), "b", where="web.yml:3")])
    assert str(error) == "web.yml has 1 mistake\nweb.yml:3: a: b"


@pytest.mark.parametrize(
    ("path", "text"),
    [((), "(the document)"), (("a",), "a"), (("a", 0, "b"), "a[0].b"), (("a", "b", 2), "a.b[2]")],
)
def test_paths_are_written_as_people_say_them(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


def test_a_near_miss_is_suggested_and_a_far_one_gets_the_few_known() -> None:
    assert near("leastcon", ["leastconn", "roundrobin"]) == "did you mean 'leastconn'?"
    assert near("zzz", ["b", "a"]) == "known here: a, b"
    assert near("zzz", [f"server-{index}" for index in range(13)]) == ""
    assert near("zzz", []) == ""
