"""Bearer tokens: what is wrong with one decides the answer, and nothing but a right one is accepted."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP, WorkerProcess
from s2slab.estate.pki import Authority, KeyPair
from s2slab.web.oauth import (
    Accepted,
    Audience,
    Refused,
    judge_bearer,
    mint_actor_token,
    mint_user_token,
    trusted_issuers,
    x5t,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOST = "mail.litwareinc.com"
ISSUER = f"{LYNC_APP}@litwareinc.com"
AUDIENCE = Audience(EXCHANGE_APP, HOST, "litwareinc.com")
USER = "kenmyer@litwareinc.com"


class Directory:
    """One linked account with one role, one mailbox."""

    def roles(self, linked_account: str) -> tuple[str, ...] | None:
        return ("UserApplication",) if linked_account == "account" else None

    def has_mailbox(self, user: str) -> bool:
        return user == USER


@pytest.fixture
def signer() -> KeyPair:
    return Authority.self_signed("litwareinc.com")


@pytest.fixture
def worker(signer: KeyPair) -> WorkerProcess:
    row = {
        "ApplicationIdentifier": LYNC_APP,
        "Realm": "litwareinc.com",
        "Enabled": True,
        "UseAuthServer": False,
        "CertificateStrings": [base64.b64encode(signer.der).decode()],
        "LinkedAccount": "account",
    }
    return WorkerProcess("MSExchangeServicesAppPool", 4, NOW, (row,), {"Realm": ""}, ("litwareinc.com",))


def judge(token: str, worker: WorkerProcess, *, at: datetime = NOW) -> Accepted | Refused:
    return judge_bearer(token, worker=worker, host=HOST, at=at, accounts=Directory())


def actor(signer: KeyPair, *, audience: Audience = AUDIENCE, issuer: str = ISSUER) -> str:
    return mint_actor_token(signer, issuer=issuer, audience=audience, at=NOW)


def user(actor_token: str, *, audience: Audience = AUDIENCE, issuer: str = ISSUER, name: str = USER) -> str:
    return mint_user_token(actor_token, issuer=issuer, audience=audience, user=name, at=NOW)


def test_a_signed_actor_token_is_accepted_alone_and_around_a_user(signer: KeyPair, worker: WorkerProcess) -> None:
    token = actor(signer)
    assert judge(token, worker) == Accepted(LYNC_APP, "litwareinc.com", None)
    assert judge(user(token), worker) == Accepted(LYNC_APP, "litwareinc.com", USER)


def test_tokens_have_the_documented_headers_and_claims(signer: KeyPair) -> None:
    token = actor(signer)
    outer = jwt.decode_complete(user(token), options={"verify_signature": False})
    inner = jwt.decode_complete(token, options={"verify_signature": False})
    assert inner["header"] == {"alg": "RS256", "typ": "JWT", "x5t": x5t(signer.der)}
    assert inner["payload"]["aud"] == f"{EXCHANGE_APP}/{HOST}@litwareinc.com"
    assert inner["payload"]["nameid"] == inner["payload"]["iss"] == ISSUER
    assert inner["payload"]["trustedfordelegation"] == "true"
    assert outer["header"] == {"alg": "none", "typ": "JWT"}
    assert outer["payload"]["actortoken"] == token
    assert outer["payload"]["nii"] == "urn:office:idp:activedirectory"


@pytest.mark.parametrize("token", ["", "bogus", "a.b.c", "e30.e30.", "ey" * 40])
def test_what_is_no_token_can_not_be_parsed(token: str, worker: WorkerProcess) -> None:
    refused = judge(token, worker)
    assert isinstance(refused, Refused)
    assert refused.number in (2000001, 2000003)


@pytest.mark.parametrize(
    ("audience", "number"),
    [
        (replace(AUDIENCE, host="autodiscover.litwareinc.com"), 2000003),
        (replace(AUDIENCE, application=LYNC_APP), 2000003),
        (replace(AUDIENCE, realm="contoso.com"), 2000004),
    ],
)
def test_a_token_for_another_target_is_refused(
    audience: Audience, number: int, signer: KeyPair, worker: WorkerProcess
) -> None:
    refused = judge(user(actor(signer, audience=audience), audience=audience), worker)
    assert isinstance(refused, Refused)
    assert refused.number == number


def test_hosts_and_realms_compare_without_case(signer: KeyPair, worker: WorkerProcess) -> None:
    audience = Audience(EXCHANGE_APP.upper(), HOST.upper(), "LitwareInc.com")
    assert isinstance(judge(actor(signer, audience=audience), worker), Accepted)


@pytest.mark.parametrize(("minutes", "accepted"), [(-6, False), (-4, True), (8 * 60 + 4, True), (8 * 60 + 6, False)])
def test_a_lifetime_is_judged_with_five_minutes_of_skew(
    minutes: int, accepted: bool, signer: KeyPair, worker: WorkerProcess
) -> None:
    answer = judge(user(actor(signer)), worker, at=NOW + timedelta(minutes=minutes))
    assert isinstance(answer, Accepted) == accepted
    assert accepted or (isinstance(answer, Refused) and answer.category == "invalid_lifetime")


def test_an_expired_assertion_around_a_valid_actor_token_is_refused(signer: KeyPair, worker: WorkerProcess) -> None:
    old = mint_user_token(
        actor(signer), issuer=ISSUER, audience=AUDIENCE, user=USER, at=NOW - timedelta(days=1), lifetime_s=60
    )
    refused = judge(old, worker)
    assert isinstance(refused, Refused)
    assert refused.category == "invalid_lifetime"


def test_a_signature_by_another_key_is_refused_even_under_the_right_name(
    signer: KeyPair, worker: WorkerProcess
) -> None:
    other = Authority.self_signed("litwareinc.com")
    claims = jwt.decode(actor(signer), options={"verify_signature": False})
    forged = jwt.encode(claims, other.key, algorithm="RS256", headers={"x5t": x5t(signer.der)})
    for token in (actor(other), forged):
        refused = judge(token, worker)
        assert isinstance(refused, Refused)
        assert refused.category == "invalid_signature"


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_an_actor_token_that_is_not_signed_with_rs256_is_refused(
    algorithm: str, signer: KeyPair, worker: WorkerProcess
) -> None:
    claims = jwt.decode(actor(signer), options={"verify_signature": False})
    token = jwt.encode(claims, "" if algorithm == "none" else "x" * 32, algorithm=algorithm)
    assert isinstance(judge(user(token), worker), Refused)
    assert isinstance(judge(token, worker), Refused)


def test_any_of_several_certificates_will_do(signer: KeyPair, worker: WorkerProcess) -> None:
    previous = Authority.self_signed("litwareinc.com")
    row = dict(worker.partner_applications[0])
    row["CertificateStrings"] = ["not base64!", base64.b64encode(previous.der).decode(), *row["CertificateStrings"]]
    worker.partner_applications = (row,)
    assert isinstance(judge(actor(signer), worker), Accepted)
    assert isinstance(judge(actor(previous), worker), Accepted)


@pytest.mark.parametrize(
    "change", [{"Enabled": False}, {"Realm": "contoso.com"}, {"UseAuthServer": True}, {"ApplicationIdentifier": "x"}]
)
def test_an_issuer_without_a_matching_application_is_not_trusted(
    change: dict[str, object], signer: KeyPair, worker: WorkerProcess
) -> None:
    worker.partner_applications = ({**worker.partner_applications[0], **change},)
    refused = judge(actor(signer), worker)
    assert isinstance(refused, Refused)
    assert refused.category == "invalid_issuer"


def test_a_user_asserted_by_somebody_else_than_the_actor_is_refused(signer: KeyPair, worker: WorkerProcess) -> None:
    refused = judge(user(actor(signer), issuer=f"{LYNC_APP}@contoso.com"), worker)
    assert isinstance(refused, Refused)
    assert refused.category == "invalid_token"


def test_a_user_without_a_mailbox_is_refused_but_the_application_is_not(signer: KeyPair, worker: WorkerProcess) -> None:
    refused = judge(user(actor(signer), name="lobby@litwareinc.com"), worker)
    assert isinstance(refused, Refused)
    assert refused.diagnostics == (
        '2000005;reason="The user specified by the user-context in the token does not exist.";'
        'error_category="invalid_user"'
    )
    assert isinstance(judge(actor(signer), worker), Accepted)


def test_diagnostics_cannot_be_broken_out_of_by_claims(signer: KeyPair, worker: WorkerProcess) -> None:
    refused = judge(actor(signer, issuer='x"\r\nSet-Cookie: a=b@litwareinc.com'), worker)
    assert isinstance(refused, Refused)
    assert "\r" not in refused.diagnostics
    assert "\n" not in refused.diagnostics
    assert refused.diagnostics.count('"') == 4


def test_only_direct_and_enabled_applications_are_listed_as_issuers(worker: WorkerProcess) -> None:
    row = worker.partner_applications[0]
    worker.partner_applications = (row, {**row, "Enabled": False}, {**row, "UseAuthServer": True}, {**row, "Realm": ""})
    assert trusted_issuers(worker) == (ISSUER,)
