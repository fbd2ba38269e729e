"""Which provider holds a certificate's private key and whether it can be exported, as certutil says it on a server."""

from __future__ import annotations

import pytest
from helpers.estate_direct import on
from helpers.estate_links import EX1, FE1, Links

from s2slab import faults
from s2slab.estate.estate import Estate
from s2slab.estate.pki import SCHANNEL_PROVIDER, SOFTWARE_KEY_PROVIDER
from s2slib.facts import Known
from s2slib.products import windows


def test_the_product_reads_the_keys_of_every_certificate_of_a_server(links: Links) -> None:
    held = links.estate.server(FE1).certificates
    expected = {"provider": SCHANNEL_PROVIDER, "exportable": True, "present": True}
    fact = links.read(windows.get_private_keys(FE1))[f"server/{FE1}/private_keys"]
    assert fact == Known(dict.fromkeys(held, expected))
    assert held


def test_a_key_in_cng_and_one_that_stays_are_seen(links: Links) -> None:
    faults.auth_certificate_in_cng(links.estate)
    faults.default_certificate_not_exportable(links.estate)
    default = links.estate.server(FE1).default_certificates["Default"]
    front_end = links.read(windows.get_private_keys(FE1))[f"server/{FE1}/private_keys"]
    assert isinstance(front_end, Known)
    assert front_end.value[default]["exportable"] is False
    exchange = links.read(windows.get_private_keys(EX1))[f"server/{EX1}/private_keys"]
    assert isinstance(exchange, Known)
    assert SOFTWARE_KEY_PROVIDER in {row["provider"] for row in exchange.value.values()}
    assert links.estate.log.rows() == []


def test_certutil_prints_one_certificate_by_its_thumbprint(estate: Estate) -> None:
    faults.default_certificate_in_cng(estate)
    shell = on(estate, FE1)
    thumbprint = estate.server(FE1).default_certificates["Default"]
    code, said = shell.program("certutil", "-store", "My", thumbprint.lower())
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == 'My "Personal"'
    assert f"Cert Hash(sha1): {thumbprint.lower()}" in lines
    assert f"  Provider = {SOFTWARE_KEY_PROVIDER}" in lines
    assert lines[-1] == "CertUtil: -store command completed successfully."
    assert said.count("================ Certificate ") == 1


@pytest.mark.parametrize("argv", [("-store", "My", "0" * 40), ("-store", "Root"), ("-viewstore", "My"), ("-dump",)])
def test_certutil_fails_loudly_for_what_is_not_there_or_not_simulated(estate: Estate, argv: tuple[str, ...]) -> None:
    code, said = on(estate, FE1).program("certutil", *argv)
    assert code != 0
    assert "NTE_NOT_FOUND" in said or "does not simulate" in said


def test_without_an_administrators_token_a_key_is_not_tested(estate: Estate) -> None:
    code, said = on(estate, FE1, "s2s-exchange").program("certutil", "-silent", "-store", "My")
    assert code == 0
    assert "test passed" not in said
