"""Commands about certificates and their lists (management guide, 9.3). Keys travel in payloads alone.

A new one: `new_cert`, `set_cert`, `commit_cert`, `add_to_crt_list`. A replacement: `set_cert`, `commit_cert`. One
transaction at a time is open in a process, whoever began it.
"""

from __future__ import annotations

from lbkit.base.secrets import Secret
from lbkit.haproxy.runtime.command import LIMIT, Command, file, whole, word

_NEW = r"New empty certificate store '[^\n]*'!\Z"
_SET = r"(?s:.*\n)?Transaction (?:created|updated) for certificate [^\n]*!\Z"
_COMMITTED = r"Committing (?s:.*)\nSuccess!\Z"
_ABORTED = r"Transaction aborted for certificate '[^\n]*'!\Z"
_DELETED = r"Certificate '[^\n]*' deleted!\Z"
_LISTED = r"Inserting certificate '(?s:.*)\nSuccess!\Z"
_UNLISTED = r"Entry '[^\n]*' deleted in crtlist '[^\n]*'!\Z"
_CA_NEW = r"New CA file created '[^\n]*'!\Z"
_CA_SET = r"(?s:.*\n)?transaction (?:created|updated) for CA [^\n]*!\Z"
_CA_DELETED = r"CA file '[^\n]*' deleted!\Z"


def new_cert(path: str) -> Command:
    return Command(f"new ssl cert {file(path)}", _NEW)


def set_cert(path: str, pem: Secret | bytes) -> Command:
    """`pem`: certificate, chain and key in one. Empty lines and carriage returns are left out of it."""
    return Command(f"set ssl cert {file(path)}", _SET, payload=lines_of(pem))


def fits(path: str, pem: Secret | bytes) -> bool:
    """Whether `set_cert` can carry it: HAProxy takes a command as large as its buffer. Else only a reload can."""
    return len(f"set ssl cert {file(path)} <<\n".encode()) + len(lines_of(pem)) + len("\n\n") <= LIMIT


def commit_cert(path: str) -> Command:
    """From then on it serves, wherever the file's name is used."""
    return Command(f"commit ssl cert {file(path)}", _COMMITTED)


def abort_cert(path: str) -> Command:
    return Command(f"abort ssl cert {file(path)}", _ABORTED)


def del_cert(path: str) -> Command:
    """Of a certificate that no list and no `bind` uses."""
    return Command(f"del ssl cert {file(path)}", _DELETED)


def add_to_crt_list(crt_list: str, path: str, *, options: str = "", filters: tuple[str, ...] = ()) -> Command:
    """`options` as within the brackets of a line of the list. The certificate must be committed."""
    if not options and not filters:
        return Command(f"add ssl crt-list {file(crt_list)} {file(path)}", _LISTED)
    line = " ".join([path, *([f"[{options}]"] if options else []), *filters])
    return Command(f"add ssl crt-list {file(crt_list)}", _LISTED, payload=lines_of(_one_line(line)))


def del_from_crt_list(crt_list: str, path: str, number: int | None = None) -> Command:
    """`number`: of the line, where the certificate stands in the list several times (`CrtLine.number`)."""
    suffix = "" if number is None else f":{whole(number, 0, 2**31 - 1, 'the number of a line')}"
    return Command(f"del ssl crt-list {file(crt_list)} {file(path)}{suffix}", _UNLISTED)


def new_ca_file(path: str) -> Command:
    return Command(f"new ssl ca-file {file(path)}", _CA_NEW)


def set_ca_file(path: str, pem: bytes) -> Command:
    return Command(f"set ssl ca-file {file(path)}", _CA_SET, payload=lines_of(pem))


def commit_ca_file(path: str) -> Command:
    return Command(f"commit ssl ca-file {file(path)}", _COMMITTED)


def abort_ca_file(path: str) -> Command:
    return Command(f"abort ssl ca-file {file(path)}", _ABORTED)


def del_ca_file(path: str) -> Command:
    return Command(f"del ssl ca-file {file(path)}", _CA_DELETED)


def lines_of(text: Secret | bytes) -> bytes:
    """A payload: the lines that are not empty, for an empty one would end it."""
    data = text.reveal() if isinstance(text, Secret) else text
    return b"\n".join(line for each in data.split(b"\n") if (line := each.strip(b"\r \t")))


def _one_line(line: str) -> bytes:
    word(line)  # printable
    return line.encode()
