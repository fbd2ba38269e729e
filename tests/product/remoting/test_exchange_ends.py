"""Every way in which the exchange that hands a write over can end: the claim is what the server saw, and nothing runs twice."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.remoting_double import Host, Reader, make_tls, start_host

from s2slab.network.proxy import ForwardProxy
from s2slab.winrm import Fault
from s2slib.remoting.link import Link
from s2slib.remoting.values import errors
from s2slib.remoting.values.command import Cmdlet

READ = Cmdlet("Get-CsPool")
WRITE = Cmdlet("Set-CsOAuthConfiguration", {"Realm": "litwareinc.com"}, "write")
ALWAYS = 99
ENDS: dict[str, dict[str, Any]] = {
    "cut": {"kind": "cut"},
    **{f"http {status}": {"kind": f"http_{status}"} for status in (400, 401, 403, 404, 407, 413, 500, 503)},
    "denied": {"kind": "fault_code", "code": 5},
    "busy": {"kind": "fault_code", "code": 170},
    "aborted": {"kind": "fault_code", "code": 995},
    "quota": {"kind": "fault_code", "code": 2150859173},
    "no shell": {"kind": "fault_code", "code": 2150858843},
}
MOMENTS = {
    "before the work": ("Send", "before"),
    "in the middle of it": ("Receive", "before"),
    "behind it": ("Send", "after"),
}
WAYS = [("ntlm", False, False), ("ntlm", False, True), ("credssp", True, False), ("credssp", True, True)]


class OneServer:
    """A network of one server, for a proxy in front of it."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def address(self, name: str, port: int) -> tuple[str, int]:
        """The host's own port, whatever is asked for."""
        return "127.0.0.1", self._host.https if port == 5986 else self._host.http


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_tls(tmp_path_factory.mktemp("tls"))


@contextmanager
def linked(host: Host, transport: str, tls: bool, proxied: bool) -> Iterator[Link]:
    """A link that has its process: what breaks is the exchange that hands the next command over."""
    if not proxied:
        with host.link(transport, tls=tls) as link:
            link.run(READ)
            yield link
        return
    proxy = ForwardProxy(OneServer(host))  # type: ignore[arg-type]
    url = f"http{'s' if tls else ''}://127.0.0.1:{5986 if tls else 5985}/wsman"
    try:
        with host.link(transport, tls=tls, url=url, proxy=f"http://127.0.0.1:{proxy.start()}") as link:
            link.run(READ)
            yield link
    finally:
        proxy.close()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("transport", "tls", "proxied"), WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_a_write_is_said_to_be_unsent_only_if_it_was(
    certificates: tuple[Path, ssl.SSLContext], end: str, transport: str, tls: bool, proxied: bool, moment: str
) -> None:
    action, when = MOMENTS[moment]
    reader = Reader()
    host = start_host(reader, certificates)
    try:
        with linked(host, transport, tls, proxied) as link:
            # once: the process can be asked what became of it
            host.settings.faults.append(Fault(action, when=when, **ENDS[end]))
            assert link.run(WRITE, timeout_s=3).succeeded
            assert reader.names().count(WRITE.name) == 1
            # for good: nobody can be asked
            host.settings.faults.append(Fault(action, when=when, count=ALWAYS, **ENDS[end]))
            with pytest.raises(errors.RemotingError) as lost:
                link.run(WRITE, timeout_s=3)
            host.settings.faults.clear()
        ran = reader.names().count(WRITE.name) - 1
        assert ran == (0 if moment == "before the work" else 1)
        assert isinstance(lost.value, errors.OutcomeUncertain)
    finally:
        host.server.close()
