"""Which credential is used where: per product and per server, by reference only."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from s2slib.credentials.reference import FORMS, Reference, ReferenceFormatError
from s2slib.deployment.values import Fqdn, Rows, Section, Text, refuse


def _reference(value: str) -> str:
    try:
        return str(Reference.parse(value))
    except ReferenceFormatError as error:
        refuse(error.problem, error.allowed)


ReferenceText = Annotated[str, AfterValidator(_reference)]


class Account(Section):
    """A credential. A text alone stands for `{reference: text}`."""

    reference: ReferenceText = Field(description=f"Where the secret is: {', '.join(f'`{form}`' for form in FORMS)}.")
    user: Text | None = Field(
        default=None,
        description=r"Account, as 'LITWAREINC\name' or name@litwareinc.com. Required beside env: and command:, "
        "optional beside prompt: and ticket:, not allowed beside the others.",
    )

    @property
    def parsed(self) -> Reference:
        """The reference as a value."""
        return Reference.parse(self.reference)

    @model_validator(mode="after")
    def _user_fits(self) -> Account:
        scheme, rule = self.parsed.scheme, self.parsed.user_rule
        if rule == "required" and not self.user:
            refuse(f"has no user beside {scheme}:", r"user: 'LITWAREINC\name' (or name@litwareinc.com) and reference")
        if rule == "none" and self.user:
            refuse(f"has a user beside {scheme}:", f"{scheme}: without user", "the reference says who it is")
        return self


def _text_alone(value: object) -> object:
    return {"reference": value} if isinstance(value, str) else value


AccountOrReference = Annotated[Account, BeforeValidator(_text_alone)]


class ServerAccount(Account):
    """The credential for one server."""

    server: Fqdn = Field(description="A declared server.")


class Credentials(Section):
    """Credentials by reference. A secret itself never stands in a params file."""

    lync: AccountOrReference = Field(
        default=Account(reference="prompt:"), description="For the Lync or Skype for Business servers. Default prompt:"
    )
    exchange: AccountOrReference = Field(
        default=Account(reference="prompt:"), description="For the Exchange servers. Default prompt:"
    )
    servers: Rows[ServerAccount] = Field(default=(), description="For single servers, in place of their product's.")
