"""Checkpoints a second and the latency of reading, beside LangGraph's SQLite saver with synchronous=FULL.

Rounds alternate, medians count. DASHHOST names the program. `make langgraph-bench` builds it and runs this.
"""

import platform
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dashhost_langgraph import DashhostSaver
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite import SqliteSaver

ROUNDS = 5
STEPS = 200  # of a thread, one after the other
THREADS = 32  # at once, in the second measure
READS = 300


def run(saver: BaseCheckpointSaver[Any], thread: str, n: int) -> None:
    """Puts n checkpoints on a thread: a message of 1 KiB and one of 20 small channels are new in each, and one write is pending."""
    config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    values: dict[str, Any] = {}
    versions: dict[str, Any] = {f"channel{c}": saver.get_next_version(None, None) for c in range(20)}
    for i in range(n):
        changed = [*versions] if i == 0 else [f"channel{i % 20}"]
        values |= {c: f"value {i} of {c}" for c in changed} | {"message": "x" * 1024}
        new = {c: saver.get_next_version(versions.get(c), None) for c in [*changed, "message"]}
        versions |= new
        checkpoint: Any = {**empty_checkpoint(), "id": str(uuid6()), "channel_values": dict(values), "channel_versions": dict(versions)}
        config = saver.put(config, checkpoint, {"source": "loop", "step": i, "parents": {}}, new)
        saver.put_writes(config, [("message", "pending")], "task")


def seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "sqlite.db", check_same_thread=False)
        sqlite = SqliteSaver(connection)
        sqlite.setup()
        connection.execute("PRAGMA synchronous = FULL")
        figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        with DashhostSaver(f"{folder}/store") as dashhost, ThreadPoolExecutor(THREADS) as pool:
            for i in range(ROUNDS):
                for name, saver in {"dashhost": dashhost, "sqlite": sqlite}.items():
                    one = seconds(lambda: run(saver, f"{i}", STEPS))
                    figures["put + put_writes, 1 thread, per second"][name].append(STEPS / one)
                    many = seconds(lambda: [*pool.map(lambda t: run(saver, f"{i} {t}", 20), range(THREADS))])
                    figures[f"put + put_writes, {THREADS} threads, per second"][name].append(THREADS * 20 / many)
                    config: Any = {"configurable": {"thread_id": f"{i}", "checkpoint_ns": ""}}
                    reads = seconds(lambda: [saver.get_tuple(config) for _ in range(READS)])
                    figures["get_tuple of the newest, microseconds"][name].append(reads * 1e6 / READS)
        connection.close()
    print(f"Python {platform.python_version()}, medians of {ROUNDS} rounds")
    for what, by in figures.items():
        ours, theirs = statistics.median(by["dashhost"]), statistics.median(by["sqlite"])
        print(f"{what:<44} dashhost {ours:6.0f}   sqlite FULL {theirs:6.0f}   ratio {ours / theirs:.2f}")


main()
