"""What all tests share: none leaves this machine or writes into the checkout's runs/; keys from a stock; the two engines."""

from __future__ import annotations

import ipaddress
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from helpers.engines import BOTH

from s2slab.engine.direct import DirectEngine
from s2slab.engine.real import EngineUnavailable, RealEngine
from s2slab.winrm.launch import Engine

# A slow machine is no failure, and a failure's example is printed so that it can be repeated elsewhere.
hypothesis.settings.register_profile("s2s", deadline=None, print_blob=True)
hypothesis.settings.load_profile("s2s")

SLOW_TIMEOUT_S = 400  # the others have the one of pyproject.toml
_LOCAL_NAMES = frozenset({"localhost", socket.gethostname().lower(), ""})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow and browser tests time on a machine that is slower or busier than the one they were written on."""
    for item in items:
        patient = item.get_closest_marker("slow") or item.get_closest_marker("browser")
        if patient and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_S))


class LeftThisMachineError(AssertionError):
    """A test tried to reach another machine. Not an OSError: product code must not take it for a network failure."""


def _stays_here(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None:
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return str(host).rstrip(".").lower() in _LOCAL_NAMES
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session", autouse=True)
def only_this_machine() -> Iterator[None]:
    """Connecting anywhere but to loopback, and resolving any name but this machine's, fails the test that does it."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def judge(sock: socket.socket, address: object) -> None:
        inet = sock.family in (socket.AF_INET, socket.AF_INET6)
        if inet and isinstance(address, tuple) and not _stays_here(address[0]):
            raise LeftThisMachineError(f"a test tried to connect to {address!r}")

    def guarded_connect(sock: socket.socket, address: object) -> None:
        judge(sock, address)
        connect(sock, address)  # type: ignore[arg-type]

    def guarded_connect_ex(sock: socket.socket, address: object) -> int:
        judge(sock, address)
        return connect_ex(sock, address)  # type: ignore[arg-type]

    def guarded_resolve(host: object, *args: object, **kwargs: object) -> object:
        if not _stays_here(host):
            raise LeftThisMachineError(f"a test tried to resolve {host!r}")
        return resolve(host, *args, **kwargs)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        yield


@pytest.fixture
def workspace_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, in force for the test: `params/` and `notebooks/` with nothing in them, `runs/` to come."""
    root = tmp_path / "work space"
    for folder in ("params", "notebooks"):
        (root / folder).mkdir(parents=True)
    monkeypatch.setenv("S2S_WORKSPACE", str(root))
    monkeypatch.delenv("S2S_RUNS", raising=False)
    return root


KEYS = 24  # more than any one test makes


@pytest.fixture(scope="session")
def key_stock() -> Iterator[rsa.RSAPrivateKey]:
    """Keys without end, made when they are first asked for; after `KEYS` of them the first comes again."""
    generate = rsa.generate_private_key
    return itertools.cycle(generate(public_exponent=65537, key_size=2048) for _ in range(KEYS))


@pytest.fixture(autouse=True, scope="session")
def _keys_from_stock(key_stock: Iterator[rsa.RSAPrivateKey]) -> Iterator[None]:
    """Making 2048 bit keys is most of what a fresh estate costs: they are taken from a stock in turn."""
    generate, lock = rsa.generate_private_key, threading.Lock()

    def take(public_exponent: int, key_size: int, backend: object = None) -> rsa.RSAPrivateKey:  # as pyspnego calls it
        if key_size != 2048:
            return generate(public_exponent, key_size)
        with lock:
            return next(key_stock)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("s2slab.estate.pki.rsa.generate_private_key", take)
        yield


@pytest.fixture(scope="session")
def pwsh() -> Iterator[RealEngine]:
    """The real engine; skipped with the reason where there is none."""
    try:
        engine = RealEngine()
    except EngineUnavailable as missing:
        pytest.skip(str(missing))
    yield engine
    engine.close()


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn: the direct one always, the real one under the marker `pwsh`."""
    if request.param == "direct":
        return DirectEngine()
    found: Engine = request.getfixturevalue("pwsh")
    return found
