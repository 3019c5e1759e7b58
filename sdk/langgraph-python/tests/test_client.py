"""The way to the server: where the program is looked for, what happens when it is missing, dies, or finds the store damaged."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from dashhost_langgraph import DashhostError, DashhostSaver
from dashhost_langgraph.client import Connection

DASHHOST = os.environ["DASHHOST"]


def at(thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}


def put(saver: DashhostSaver, thread: str, **values: Any) -> RunnableConfig:
    versions = {c: saver.get_next_version(None, None) for c in values}
    checkpoint = {**empty_checkpoint(), "id": str(uuid6()), "channel_values": values, "channel_versions": versions}
    return saver.put(at(thread), checkpoint, {}, versions)  # type: ignore[arg-type]


def connection(saver: DashhostSaver) -> Connection:
    c = saver._client._held.connection
    assert c
    return c


def process(saver: DashhostSaver) -> subprocess.Popen[bytes]:
    p = connection(saver)._process
    assert p
    return p


def kill(saver: DashhostSaver) -> None:
    process(saver).send_signal(signal.SIGKILL)
    connection(saver)._reader.join()


def exists(pid: int) -> bool:
    """Whether a process is there, zombies too."""
    return Path(f"/proc/{pid}").exists()


def test_finds_the_program(savers: Callable[..., DashhostSaver], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHHOST", "/nowhere/dashhost")
    assert savers(command=DASHHOST).get_tuple(at("t")) is None
    monkeypatch.setenv("DASHHOST", DASHHOST)
    assert savers().get_tuple(at("t")) is None
    monkeypatch.delenv("DASHHOST")
    monkeypatch.setenv("PATH", os.path.dirname(DASHHOST) + os.pathsep + os.environ["PATH"])
    assert savers().get_tuple(at("t")) is None


def test_missing_program(savers: Callable[..., DashhostSaver]) -> None:
    with pytest.raises(DashhostError) as e:
        savers(command="/nowhere/dashhost").get_tuple(at("t"))
    assert e.value.code == "missing"
    hint = "install dashhost, or name it by the option command, the environment variable DASHHOST or in PATH"
    assert str(e.value) == f"/nowhere/dashhost: not found: {hint}"


def test_server_that_does_not_start(savers: Callable[..., DashhostSaver], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DashhostError, match="(?s)exit code [1-9].*error: ") as e:
        savers(store=str(file)).get_tuple(at("t"))
    assert e.value.code == "gone"
    with pytest.raises(DashhostError, match="not a server of LangGraph's checkpoints"):
        savers(command="/bin/echo").get_tuple(at("t"))
    with pytest.raises(DashhostError, match="socket .*: No such file"):
        savers(socket=str(tmp_path / "none")).get_tuple(at("t"))


def test_killed_server(savers: Callable[..., DashhostSaver]) -> None:
    saver = savers()
    put(saver, "t", kept="yes")
    pid = process(saver).pid
    process(saver).send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(saver.get_tuple, at("t")), pool.submit(put, saver, "u")]
        while len(connection(saver)._pending) < 2:
            threading.Event().wait(0.01)
        kill(saver)
        for w in waiting:
            e = w.exception()
            assert isinstance(e, DashhostError) and e.code == "gone" and "ended by SIGKILL" in str(e)
    found = saver.get_tuple(at("t"))
    assert found and found.checkpoint["channel_values"] == {"kept": "yes"}
    assert not exists(pid)  # not even a zombie
    pid = process(saver).pid
    saver.close()
    assert not exists(pid)
    with pytest.raises(DashhostError) as closed:
        saver.get_tuple(at("t"))
    assert closed.value.code == "closed"
    saver.close()


def test_acknowledged_survives_kills(savers: Callable[..., DashhostSaver]) -> None:
    """The server is killed again and again while four threads put: whatever a put has returned is there, and nothing is torn."""
    saver = savers()
    kept: list[tuple[str, str]] = []
    stop = threading.Event()

    def work(n: int) -> None:
        while not stop.is_set():
            try:
                config = put(saver, f"t{n}", value=f"{n}" * 5000)
            except DashhostError as e:
                assert e.code == "gone"
            else:
                kept.append((f"t{n}", config["configurable"]["checkpoint_id"]))

    with ThreadPoolExecutor() as pool:
        working = [pool.submit(work, n) for n in range(4)]
        try:
            for i in range(15):
                before = len(kept)
                while len(kept) < before + 1 + i % 5 and not any(w.done() for w in working):
                    stop.wait(0.001)
                process(saver).kill()
        finally:
            stop.set()
        for w in working:
            w.result()
    other = savers()
    found = {(t.config["configurable"]["thread_id"], t.checkpoint["id"]): t for t in other.list(None)}
    assert len(kept) >= 15 and set(kept) <= set(found)
    for (thread, _), t in found.items():
        assert t.checkpoint["channel_values"] == {"value": thread[1:] * 5000}


def test_encrypted(savers: Callable[..., DashhostSaver], tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    subprocess.run([DASHHOST, "--quiet", "store", "keygen", key], check=True)
    put(savers(args=["--key", f"file:{key}"]), "t", secret="precious")
    found = savers(args=["--key", f"file:{key}"]).get_tuple(at("t"))
    assert found and found.checkpoint["channel_values"] == {"secret": "precious"}
    assert not any(b"precious" in f.read_bytes() for f in (tmp_path / "store").rglob("*") if f.is_file())
    with pytest.raises(DashhostError, match="the store is encrypted"):
        savers().get_tuple(at("t"))


def test_lost_memory(savers: Callable[..., DashhostSaver]) -> None:
    """A new, empty store in memory is not taken for the one that is lost."""
    saver = savers(store="mem:")
    put(saver, "t")
    kill(saver)
    with pytest.raises(DashhostError, match="what was kept in memory is lost") as e:
        saver.get_tuple(at("t"))
    assert e.value.code == "gone"


def test_damage(savers: Callable[..., DashhostSaver], tmp_path: Path) -> None:
    saver = savers()
    put(saver, "hurt", secret="precious")
    put(saver, "sound", secret="valuable")
    put(saver, "hurt", secret="later")
    kill(saver)
    log = tmp_path / "store" / "log" / "00000001"
    raw = bytearray(log.read_bytes())
    raw[raw.index(b"precious")] ^= 1
    log.write_bytes(raw)
    (tmp_path / "store" / "index").unlink(missing_ok=True)
    with pytest.raises(DashhostError, match=r"log/00000001 offset \d+") as e:
        saver.get_tuple(at("hurt"))
    assert e.value.code == "damaged"
    sound = saver.get_tuple(at("sound"))
    assert sound and sound.checkpoint["channel_values"] == {"secret": "valuable"}


def test_many_threads_and_much_data(saver: DashhostSaver) -> None:
    """Requests that fill the pipes both ways from many threads neither wait for each other for ever nor get mixed up."""
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda i: put(saver, f"t{i % 16}", mine=str(i) * 200_000), range(64)))
        found = list(pool.map(lambda i: saver.get_tuple(at(f"t{i % 16}")), range(64)))
    for i, t in enumerate(found):
        assert t and int(t.checkpoint["channel_values"]["mine"][:1]) in {int(str(j)[0]) for j in range(i % 16, 64, 16)}


async def test_cancelled_request(saver: DashhostSaver) -> None:
    put(saver, "t")
    process(saver).send_signal(signal.SIGSTOP)
    task = asyncio.create_task(saver.aget_tuple(at("t")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    process(saver).send_signal(signal.SIGCONT)
    assert await saver.aget_tuple(at("t"))


def test_socket_and_other_servers(savers: Callable[..., DashhostSaver], tmp_path: Path) -> None:
    store, socket = str(tmp_path / "store"), str(tmp_path / "s")
    command = [DASHHOST, "store", "langgraph", "--store", store, "--socket", socket]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as shared:
        try:
            assert shared.stderr and b"LangGraph on" in shared.stderr.readline()
            all_of_them = [savers(socket=socket), savers(socket=socket), savers()]
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda i: put(all_of_them[i % 3], f"t{i % 5}"), range(60)))
            for saver in all_of_them:
                assert len(list(saver.list(None))) == 60
            shared.terminate()
            assert shared.wait() == 0
            with pytest.raises(DashhostError) as e:
                all_of_them[0].get_tuple(at("t"))
            assert e.value.code == "gone"
            assert len(list(all_of_them[2].list(None))) == 60
        finally:
            shared.kill()


def test_forgotten_saver(tmp_path: Path) -> None:
    """One that nobody has closed ends its server when it is collected, and when the program ends."""
    saver = DashhostSaver(str(tmp_path / "store"))
    put(saver, "t")
    pid = process(saver).pid
    del saver
    gc.collect()
    assert not exists(pid)
    program = f"""
from dashhost_langgraph import DashhostSaver
saver = DashhostSaver({str(tmp_path / "store")!r})
assert saver.get_tuple({{"configurable": {{"thread_id": "t"}}}})
print(saver._client._held.connection._process.pid)
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not ran.stderr and not exists(int(ran.stdout))


def test_fork(saver: DashhostSaver) -> None:
    """A child of a process that used a saver has a server of its own."""
    put(saver, "t")
    pid = os.fork()
    if pid == 0:
        try:
            put(saver, "of the child")
            saver.close()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert saver.get_tuple(at("of the child")) and saver.get_tuple(at("t"))
