"""What the product leaves on a server: an export of Lync's configuration, its hash, its access list, its folder."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest
from helpers.estate_direct import Ended, Shell, ocs, on
from helpers.estate_links import FE1, FE2, Links

from s2slab.cmdlets.windows.files import sddl
from s2slab.estate.estate import Estate, Server
from s2slib.facts import Absent, Known, Unknown
from s2slib.products import lync, windows

FOLDER = "C:\\ProgramData\\s2s"
PATH = f"{FOLDER}\\before-20261126.zip"
TEMP = "C:\\Windows\\Temp\\before.zip"


def delegated(estate: Estate, server: str = "atl-fe-001") -> Shell:
    return on(estate, server, delegated=True, method="credssp")


def export(shell: Shell, path: str = TEMP, **more: bool) -> bytes:
    shell.run("Export-CsConfiguration", FileName=path, **more)
    server = shell.machine.server
    assert isinstance(server, Server)
    return server.files[path].content


def test_the_product_makes_the_folder_exports_restricts_and_knows_the_hash(links: Links) -> None:
    assert links.read(windows.get_file_hash(FE1, PATH, "hash")) == {"hash": Absent()}
    assert links.run(FE1, windows.make_folder(FOLDER), delegated=True).succeeded
    assert links.run(FE1, lync.export_configuration(PATH), delegated=True).succeeded
    held = links.estate.server(FE1).files[PATH]
    assert links.read(windows.get_file_hash(FE1, PATH, "hash")) == {
        "hash": Known({"path": PATH, "sha256": held.sha256})
    }

    before = links.read(windows.get_file_access(FE1, PATH, "access"))["access"]
    assert isinstance(before, Known)
    assert before.value["restricted"] is False
    restricted = links.run(FE1, windows.restrict_file(PATH))
    assert restricted.exit_code == 0
    assert restricted.output == (f"processed file: {PATH}", "Successfully processed 1 files; Failed processing 0 files")
    after = links.read(windows.get_file_access(FE1, PATH, "access"))["access"]
    assert isinstance(after, Known)
    assert after.value == {"path": PATH, "restricted": True, "sddl": "O:BAG:DUD:PAI(A;;FA;;;BA)(A;;FA;;;SY)"}
    assert links.run(FE1, windows.make_folder(FOLDER)).succeeded  # it is there: nothing to do

    rows = links.estate.log.rows()
    assert {row.kind for row in rows} == {"file"}
    assert [row.subject.partition(":")[0] for row in rows] == [f"folder@{FE1}", f"file@{FE1}", f"file@{FE1}"]
    assert all(row.cause.kind == "command" and row.cause.server == FE1 for row in rows)


def test_without_a_second_hop_only_the_front_ends_own_replica_can_be_exported(links: Links) -> None:
    assert links.run(FE1, windows.make_folder(FOLDER)).succeeded
    refused = links.run(FE1, lync.export_configuration(PATH))
    assert "ANONYMOUS LOGON" in refused.errors[0].message
    assert links.run(FE1, lync.export_configuration(PATH, local_store=True)).succeeded
    assert PATH in links.estate.server(FE1).files


def test_what_is_not_there_cannot_be_restricted_and_is_absent(links: Links) -> None:
    refused = links.run(FE1, windows.restrict_file(PATH))
    assert refused.exit_code == 3
    assert [error.message for error in refused.errors] == [f"{PATH}: The system cannot find the path specified."]
    assert links.read(windows.get_file_access(FE1, PATH, "access")) == {"access": Absent()}
    folder = links.read(windows.get_file_hash(FE1, "C:\\Windows\\Temp", "hash"))["hash"]
    assert isinstance(folder, Unknown)  # a folder has no hash, and is not absent either


def test_an_export_depends_on_the_state_and_on_nothing_else(estate: Estate) -> None:
    first = export(delegated(estate))
    estate.clock.advance(3600)
    assert export(delegated(estate), "C:\\Windows\\Temp\\again.zip") == first
    ocs(estate).run("Set-CsOAuthConfiguration", Realm="litwareinc.com")
    assert export(delegated(estate), "C:\\Windows\\Temp\\changed.zip") != first


def test_an_export_is_an_archive_of_the_whole_document(estate: Estate) -> None:
    with zipfile.ZipFile(io.BytesIO(export(delegated(estate)))) as archive:
        document = json.loads(archive.read(archive.namelist()[0]))
    assert "UserServicesPolicy/Global" in document["items"]
    assert document["topology"]["pool"] == "atl-cs-001.litwareinc.com"


def test_the_local_store_is_the_replica_and_lags_behind(estate: Estate) -> None:
    first = export(delegated(estate))
    ocs(estate).run("Set-CsOAuthConfiguration", Realm="litwareinc.com")
    assert export(on(estate, "atl-fe-002"), TEMP, LocalStore=True) == first
    estate.clock.advance(61)
    assert export(on(estate, "atl-fe-002"), "C:\\Windows\\Temp\\later.zip", LocalStore=True) != first


def test_the_hash_is_the_one_of_the_bytes_and_text_is_read_as_text(estate: Estate) -> None:
    shell = delegated(estate)
    content = export(shell)
    hashed = shell.run("Get-FileHash", Path=TEMP.upper(), Algorithm="SHA1").one
    assert hashed.get("Hash") == hashlib.sha1(content, usedforsecurity=False).hexdigest().upper()
    assert hashed.get("Algorithm") == "SHA1"
    assert shell.run("Get-ChildItem", Path="C:\\Windows\\Temp").one.get("Length") == len(content)
    assert shell.machine.read_file(TEMP).startswith("PK")
    missing = shell.run("Get-FileHash", LiteralPath=["C:\\nowhere.zip"])
    assert [(error.id, error.message) for error in missing.errors] == [
        ("PathNotFound", "Cannot find path 'C:\\nowhere.zip' because it does not exist.")
    ]


@pytest.mark.parametrize(
    ("path", "force", "said"),
    [
        ("C:\\Nowhere\\before.zip", False, "Could not find a part of the path"),
        ("D:\\before.zip", False, "Could not find a part of the path"),
        (TEMP, False, "already exists"),
        (TEMP, True, "already exists"),
    ],
)
def test_an_export_needs_its_folder_and_overwrites_nothing(estate: Estate, path: str, force: bool, said: str) -> None:
    shell = delegated(estate)
    before = export(shell)
    with pytest.raises(Ended, match=said):
        export(shell, path, Force=force)
    assert estate.server("atl-fe-001").files == {TEMP: estate.server("atl-fe-001").files[TEMP]}
    assert estate.server("atl-fe-001").files[TEMP].content == before


def test_an_export_needs_the_server_administrators_rights(estate: Estate) -> None:
    with pytest.raises(Ended, match="RTCUniversalServerAdmins"):
        export(on(estate, "atl-fe-001", "s2s-readonly", delegated=True))
    assert not ocs(estate).has("Export-CsConfiguration")


def test_a_folder_is_made_once_with_its_parents_where_there_is_a_drive(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001")
    deep = f"{FOLDER}\\a\\b"
    assert shell.run("New-Item", ItemType="Directory", Path=[deep]).one.get("FullName") == deep
    assert shell.machine.exists(f"{FOLDER}\\A")
    again = shell.run("New-Item", ItemType="Directory", Path=[FOLDER])
    assert [error.id for error in again.errors] == ["DirectoryExist"]
    assert shell.run("New-Item", ItemType="Directory", Path=[FOLDER], Force=True).output
    assert [e.id for e in shell.run("New-Item", ItemType="Directory", Path=["E:\\x"]).errors] == ["DriveNotFound"]
    assert not shell.run("New-Item", what_if=True, ItemType="Directory", Path=["C:\\x"]).output
    assert len(estate.log.rows(kind="file")) == 1


def test_icacls_shows_the_access_list_and_refuses_what_it_cannot_do(estate: Estate) -> None:
    shell = delegated(estate)
    export(shell)
    code, said = shell.program("icacls", TEMP)
    assert code == 0
    assert said.splitlines()[0] == f"{TEMP} NT AUTHORITY\\SYSTEM:(I)(F)"
    assert shell.program("icacls", TEMP, "/grant:r", "Nobody:F") == (
        1332,
        "Nobody: No mapping between account names and security IDs was done.\r\n"
        "Successfully processed 0 files; Failed processing 1 files\r\n",
    )
    code, said = shell.program("icacls", TEMP, "/setowner", "Administrators")
    assert (code, said[:15]) == (87, "The lab's icacl")
    assert shell.program("icacls", TEMP, "/inheritance:r", "/grant:r", "BUILTIN\\Users:R")[0] == 0
    assert not windows.is_restricted(sddl(estate.server("atl-fe-001").files[TEMP]))
    assert shell.program("icacls", TEMP + "x")[0] == 2
    outsider = on(estate, "atl-fe-001", "s2s-exchange").program("icacls", TEMP, "/inheritance:r")
    assert outsider[0] == 5
    assert FE2 not in str(estate.log.rows(kind="file"))


@pytest.mark.parametrize(
    ("descriptor", "restricted"),
    [
        ("O:BAG:DUD:PAI(A;;FA;;;BA)(A;;FA;;;SY)", True),
        ("O:S-1-5-32-544G:DUD:P(A;;FA;;;S-1-5-18)(D;;FA;;;WD)S:AI", True),
        ("O:BAG:DUD:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)", False),
        ("O:BAG:DUD:PAI(A;;FA;;;BA)(A;;0x1200a9;;;BU)", False),
    ],
)
def test_a_file_is_restricted_when_nobody_else_is_let_in(descriptor: str, restricted: bool) -> None:
    assert windows.is_restricted(descriptor) is restricted


@pytest.mark.parametrize("descriptor", ["", "O:BAG:DU", "D:NO_ACCESS_CONTROL", "D:PAI(XA;;FA;;;SY;(@User.a == 1))"])
def test_a_descriptor_that_is_not_understood_is_no_answer(descriptor: str) -> None:
    with pytest.raises(ValueError, match="no access list"):
        windows.is_restricted(descriptor)
