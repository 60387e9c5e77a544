"""A new TSIG key, in a file that BIND can include and that lbkit reads."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import FileFailure
from lbkit.dns.names import zone_name

OCTETS = {"hmac-sha224": 28, "hmac-sha256": 32, "hmac-sha384": 48, "hmac-sha512": 64}
"""As long as the digest of each algorithm, as RFC 8945 section 7 has it."""


def write_key(path: Path, name: str = "lbkit", algorithm: str = "hmac-sha256") -> None:
    """Write a new random key to `path`, mode 600. A file that is there is never overwritten."""
    try:
        name = zone_name(name)
    except ValueError as error:
        raise Mistake(f"a TSIG key's name is {error}", found=repr(name)) from None
    if algorithm not in OCTETS:
        raise Mistake(f"a TSIG algorithm, one of {', '.join(OCTETS)}", found=repr(algorithm))
    secret = base64.b64encode(secrets.token_bytes(OCTETS[algorithm])).decode()
    clause = f'key "{name}" {{\n\talgorithm {algorithm};\n\tsecret "{secret}";\n}};\n'
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Mistake(
            f"a new key was to be written to {path}",
            found="a file is there already",
            remedy="take another name: a key in use is never overwritten",
        ) from None
    except OSError as error:
        raise FileFailure("written", path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(clause)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise FileFailure("written", path, error) from error
