"""Export-CsConfiguration: the configuration document of Lync as one archive on the disk of the front end.

refused                                             because
--------------------------------------------------  -----------------------------------------------------------------
the token is not in RTCUniversalServerAdmins        documented
no second hop, without -LocalStore                  the store is a database on another server
the folder is missing, or not writable              as every file                                (wording UNCONFIRMED)
the file is there already, with -Force too          documented for Export-CsLisConfiguration only (UNCONFIRMED here)

-Force only suppresses messages that are not fatal, as documented. There is neither -WhatIf nor -Confirm. The cmdlet is left
out of the remote endpoint: what is documented for its sibling there is -AsBytes instead of a file (UNCONFIRMED here).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from s2slab.cmdlets.lync.common import FORCE, LOCAL_STORE, SERVER_ADMINS, reach_store, require
from s2slab.cmdlets.shared.base import changing, flag, place, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.estate import disk
from s2slab.estate.estate import Estate
from s2slab.estate.paths import Paths
from s2slab.estate.transitions import plain

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that an archive can hold: the same state gives the same bytes


def specs() -> list[CmdletSpec]:
    """The cmdlet, for the local shell of a front end."""
    name = Parameter("FileName", "string", mandatory=True, position=0, not_empty=True)
    return [CmdletSpec("Export-CsConfiguration", _export, (name, FORCE, LOCAL_STORE))]


def archive(estate: Estate, items: Mapping[str, Any]) -> bytes:
    """The archive of a configuration document: the same bytes for the same items and topology.

    A real archive holds XML documents; the name of the one in here and its form are the lab's.
    """
    document = {
        "items": plain(items),
        "topology": {
            "pool": estate.pool_fqdn,
            "computers": [server.fqdn for server in estate.front_ends()],
            "database": estate.database_fqdn,
            "product": estate.lync_product,
        },
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        entry = zipfile.ZipInfo("configuration.json", _EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        file.writestr(entry, json.dumps(document, indent=1, sort_keys=True))
    return packed.getvalue()


def _export(call: Call) -> None:
    require(call, SERVER_ADMINS)
    local = flag(call, "LocalStore")
    if not local:
        reach_store(call)
    path = text(call.parameters["FileName"])
    with changing(call) as at:
        _check_target(call, path)
        items = at.estate.cms.replicas[at.server.fqdn] if local else at.estate.cms.master
        disk.write(at.estate, at.server, path, archive(at.estate, items))


def _check_target(call: Call, path: str) -> None:
    at = place(call)
    paths = Paths(at.server)
    if not paths.is_folder(path.rpartition("\\")[0]):
        call.throw(
            f"Could not find a part of the path '{path}'.",
            id="PathNotFound",
            category="ObjectNotFound",
            exception="System.IO.DirectoryNotFoundException",
        )
    if not at.session.may_administer(at.server.fqdn):
        call.throw(
            f"Access to the path '{path}' is denied.",
            id="AccessDenied",
            category="PermissionDenied",
            exception="System.UnauthorizedAccessException",
        )
    if paths.exists(path):
        call.throw(
            f"The file '{path}' already exists.",
            id="FileExists",
            category="ResourceExists",
            exception="System.IO.IOException",
        )
