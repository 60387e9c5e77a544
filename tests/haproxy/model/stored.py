"""Maps, ACLs' lists, certificates and lists of them, as the model of a process holds them."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field

_LEAF = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_NOT_FOUND = "Unknown {kind} identifier. Please use #<id> or <file>."


def fingerprint(pem: str) -> str:
    """Of the first certificate, in HAProxy's form."""
    return next(iter(fingerprints(pem)), "")


def fingerprints(pem: str) -> list[str]:
    found = (base64.b64decode(match[1]) for match in _LEAF.finditer(pem))
    return [hashlib.sha1(der, usedforsecurity=False).hexdigest().upper() for der in found]


@dataclass
class Patterns:
    """Of a map or an ACL's list. `begun`: versions that are prepared and not in force."""

    entries: list[str]
    current: int = 0
    newest: int = 0
    begun: dict[int, list[str]] = field(default_factory=dict)

    def prepare(self) -> str:
        self.newest += 1
        self.begun[self.newest] = []
        return f"New version created: {self.newest}\n"

    def add(self, version: int, lines: list[str]) -> str:
        if version not in self.begun:
            return "Version number in the future, please use 'prepare map' before.\n"
        self.begun[version] += lines
        return ""

    def commit(self, version: int) -> str:
        if version not in self.begun:
            return "Version number out of range.\n"
        self.entries, self.current = self.begun[version], version
        self.begun = {each: lines for each, lines in self.begun.items() if each > version}
        return ""

    def shown(self) -> str:
        return "".join(f"0x{index:012x} {entry}\n" for index, entry in enumerate(self.entries, 1))


@dataclass
class Certificates:
    """`serve`: PEM by path, "" of an empty one; `lists`: numbered lines of crt-lists; `defaults` of binds."""

    serve: dict[str, str] = field(default_factory=dict)
    lists: dict[str, dict[int, str]] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()  # named by the configuration itself
    pending: tuple[str, str] | None = None
    authorities: dict[str, str] = field(default_factory=dict)
    pending_authority: tuple[str, str] | None = None

    def used(self, path: str) -> bool:
        return path in self.fixed or any(
            line.split()[0] == path for lines in self.lists.values() for line in lines.values()
        )

    def names(self) -> str:
        head = f"# transaction\n*{self.pending[0]}\n" if self.pending else ""
        files = "".join(f"{path}\n" for path in sorted(self.serve))
        return f"{head}# filename\n{files}" if files else head

    def one(self, path: str) -> str:
        if path not in self.serve:
            return "Can't display the certificate: Not found or the certificate is a bundle!\n"
        if not self.serve[path]:
            return f"Filename: {path}\nStatus: Empty\n"
        status = "Used" if self.used(path) else "Unused"
        return f"Filename: {path}\nStatus: {status}\nSHA1 FingerPrint: {fingerprint(self.serve[path])}\n"

    def new(self, path: str) -> str:
        if path in self.serve:
            return f"Certificate '{path}' already exists!\n"
        self.serve[path] = ""
        return f"New empty certificate store '{path}'!\n"

    def set(self, path: str, pem: str, version: str) -> str:
        if self.pending and self.pending[0] != path:
            other = self.pending[0]
            if version.startswith("2."):
                self.pending = (other, pem)
                return f"Transaction updated for certificate {other}!\n"
            return f"The ongoing transaction is about '{other}' but you are trying to set '{path}'\nCan't update {path}!\n"
        if path not in self.serve:
            return f"Can't replace a certificate which is not referenced by the configuration!\nCan't update {path}!\n"
        word = "updated" if self.pending else "created"
        self.pending = (path, pem)
        return f"Transaction {word} for certificate {path}!\n"

    def commit(self, path: str) -> str:
        if self.pending is None:
            return f"No ongoing transaction! !\nCan't commit {path}!\n"
        if self.pending[0] != path:
            return f"The ongoing transaction is about '{self.pending[0]}' but you are trying to set '{path}'\nCan't commit {path}!\n"
        self.serve[path], self.pending = self.pending[1], None
        return f"Committing {path}{'.' * self.used(path)}\nSuccess!\n"

    def abort(self, path: str) -> str:
        if self.pending is None:
            return "No ongoing transaction!\n"
        if self.pending[0] != path:
            other = self.pending[0]
            return f"The ongoing transaction is about '{other}' but you are trying to abort a transaction for '{path}'\n"
        self.pending = None
        return f"Transaction aborted for certificate '{path}'!\n"

    def delete(self, path: str) -> str:
        if path not in self.serve:
            return f"Can't remove the certificate: certificate '{path}' doesn't exist!\n"
        if self.used(path):
            return f"Can't remove the certificate: certificate '{path}' in use, can't be deleted!\n"
        del self.serve[path]
        return f"Certificate '{path}' deleted!\n"

    def show_list(self, name: str) -> str:
        if name not in self.lists:
            return "Unknown crt-list\n"
        lines = []
        for number, line in self.lists[name].items():
            path, _, rest = line.partition(" ")
            lines.append(f"{path}:{number} {rest}".rstrip())
        return "\n".join([f"# {name}", *lines]) + "\n"

    def add_to_list(self, name: str, line: str) -> str:
        path = line.split(maxsplit=1)[0]
        if name not in self.lists:
            return f"Can't edit the crt-list: crt-list '{name}' does not exist!\n"
        if not self.serve.get(path):
            return f"Can't edit the crt-list: certificate '{path}' is empty!\n"
        lines = self.lists[name]
        lines[max(lines, default=0) + 1] = line
        return f"Inserting certificate '{path}' in crt-list '{name}'.\nSuccess!\n"

    def del_from_list(self, name: str, said: str) -> str:
        path, _, number = said.partition(":")
        lines = self.lists.get(name, {})
        found = [each for each, line in lines.items() if line.split()[0] == path]
        if number and int(number) in found:
            found = [int(number)]
        if len(found) != 1:
            return f"Can't delete the entry: certificate '{path}' is several times or not in crt-list '{name}'!\n"
        del lines[found[0]]
        return f"Entry '{path}' deleted in crtlist '{name}'!\n"

    def authority_names(self) -> str:
        head = (
            f"# transaction\n*{self.pending_authority[0]} - 1 certificate(s)\n"
            if self.pending_authority
            else ""
        )
        return (
            head
            + "\n".join(["# filename", *(f"{path} - 1 certificate(s)" for path in self.authorities)])
            + "\n"
        )

    def authority(self, path: str) -> str:
        if path not in self.authorities:
            return "Can't display the CA file : Not found!\n"
        lines = "".join(f"SHA1 FingerPrint: {each}\n" for each in fingerprints(self.authorities[path]))
        return f"Filename: {path}\nStatus: Used\n{lines}"

    def abort_authority(self, path: str) -> str:
        if self.pending_authority is None:
            return "No ongoing transaction!\n"
        self.pending_authority = None
        return f"Transaction aborted for certificate '{path}'!\n"

    def set_authority(self, path: str, pem: str) -> str:
        if self.pending_authority and self.pending_authority[0] != path:
            other = self.pending_authority[0]
            return f"The ongoing transaction is about '{other}' but you are trying to set '{path}'\nCan't update {path}!\n"
        if path not in self.authorities:
            return f"Can't replace a CA file which is not referenced by the configuration!\nCan't update {path}!\n"
        self.pending_authority = (path, pem)
        return f"transaction created for CA {path}!\n"

    def commit_authority(self, path: str) -> str:
        if self.pending_authority is None or self.pending_authority[0] != path:
            return f"No ongoing transaction! !\nCan't commit {path}!\n"
        self.authorities[path], self.pending_authority = self.pending_authority[1], None
        return f"Committing {path}.\nSuccess!\n"
