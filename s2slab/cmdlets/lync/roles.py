"""Get-CsAdminRole: which role of Lync's remote endpoint may run which cmdlets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s2slab.cmdlets.lync.common import LOCAL_STORE, not_found, replica_to_read
from s2slab.cmdlets.shared.base import text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate import rbac


def specs(offered: Sequence[CmdletSpec]) -> list[CmdletSpec]:
    """Get-CsAdminRole, for an endpoint that offers these cmdlets beside it."""

    def roles(call: Call) -> Iterator[PsObject]:
        replica_to_read(call)
        wanted = text(call.parameters.get("Identity")).lower()
        found = [name for name in rbac.LYNC_GROUPS if wanted in ("", name.lower())]
        if wanted and not found:
            not_found(call, wanted)
        for name in found:
            names = [spec.name for spec in offered if rbac.LYNC_GROUPS[name] or spec.name.startswith("Get-")]
            yield ps_object(
                "Microsoft.Rtc.Management.WritableConfig.Settings.Roles.Role",
                Identity=name,
                IsStandardRole=True,
                Cmdlets=[*names, "Get-CsAdminRole"],
                ConfigScopes=["Global"],
                UserScopes=["Global"],
            )

    return [CmdletSpec("Get-CsAdminRole", roles, (Parameter("Identity", "string", position=0), LOCAL_STORE))]
