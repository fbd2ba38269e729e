"""The way to the servers of a deployment: one link per server, opened when first used, closed on every way out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

from s2slib.remoting.values.command import Command, Effect
from s2slib.remoting.values.errors import RemotingError
from s2slib.remoting.values.reply import Reply

PARALLEL_SERVERS = 8


class Channel(Protocol):
    """What the runbook needs of a connection to one server."""

    def run(self, command: Command, *, timeout_s: float) -> Reply: ...

    def run_batch(self, commands: Sequence[Command], *, timeout_s: float) -> list[Reply]: ...

    def close(self) -> None: ...


Opener = Callable[[str, Effect], Channel]
"""(server FQDN, ceiling) -> a channel that refuses commands above the ceiling before anything is sent."""


class Estates:
    """Channels by server. `ceiling` is what the whole run may do: read in check, probe in verify, write in apply."""

    def __init__(self, opener: Opener, *, ceiling: Effect, command_s: float) -> None:
        self._opener = opener
        self._ceiling = ceiling
        self.command_s = command_s
        self._channels: dict[str, Channel] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Estates:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, server: str, command: Command, *, timeout_s: float | None = None) -> Reply:
        """Run one command on a server; RemotingError when there is no trustworthy reply."""
        with self._lock(server):
            return self._channel(server).run(command, timeout_s=timeout_s or self.command_s)

    def batch(self, server: str, commands: Sequence[Command], *, timeout_s: float | None = None) -> list[Reply]:
        """Run reads on a server in one request; replies in the same order."""
        with self._lock(server):
            return self._channel(server).run_batch(commands, timeout_s=timeout_s or self.command_s)

    def batches(
        self, commands: Mapping[str, Sequence[Command]], *, timeout_s: float | None = None
    ) -> dict[str, list[Reply] | RemotingError]:
        """One batch per server, servers in parallel; a server that fails gives its error and hinders no other."""

        def one(server: str) -> list[Reply] | RemotingError:
            try:
                return self.batch(server, commands[server], timeout_s=timeout_s)
            except RemotingError as error:
                return error

        if not commands:
            return {}
        with ThreadPoolExecutor(max_workers=min(PARALLEL_SERVERS, len(commands))) as pool:
            return dict(zip(commands, pool.map(one, commands), strict=True))

    def drop(self, servers: Iterable[str]) -> None:
        """Close the channels of some servers; the next use opens fresh ones (rule R28)."""
        for server in servers:
            with self._lock(server):
                channel = self._channels.pop(server, None)
                if channel is not None:
                    channel.close()

    def close(self) -> None:
        """Close every channel."""
        self.drop(list(self._channels))

    def _channel(self, server: str) -> Channel:
        if server not in self._channels:
            self._channels[server] = self._opener(server, self._ceiling)
        return self._channels[server]

    def _lock(self, server: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(server, threading.Lock())
