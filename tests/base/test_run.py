from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.base.run import CommandFailed, LocalRunner, MissingProgram, stands

RUN = LocalRunner().run


def python(code: str, **options):
    return RUN([sys.executable, "-c", code], **options)


def test_all_of_how_it_went() -> None:
    done = python("import sys; print(input()); print('e', file=sys.stderr)", stdin="word\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "word\n", "e\n")
    assert done.argv[0] == sys.executable


def test_arguments_are_no_shell() -> None:
    assert RUN(["echo", "$HOME; `id` > x"]).stdout == "$HOME; `id` > x\n"


def test_it_inherits_no_stdin() -> None:
    assert python("import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


def test_a_bad_end_is_a_failure_in_the_programs_own_words() -> None:
    with pytest.raises(CommandFailed, match="exit code 3: no such backend") as caught:
        python("import sys; print('no such backend', file=sys.stderr); sys.exit(3)")
    assert caught.value.completed.returncode == 3
    assert isinstance(caught.value, Failure)


def test_stdout_speaks_where_stderr_is_silent() -> None:
    with pytest.raises(CommandFailed, match="said on stdout"):
        python("print('said on stdout'); raise SystemExit(1)")


def test_a_bad_end_may_be_asked_for() -> None:
    assert python("raise SystemExit(3)", check=False).returncode == 3


def test_it_ends_in_time() -> None:
    with pytest.raises(CommandFailed, match=r"no end after 0\.2 s"):
        python("import time; time.sleep(60)", timeout=0.2)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(MissingProgram, match="'no-such-program'") as caught:
        RUN(["no-such-program"])
    assert caught.value.program == "no-such-program"
    assert "lbkit doctor" in caught.value.remedy


def test_a_folder_of_path_that_may_not_be_read_hides_no_missing_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There exec(3) says "permission denied", whether the program is in it or not."""
    (tmp_path / "bin").mkdir()
    path = f"{tmp_path / 'bin'}:/usr/bin"
    assert not stands("no-such-program", {"PATH": path})
    assert stands("true", {"PATH": path})
    (tmp_path / "bin" / "data").touch()
    with pytest.raises(Failure, match="no permission to execute"):
        RUN(["data"], env={"PATH": path})

    def denied(*_words: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(subprocess, "run", denied)
    with pytest.raises(MissingProgram):
        RUN(["no-such-program"], env={"PATH": path})


def test_a_missing_folder_is_no_missing_program(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no such folder") as caught:
        RUN(["true"], cwd=str(tmp_path / "none"))
    assert not isinstance(caught.value, MissingProgram)


def test_what_may_not_be_executed_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x", encoding="utf-8")
    with pytest.raises(Failure, match="no permission to execute"):
        RUN([str(tmp_path / "data")])


def test_output_that_is_no_text_does_no_harm() -> None:
    assert python(r"import sys; sys.stdout.buffer.write(b'\xff\n')").stdout == "�\n"


def test_the_environment_is_as_given() -> None:
    assert python("import os; print(os.environ.get('A'), os.environ.get('HOME'))", env={"A": "1"}).stdout == (
        "1 None\n"
    )
