"""What a run may do, who has to agree, and which existing values may be replaced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from s2slib.deployment.values import Reason, Rows, Section, Text, refuse

Setting = Literal["lync.ExchangeAutodiscoverUrl"]


class Override(Section):
    """Permission to replace one existing value. Without it a different, non-empty value is a blocker."""

    setting: Setting = Field(
        description="lync.ExchangeAutodiscoverUrl, of Get-CsOAuthConfiguration. Realms, the signing certificate and entries "
        "that name another URL are never replaced: a person moves them by hand."
    )
    existing: Text = Field(
        min_length=1, description="The value that may be replaced, in quotes. Any other stays a blocker."
    )
    reason: Reason = Field(description="Why; printed in the plan and in every record.")


class Policy(Section):
    """The rules of this deployment's change procedure."""

    approval: Literal["required", "not_required"] = Field(
        default="required", description="Whether a plan needs approval before it is applied. not_required is recorded."
    )
    two_persons: bool = Field(default=False, description="Whether the approver must not be the operator.")
    apply: Literal["remote", "by_hand"] = Field(
        default="remote",
        description="remote: this product sends the commands. by_hand: it shows each line, a person types it into the "
        "management shell, and the product journals it and reads back; nothing that writes is sent.",
    )
    scope: Literal["both", "lync", "exchange"] = Field(
        default="both",
        description="Which side this operator may log on to. The other side's facts come from network.other_side, and "
        "nothing there is changed.",
    )
    ucs: Literal["block", "staged", "migrate_now"] = Field(
        default="block",
        description="Where a user services policy allows the unified contact store, contacts migrate once the trust "
        "stands, and no back-out undoes that. block: stop; staged: switch the policy off first; "
        "migrate_now: accept it.",
    )
    restart: Literal["hold", "run_on"] = Field(
        default="hold", description="Before each IIS restart: hold for a person, or run on from server to server."
    )
    hybrid: Literal["protect", "wizard_follows"] = Field(
        default="protect",
        description="In a hybrid organisation: protect refuses to change certificates and realms; wizard_follows "
        "allows it, because the Hybrid Configuration Wizard will be run again afterwards.",
    )
    overrides: Rows[Override] = Field(default=(), description="Existing values that may be replaced.")

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        if self.two_persons and self.approval == "not_required":
            refuse("asks for two persons but for no approval", "two_persons: true with approval: required")
        return self
