"""The member tables of every type, put together."""

from __future__ import annotations

import functools

from s2slib.lab.powershell.members import TypeMembers


@functools.lru_cache(maxsize=1)
def all_members() -> dict[str, TypeMembers]:
    """Full type name -> members. Read only."""
    from s2slib.lab.powershell import (
        dotnet_collections,
        dotnet_engine,
        dotnet_io,
        dotnet_system,
        dotnet_text,
        dotnet_values,
        runspace,
    )

    tables: dict[str, TypeMembers] = {}
    for part in (dotnet_text, dotnet_values, dotnet_collections, dotnet_system, dotnet_io, dotnet_engine, runspace):
        tables.update(part.members())
    return tables
