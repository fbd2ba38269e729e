"""Reads of files on a server: one object is an answer, none and several are not."""

from __future__ import annotations

from typing import Any

import pytest

from s2slib.facts import Absent, Known, Unknown
from s2slib.products.windows import get_file_access, get_file_hash
from s2slib.remoting.values.reply import RemoteError, Reply

SERVER, PATH = "fe.litwareinc.com", "C:\\ProgramData\\before.zip"
HASH = {"Algorithm": "SHA256", "Hash": "AB" * 32, "Path": PATH}
ACCESS = {"Sddl": "O:BAG:DUD:PAI(A;;FA;;;BA)(A;;FA;;;SY)"}
READS = [(get_file_hash(SERVER, PATH, "key"), HASH), (get_file_access(SERVER, PATH, "key"), ACCESS)]


@pytest.mark.parametrize(("read", "row"), READS, ids=["hash", "access"])
def test_one_object_is_known_and_none_or_two_are_unknown(read: Any, row: dict[str, str]) -> None:
    one, none, two = (
        read.facts(Reply(SERVER, read.command, "completed", rows))["key"] for rows in ((row,), (), (row, row))
    )
    assert isinstance(one, Known)
    assert isinstance(none, Unknown)
    assert isinstance(two, Unknown)


@pytest.mark.parametrize(("read", "row"), READS, ids=["hash", "access"])
@pytest.mark.parametrize(
    ("id", "fact"),
    [
        ("PathNotFound,Microsoft.PowerShell.Commands.ResolvePathCommand", Absent),
        ("GetAcl_PathNotFound_Exception,Microsoft.PowerShell.Commands.GetAclCommand", Absent),
        ("FileReadError,Get-FileHash", Unknown),
        ("System.UnauthorizedAccessException,Microsoft.PowerShell.Commands.GetAclCommand", Unknown),
    ],
)
def test_only_a_path_that_does_not_exist_is_absent(read: Any, row: dict[str, str], id: str, fact: type) -> None:
    error = RemoteError("said", id, "ObjectNotFound", "", "System.Exception")
    assert isinstance(read.facts(Reply(SERVER, read.command, "completed", (), (error,)))["key"], fact)


def test_a_hash_is_kept_in_lower_case() -> None:
    read = get_file_hash(SERVER, PATH, "key")
    fact = read.facts(Reply(SERVER, read.command, "completed", (HASH,)))["key"]
    assert fact == Known({"path": PATH, "sha256": "ab" * 32})
