"""Lync certificates: which one is assigned to a use, assigning, rolling and removing one.

    use                 scope    where the assignment lives
    Default, WebServices*   Local    this front end
    OAuthTokenIssuer    Global   the Central Management Store; each front end knows what its own replica says

`Set-CsCertificate -Type OAuthTokenIssuer`

    -Roll  -EffectiveDate    result
    no     none              current, at once; the one before becomes the previous one
    no     given             refused                                                        (wording UNCONFIRMED)
    yes    none              refused                                                        (wording UNCONFIRMED)
    yes    < 24 h ahead      refused                                                        (wording UNCONFIRMED)
    yes    >= 24 h ahead     staged: signs from that instant on, the one before until then
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NoReturn

from s2slab.cmdlets.lync.common import FORCE, READERS, SERVER_ADMINS, reach_store, require
from s2slab.cmdlets.shared.base import Place, changing, denied, flag, place, reading, text, utc
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate.pki import KeyPair

OAUTH = "OAuthTokenIssuer"
LOCAL_USES = ("Default", "WebServicesInternal", "WebServicesExternal")
USES = (*LOCAL_USES, OAUTH)
STAGE_AHEAD = timedelta(hours=24)
REFERENCE = "Microsoft.Rtc.Management.Deployment.CertificateReference"
_TYPE = Parameter("Type", "string[]", values=USES)
_IDENTITY = Parameter("Identity", "string")


def specs() -> list[CmdletSpec]:
    """The certificate cmdlets; they exist in the local shell only, not in the remote endpoint."""
    return [
        CmdletSpec("Get-CsCertificate", _get, (_TYPE, _IDENTITY, Parameter("Report", "string"))),
        CmdletSpec(
            "Set-CsCertificate",
            _set,
            (
                Parameter("Type", "string[]", mandatory=True, values=USES),
                Parameter("Thumbprint", "string", mandatory=True, not_empty=True),
                _IDENTITY,
                Parameter("EffectiveDate", "datetime"),
                Parameter("Roll", "switch"),
                Parameter("Report", "string"),
                FORCE,
            ),
            should_process=True,
        ),
        CmdletSpec(
            "Request-CsCertificate",
            _request,
            (
                Parameter("New", "switch", mandatory=True),
                Parameter("Type", "string[]", mandatory=True, values=USES),
                Parameter("CA", "string", mandatory=True, not_empty=True),
                Parameter("FriendlyName", "string"),
                Parameter("KeySize", "int"),
                Parameter("PrivateKeyExportable", "bool"),
                Parameter("AllSipDomain", "switch"),
                Parameter("DomainName", "string"),
            ),
            should_process=True,
        ),
        CmdletSpec(
            "Remove-CsCertificate",
            _remove,
            (
                Parameter("Type", "string[]", mandatory=True, values=USES),
                _IDENTITY,
                Parameter("Previous", "switch"),
                FORCE,
            ),
            should_process=True,
        ),
    ]


def _get(call: Call) -> Iterator[PsObject]:
    require(call, READERS)
    with reading(call) as at:
        wanted = call.parameters.get("Type") or USES
        found = [_reference(at, use) for use in USES if use in wanted]
    return (item for item in found if item is not None)


def _reference(at: Place, use: str) -> PsObject | None:
    if use != OAUTH:
        thumbprint = at.server.default_certificates.get(use, "")
        pair = at.server.certificates.get(thumbprint)
        return None if pair is None else _shown(pair, use, "Local", pair.not_before, "")
    item = at.estate.cms.read(OAUTH, replica=at.server.fqdn)
    if item is None:
        return None
    pair = at.estate.key_pairs.get(str(item["Thumbprint"]))
    if pair is None:
        return None
    return _shown(pair, use, "Global", item["EffectiveDate"], str(item["PreviousThumbprint"]))


def _shown(pair: KeyPair, use: str, scope: str, effective: datetime, previous: str) -> PsObject:
    return ps_object(
        REFERENCE,
        Issuer=pair.issuer,
        NotAfter=pair.not_after,
        NotBefore=pair.not_before,
        SerialNumber=pair.serial,
        Subject=pair.subject,
        AlternativeNames=list(pair.names),
        Thumbprint=pair.thumbprint,
        EffectiveDate=effective,
        PreviousThumbprint=previous,
        UpdateTime="",
        Use=use,
        SourceScope=scope,
    )


def _set(call: Call) -> None:
    _need_administrator(call)
    thumbprint = text(call.parameters["Thumbprint"]).replace(" ", "").upper()
    for use in call.parameters["Type"]:
        if use == OAUTH:
            _assign_globally(call, thumbprint)
        else:
            _assign_here(call, str(use), thumbprint)


def _assign_here(call: Call, use: str, thumbprint: str) -> None:
    pair = _in_store(call, thumbprint)
    if not call.should_process(f"{use} {thumbprint}"):
        return
    with changing(call) as at:
        before = at.server.default_certificates.get(use)
        at.server.default_certificates[use] = thumbprint
        if use == "WebServicesInternal" or use == "Default":
            at.server.tls = pair
        at.estate.record("configuration", f"lync_certificate@{at.server.fqdn}:{use}", before, thumbprint)


def _assign_globally(call: Call, thumbprint: str) -> None:
    require(call, SERVER_ADMINS)
    reach_store(call)
    if text(call.parameters.get("Identity", "global")).lower() != "global":
        _refuse(call, f"{OAUTH} is assigned at the global scope only.", "InvalidScope")
    pair = _in_store(call, thumbprint)
    effective = _effective_date(call)
    if not call.should_process(f"global {OAUTH} {thumbprint}"):
        return
    with changing(call) as at:
        before = at.estate.cms.read(OAUTH)
        current = str(before["Thumbprint"]) if before else ""
        previous = str(before["PreviousThumbprint"]) if before else ""
        item: dict[str, Any] = {
            "Thumbprint": thumbprint,
            "EffectiveDate": effective or at.now,
            "PreviousThumbprint": previous if current in ("", thumbprint) else current,
        }
        at.estate.key_pairs[thumbprint] = pair
        # whether the server that assigns it knows it before its own replica follows is UNCONFIRMED
        at.estate.cms.write(OAUTH, item, at_once_on=at.server.fqdn)


def _effective_date(call: Call) -> datetime | None:
    """The instant of a roll; None for an assignment that holds at once."""
    given = call.parameters.get("EffectiveDate")
    rolls = flag(call, "Roll")
    if not rolls and given is None:
        return None
    if given is None:
        _refuse(call, "The Roll parameter requires the EffectiveDate parameter.", "EffectiveDateMissing")
    if not rolls:
        _refuse(call, "The EffectiveDate parameter can only be used with the Roll parameter.", "RollMissing")
    at = place(call)
    effective = utc(given)
    if effective < at.now + STAGE_AHEAD:
        _refuse(
            call,
            f"The effective date {effective:%Y-%m-%d %H:%M:%S}Z of {OAUTH} must be at least 24 hours ahead.",
            "EffectiveDateTooEarly",
        )
    if at.estate.cms.read(OAUTH) is None:
        _refuse(call, f"There is no {OAUTH} certificate to roll from.", "NothingToRoll")
    return effective


def _request(call: Call) -> Iterator[PsObject]:
    """A certificate from the enterprise CA, in this server's store; assigning it is another step."""
    _need_administrator(call)
    at = place(call)
    given = call.parameters
    size = int(given.get("KeySize", 2048))
    if size not in (1024, 2048, 4096):
        _refuse(call, f"A key size of {size} is not supported.", "InvalidKeySize")
    names = [name.strip() for name in text(given.get("DomainName")).split(",") if name.strip()]
    if flag(call, "AllSipDomain"):
        with reading(call) as at:
            names += [f"sip.{row['Name']}" for row in at.estate.cms.list("SipDomain", replica=at.server.fqdn)]
    if not call.should_process(text(given["CA"])):
        return
    pair = at.estate.authority.issue(
        at.estate.pool_fqdn,
        names=names,
        key_size=size,
        friendly_name=text(given.get("FriendlyName")),
        exportable=bool(given.get("PrivateKeyExportable", False)),
    )
    with changing(call) as at:
        at.server.certificates[pair.thumbprint] = pair
        at.estate.record("configuration", f"certificate@{at.server.fqdn}:{pair.thumbprint}", None, pair.subject)
    for use in given["Type"]:
        yield _shown(pair, str(use), "Global" if use == OAUTH else "Local", pair.not_before, "")


def _remove(call: Call) -> None:
    _need_administrator(call)
    for use in call.parameters["Type"]:
        if use != OAUTH:
            _refuse(call, f"The {use} certificate cannot be removed while services use it.", "CertificateInUse")
        require(call, SERVER_ADMINS)
        reach_store(call)
        if call.should_process(f"global {OAUTH}"):
            with changing(call) as at:
                _unassign(call, at)


def _unassign(call: Call, at: Place) -> None:
    item = at.estate.cms.read(OAUTH)
    if item is None:
        _refuse(call, f"No {OAUTH} certificate is assigned.", "CertificateNotAssigned")
    if flag(call, "Previous"):
        item = {**item, "PreviousThumbprint": ""}
        at.estate.cms.write(OAUTH, item, at_once_on=at.server.fqdn)
    else:
        at.estate.cms.write(OAUTH, None, at_once_on=at.server.fqdn)


def _need_administrator(call: Call) -> None:
    at = place(call)
    if not at.session.may_administer(at.server.fqdn):
        denied(call, f"{call.name} needs a local administrator.")


def _in_store(call: Call, thumbprint: str) -> KeyPair:
    pair = place(call).server.certificates.get(thumbprint)
    if pair is None:
        _refuse(
            call,
            f"Cannot find a certificate with thumbprint {thumbprint} and a private key in the local machine's store.",
            "CertificateNotFound",
        )
    return pair


def _refuse(call: Call, message: str, id: str) -> NoReturn:
    call.throw(
        message, id=id, category="InvalidArgument", exception="Microsoft.Rtc.Management.Deployment.DeploymentException"
    )
