"""A TCP listener on the loopback interface that serves every connection in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Listener:
    """Listens on 127.0.0.1, on a free port, from construction until `close`.

    `serve` gets each accepted socket, in a daemon thread; when it returns or raises OSError the connection is closed.
    """

    def __init__(self, serve: Callable[[socket.socket], None], *, name: str) -> None:
        self._serve = serve
        self._name = name
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(128)
        self.port: int = self._socket.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"{name} accept", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Stop listening, cut every connection and wait (seconds at most) for the threads to end."""
        with self._lock:
            self._closed = True
            connections = dict(self._open)
        # a blocked accept does not notice a closed socket everywhere: one last connection wakes it
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._acceptor.join(5)
        self._socket.close()
        for connection, thread in connections.items():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            if thread is not threading.current_thread():
                thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # TLS takes the socket object over: the duplicate stays a handle on the same connection
                handle = connection.dup()
                thread = threading.Thread(target=self._run, args=(connection, handle), name=self._name, daemon=True)
                self._open[handle] = thread
            thread.start()

    def _run(self, connection: socket.socket, handle: socket.socket) -> None:
        try:
            with suppress(OSError):
                self._serve(connection)
        finally:
            with self._lock:
                self._open.pop(handle, None)
            connection.close()
            handle.close()
