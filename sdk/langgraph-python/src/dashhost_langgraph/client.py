"""The protocol of `dashhost store langgraph`: lines of JSON to a child process or a unix socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket as sockets
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import IO, Any, cast

# Seconds that a server has to end when it was asked to.
GRACE = 10


class DashhostError(Exception):
    """What the server, or the way to it, had to say.

    `code` is the protocol's ("damaged", "too_large", "busy", ...), or "missing" (no program), "gone" (the server ended: nobody
    knows whether a write in progress was kept, and all of them may be sent again), "closed" (the saver was).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Options:
    """Where the store is, and how it is reached; DashhostSaver says what each is."""

    store: str | None = None
    socket: str | None = None
    command: str | None = None
    args: Sequence[str] = ()
    env: Mapping[str, str] | None = None


class Connection:
    """One connection. It is dead after the first failure; Client makes the next one."""

    def __init__(self, options: Options) -> None:
        self.pid = os.getpid()
        self.dead: DashhostError | None = None
        self.max_line = 64 << 20
        self._writing = threading.Lock()  # held while a line is written, which waits for the server; taken before _lock
        self._lock = threading.Lock()  # guards dead and what follows; never held while anything waits
        self._pending: dict[int, Future[Any]] = {}
        self._next = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._told: deque[bytes] = deque(maxlen=20)  # the last lines of the program's stderr
        if options.socket is None:
            self._start(options)
        else:
            self._dial(options.socket)
        self._reader = threading.Thread(target=self._read, name="dashhost-langgraph", daemon=True)
        self._reader.start()
        hello = self.submit("hello", {"protocol": 1, "client": "langgraph-python 0.1.0"}).result()
        self.store = cast(str, hello["store"])
        self.max_line = cast(int, hello["max_line"])

    def _start(self, options: Options) -> None:
        self._name = options.command or os.environ.get("DASHHOST") or "dashhost"
        command = [self._name, *options.args, "--quiet", "store", "langgraph"]
        if options.store is not None:
            command += ["--store", options.store]
        try:
            # A session of its own: an interrupt from the keyboard is ours to handle, the server ends when we close its stdin.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=options.env,
                start_new_session=True,
            )
        except OSError as e:
            hint = "install dashhost, or name it by the option command, the environment variable DASHHOST or in PATH"
            missing = f"{self._name}: not found: {hint}" if isinstance(e, FileNotFoundError) else f"{self._name}: {e.strerror}"
            raise DashhostError("missing", missing) from None
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        self._err: IO[bytes] = self._process.stderr
        self._listener = threading.Thread(target=self._listen, name="dashhost-langgraph-stderr", daemon=True)
        self._listener.start()

    def _dial(self, path: str) -> None:
        self._name = f"socket {path}"
        self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as e:
            self._socket.close()
            raise DashhostError("gone", f"{self._name}: {e.strerror or e}") from None
        self._in = self._socket.makefile("wb")
        self._out = self._socket.makefile("rb")

    def _listen(self) -> None:
        for line in self._err:
            self._told.append(line)

    def submit(self, op: str, fields: Mapping[str, Any]) -> Future[Any]:
        """Sends a request. The future fails with a DashhostError."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # it cannot be taken back
        with self._writing:
            with self._lock:
                number = self._next
                self._next += 1
            line = json.dumps({"id": number, "op": op, **fields}, separators=(",", ":")).encode() + b"\n"
            if len(line) > self.max_line:
                future.set_exception(DashhostError("too_large", f"{op}: {len(line)} bytes, the server takes {self.max_line}"))
                return future
            with self._lock:
                if self.dead:
                    future.set_exception(DashhostError(self.dead.code, str(self.dead)))
                    return future
                self._pending[number] = future
            try:
                self._in.write(line)
                self._in.flush()
            except (OSError, ValueError):
                pass  # the server is gone: who reads from it finds out how, and says so to all that wait
        return future

    def _read(self) -> None:
        why = ""
        try:
            for line in self._out:
                why = self._reply(line)
                if why:
                    break
        except (OSError, ValueError) as e:
            why = str(e)
        self._fail(why)

    def _reply(self, line: bytes) -> str:
        """Hands a reply to who waits for it; returns what is wrong with it."""
        try:
            reply = json.loads(line)
            with self._lock:
                future = self._pending.pop(reply["id"], None)
        except (ValueError, TypeError, KeyError):
            return f"not a server of LangGraph's checkpoints: it said {line[:200]!r}"
        if future is None:
            return cast(str, (reply.get("error") or {}).get("message", "the server replied to nothing"))
        if error := reply.get("error"):
            future.set_exception(DashhostError(error["code"], error["message"]))
        else:
            future.set_result(reply["ok"])
        return ""

    def _fail(self, why: str) -> None:
        if self._process:
            if why:
                self._process.kill()  # or a write would wait for it
            code = self._process.wait()
            self._listener.join()
            if not why:
                how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                told = b"".join(self._told).decode(errors="replace").strip()
                why = f"{how}: {told}" if told else how
            self._err.close()
        else:
            self._shut(sockets.SHUT_RDWR)
        self._hang_up()
        self._out.close()
        if not self._process:
            self._socket.close()
        with self._lock:
            self.dead = DashhostError("gone", f"{self._name}: {why or 'the server has closed the connection'}")
            waiting = list(self._pending.values())
            self._pending.clear()
        for future in waiting:
            future.set_exception(DashhostError(self.dead.code, str(self.dead)))

    def _shut(self, how: int) -> None:
        try:
            self._socket.shutdown(how)
        except OSError:
            pass  # it is gone already

    def _hang_up(self) -> None:
        """Tells the server that no more requests come."""
        with self._writing:
            try:
                self._in.close()
            except OSError:
                pass  # the server is gone: what was not written it will not get
            if not self._process:
                self._shut(sockets.SHUT_WR)

    def close(self) -> None:
        """Waits for what is in progress, and until the server has ended."""
        if self.pid != os.getpid():
            return  # of the process that we were forked from
        self._hang_up()
        self._reader.join(GRACE)
        if self._reader.is_alive() and self._process:
            self._process.kill()
            self._reader.join()


@dataclass
class _Held:
    """What a Client leaves behind when it is collected."""

    connection: Connection | None = None
    closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        with self.lock:
            self.closed = True
            if self.connection:
                self.connection.close()


class Client:
    """The way to a store: a server is started, or dialled, with the first request, and again with the first one after it has died."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._held = _Held()
        self._store: str | None = None
        self.close = weakref.finalize(self, self._held.close)

    def _live(self) -> Connection | None:
        c = self._held.connection
        return c if c and not c.dead and c.pid == os.getpid() and not self._held.closed else None

    def _connect(self) -> Connection:
        with self._held.lock:
            if self._held.closed:
                raise DashhostError("closed", "the saver is closed")
            if c := self._live():
                return c
            c = Connection(self._options)
            if self._store is None:
                self._store = c.store
            if self._store != c.store:
                c.close()
                lost = f"{c.store}, before {self._store}"
                raise DashhostError("gone", f"the server was started again and has another store ({lost}): what was kept in memory is lost")
            self._held.connection = c
            return c

    def call(self, op: str, **fields: Any) -> Any:
        """Sends a request and waits for its reply."""
        return (self._live() or self._connect()).submit(op, fields).result()

    async def acall(self, op: str, **fields: Any) -> Any:
        """Sends a request; the event loop goes on meanwhile."""
        connection = self._live()
        if connection is None:
            connection = await asyncio.to_thread(self._connect)
        return await asyncio.wrap_future(connection.submit(op, fields))
