"""The member tables of every type, put together."""

from __future__ import annotations

import functools

from s2slib.lab.powershell.typemembers import TypeMembers


@functools.lru_cache(maxsize=1)
def all_members() -> dict[str, TypeMembers]:
    """Full type name -> members. Read only."""
    from s2slib.lab.powershell import (
        dotnet_collections,
        dotnet_encodings,
        dotnet_engine,
        dotnet_io,
        dotnet_runspace,
        dotnet_system,
        dotnet_text,
        dotnet_values,
    )

    tables: dict[str, TypeMembers] = {}
    parts = (
        dotnet_encodings,
        dotnet_text,
        dotnet_values,
        dotnet_collections,
        dotnet_system,
        dotnet_io,
        dotnet_engine,
        dotnet_runspace,
    )
    for part in parts:
        tables.update(part.members())
    return tables
