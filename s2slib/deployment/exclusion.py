"""Servers left out of a run by name, so that one dead box does not block the estate."""

from __future__ import annotations

from pydantic import Field

from s2slib.deployment.values import Fqdn, Reason, Section


class Exclusion(Section):
    """A server that is left out by name. The result stays yellow."""

    server: Fqdn = Field(description="The server, declared in the same section.")
    reason: Reason = Field(description="Why; printed in every record.")
