"""A proxy between a client and a server that does what networks do on a bad day."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from scrubjay.closing import Closing

__all__ = ["FaultProxy"]

_CHUNK = 65536


class FaultProxy(Closing):
    """Forward TCP connections to a server, with faults that can be switched on and off.

    Args:
        host: of the server.
        port: of the server.
    """

    def __init__(self, host: str, port: int) -> None:
        #: seconds that each piece from the server is held back
        self.delay_seconds = 0.0
        #: whether nothing gets through, in either direction. A connection on which something
        #: came meanwhile stays open and silent for ever: a stream does not go on with a gap
        self.black_hole = False
        #: bytes from the server after which every connection is cut; None for never
        self.cut_after: int | None = None
        #: how many connections have been accepted
        self.accepted = 0
        #: where connections that are accepted from now on lead to
        self.server = (host, port)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._held: set[socket.socket] = set()
        self._released = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.accept()

    def accept(self) -> None:
        """Listen, after `refuse`, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._run(self._serve, listener)

    def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            cut, self._open = self._open, set()
        for one in cut:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """Keep what comes from clients on the connections of now, until `release`."""
        with self._lock:
            self._released = threading.Event()
            self._held = set(self._open)

    def release(self) -> None:
        """Pass on what was kept, even from clients that have hung up since."""
        with self._lock:
            self._held = set()
            self._released.set()

    def close(self) -> None:
        """Cut every connection and end all threads."""
        self.release()
        self.refuse()
        for thread in self._threads:
            thread.join()

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(self.server)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            silent = threading.Event()
            self._run(self._pump, client, server, False, silent)
            self._run(self._pump, server, client, True, silent)

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        answers: bool,
        silent: threading.Event,
    ) -> None:
        passed = 0
        try:
            while data := source.recv(_CHUNK):
                if self.black_hole:
                    silent.set()
                if silent.is_set():
                    continue
                if not answers and source in self._held:
                    self._released.wait()
                if answers:
                    if self.delay_seconds:
                        time.sleep(self.delay_seconds)
                    if self.cut_after is not None and passed + len(data) > self.cut_after:
                        target.sendall(data[: max(0, self.cut_after - passed)])
                        return
                    passed += len(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, target):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(source)
            source.close()
