"""The unified contact store moves contact lists by itself as soon as the trust works and a policy allows it."""

from __future__ import annotations

import pytest
from helpers.estate_direct import ocs
from helpers.estate_steps import SIP, assign, restart, trust, trust_exchange, trust_lync

from s2slab import faults
from s2slab.estate.estate import Estate


def connect(estate: Estate) -> None:
    trust(estate)


def moved(estate: Estate) -> list[str]:
    return [row.subject for row in estate.log.rows() if row.subject.endswith(":contacts") and row.after == "Exchange"]


def test_contacts_move_within_minutes_of_the_trust_when_the_policy_allows_it(web: Estate) -> None:
    faults.contact_store_allowed(web)
    web.clock.advance(7200)
    assert moved(web) == []
    connect(web)
    web.clock.advance(601)
    assert moved(web) == [f"lync_user:{SIP}:contacts"]  # the other user has no mailbox
    assert [row.cause.kind for row in web.log.rows() if row.subject.endswith(":contacts")] == ["clock"]


def test_contacts_stay_when_the_policy_was_staged_first(web: Estate) -> None:
    connect(web)
    web.clock.advance(86400)
    assert moved(web) == []
    ocs(web).run("New-CsUserServicesPolicy", Identity="UcsPilot", UcsAllowed=True)
    ocs(web).run("Grant-CsUserServicesPolicy", Identity=SIP, PolicyName="UcsPilot")
    web.clock.advance(661)
    assert moved(web) == [f"lync_user:{SIP}:contacts"]


def test_contacts_stay_while_the_workers_do_not_know_lync(web: Estate) -> None:
    faults.contact_store_allowed(web)
    assign(web)
    trust_lync(web)
    trust_exchange(web)
    web.clock.advance(3600)
    assert moved(web) == []
    restart(web)
    web.clock.advance(601)
    assert len(moved(web)) == 1


@pytest.mark.parametrize("allowed", [True, False])
def test_rolled_back_contacts_move_again_after_a_week_unless_the_policy_changed_first(
    web: Estate, allowed: bool
) -> None:
    faults.contact_store_allowed(web)
    connect(web)
    web.clock.advance(601)
    ocs(web).run("Set-CsUserServicesPolicy", Identity="Global", UcsAllowed=allowed)
    ocs(web).run("Invoke-CsUcsRollback", Identity=SIP)
    web.clock.advance(6 * 86400)
    assert len(moved(web)) == 1
    web.clock.advance(2 * 86400)
    assert len(moved(web)) == (2 if allowed else 1)
