"""Servers for the WinRM tests."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from helpers.winrm_host import Host, People, Start, issue

from s2slab.winrm import Launch, ThreadProcess, WinRmServer
from s2slab.winrm.process import Program


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The certificate of a throwaway authority, and chain plus key of a server on 127.0.0.1 under it."""
    folder = tmp_path_factory.mktemp("tls")
    authority, authority_key = issue("Throwaway CA", None, None)
    server, server_key = issue("127.0.0.1", authority, authority_key)
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    ca_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    key = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server_file.write_bytes(server.public_bytes(serialization.Encoding.PEM) + key)
    return ca_file, server_file


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def start(tls_files: tuple[Path, Path], people: People) -> Iterator[Start]:
    """Starts servers on which every command runs one given program; closes them at the end."""
    servers: list[WinRmServer] = []

    def starter(program: Program) -> Host:
        launched: list[Launch] = []
        processes: list[ThreadProcess] = []

        def launcher(launch: Launch) -> ThreadProcess:
            launched.append(launch)
            processes.append(ThreadProcess(program))
            return processes[-1]

        server = WinRmServer(name="atl-cs-001", authenticate=people, launcher=launcher)
        servers.append(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls_files[1])
        return Host(server, server.listen_http(), server.listen_https(context), tls_files[0], launched, processes)

    yield starter
    for server in servers:
        server.close()
