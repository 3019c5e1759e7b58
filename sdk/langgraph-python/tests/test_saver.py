"""Each method, for threads and for asyncio."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from dashhost_langgraph import DashhostError, DashhostSaver


class Asked:
    """A saver whose methods are awaited, whichever of the two kinds is behind them."""

    def __init__(self, saver: DashhostSaver, kind: str) -> None:
        self.saver, self.kind = saver, kind

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **options: Any) -> Any:
            if self.kind == "sync":
                return getattr(self.saver, name)(*args, **options)
            return await getattr(self.saver, "a" + name)(*args, **options)

        return call

    async def listed(self, config: RunnableConfig | None, **options: Any) -> list[CheckpointTuple]:
        if self.kind == "sync":
            return list(self.saver.list(config, **options))
        return [t async for t in self.saver.alist(config, **options)]

    async def chain(self, thread: str, n: int, ns: str = "", **metadata: Any) -> list[RunnableConfig]:
        """Puts n checkpoints, each the child of the one before; channel c is new in each, channel first in the first."""
        made: list[RunnableConfig] = []
        versions: dict[str, str] = {}
        values: dict[str, Any] = {}
        parent = at(thread, ns)
        for i in range(n):
            new = {c: self.saver.get_next_version(versions.get(c), None) for c in (["c", "first"] if i == 0 else ["c"])}
            versions = {**versions, **new}
            values = {**values, "c": i} | ({"first": "kept"} if i == 0 else {})
            parent = await self.put(parent, checkpoint(values, versions), {"source": "loop", "step": i, **metadata}, new)
            made.append(parent)
        return made


@pytest.fixture(params=["sync", "async"])
def asked(saver: DashhostSaver, request: pytest.FixtureRequest) -> Asked:
    return Asked(saver, request.param)


def at(thread: str, ns: str = "", checkpoint_id: str | None = None) -> RunnableConfig:
    config: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": ns}}
    if checkpoint_id:
        config["configurable"]["checkpoint_id"] = checkpoint_id
    return config


def checkpoint(values: dict[str, Any], versions: dict[str, Any]) -> Checkpoint:
    return {**empty_checkpoint(), "id": str(uuid6(clock_seq=1)), "channel_values": values, "channel_versions": versions}


def ids(tuples: list[CheckpointTuple]) -> list[str]:
    return [t.checkpoint["id"] for t in tuples]


def id_of(config: RunnableConfig) -> str:
    return str(config["configurable"]["checkpoint_id"])


async def test_put_and_get_tuple(asked: Asked) -> None:
    made = await asked.chain("t", 3, note="hello")
    newest = await asked.get_tuple(at("t"))
    assert newest.config == made[2] and newest.parent_config == made[1]
    assert newest.checkpoint["channel_values"] == {"c": 2, "first": "kept"}
    assert newest.metadata == {"source": "loop", "step": 2, "note": "hello"} and newest.pending_writes == []
    first = await asked.get_tuple(made[0])
    assert first.parent_config is None and first.checkpoint["channel_values"] == {"c": 0, "first": "kept"}
    assert await asked.get_tuple(at("t", "", "never")) is None
    assert await asked.get_tuple(at("never")) is None
    assert await asked.get_tuple(at("t", "never")) is None


async def test_put_takes_values_of_every_kind(asked: Asked) -> None:
    values = {"text": "ü\U0001f600\x00", "bytes": b"\x00\xff", "set": {1, 2}, "none": None, "big": "x" * (3 << 20)}
    versions = {c: i for i, c in enumerate(values)}
    put = await asked.put(at("t"), checkpoint(values, versions), {}, versions)
    assert (await asked.get_tuple(put)).checkpoint["channel_values"] == values


async def test_put_keeps_new_versions_only(asked: Asked) -> None:
    first = await asked.put(at("t"), checkpoint({"a": 1, "b": 1}, {"a": 1, "b": 1}), {}, {"a": 1, "b": 1})
    second = await asked.put(first, checkpoint({"a": 2, "b": "not new"}, {"a": 2, "b": 1, "gone": 2}), {}, {"a": 2, "gone": 2})
    assert (await asked.get_tuple(second)).checkpoint["channel_values"] == {"a": 2, "b": 1}


async def test_branches_with_the_same_versions(asked: Asked) -> None:
    root = await asked.put(at("t"), checkpoint({"a": "root"}, {"a": 1}), {}, {"a": 1})
    left = await asked.put(root, checkpoint({"a": "left"}, {"a": 2}), {}, {"a": 2})
    right = await asked.put(root, checkpoint({"a": "right"}, {"a": 2}), {}, {"a": 2})
    below = await asked.put(left, checkpoint({"a": "left"}, {"a": 2}), {}, {})
    values = [(await asked.get_tuple(c)).checkpoint["channel_values"]["a"] for c in (root, left, right, below)]
    assert values == ["root", "left", "right", "left"]


async def test_put_writes(asked: Asked) -> None:
    (config,) = await asked.chain("t", 1)
    await asked.put_writes(config, [("a", 1), ("b", {"x": [2]})], "task2", "~2")
    await asked.put_writes(config, [("a", 3)], "task1", "~3")
    await asked.put_writes(config, [("a", 4)], "task9")
    await asked.put_writes(config, [("a", "not the first")], "task1", "~3")
    await asked.put_writes(config, [("__interrupt__", "first")], "task1", "~3")
    await asked.put_writes(config, [("__interrupt__", "last")], "task1", "~3")
    expected = [
        ("task9", "a", 4),
        ("task2", "a", 1),
        ("task2", "b", {"x": [2]}),
        ("task1", "__interrupt__", "last"),
        ("task1", "a", 3),
    ]
    assert (await asked.get_tuple(config)).pending_writes == expected
    await asked.put_writes(at("early", "", "soon"), [("a", 1)], "task")
    assert await asked.get_tuple(at("early", "", "soon")) is None
    await asked.put(at("early"), {**checkpoint({}, {}), "id": "soon"}, {}, {})
    assert (await asked.get_tuple(at("early"))).pending_writes == [("task", "a", 1)]


async def test_list(asked: Asked) -> None:
    a = [id_of(c) for c in await asked.chain("a", 4, score=1.0, tags=["x"], run_id="r1")]
    child = [id_of(c) for c in await asked.chain("a", 2, "child:1", score=2)]
    b = [id_of(c) for c in await asked.chain("b", 2, nothing=None)]
    assert ids(await asked.listed(at("a"))) == a[::-1]
    assert ids(await asked.listed(at("a", "child:1"))) == child[::-1]
    assert ids(await asked.listed({"configurable": {"thread_id": "a"}})) == [*child[::-1], *a[::-1]]
    assert sorted(ids(await asked.listed(None))) == sorted(a + child + b)
    assert ids(await asked.listed(at("never"))) == []
    assert ids(await asked.listed(at("a", "", a[1]))) == [a[1]]
    assert ids(await asked.listed(at("a"), before=at("a", "", a[2]))) == [a[1], a[0]]
    assert ids(await asked.listed(at("a"), limit=3)) == a[:0:-1]
    assert ids(await asked.listed(at("a"), limit=0)) == []
    assert ids(await asked.listed(at("a"), before=at("a", "", a[3]), limit=1)) == [a[2]]
    for filter, found in [
        ({"step": 1}, [b[1], child[1], a[1]]),
        ({"step": 1, "score": 1}, [a[1]]),
        ({"score": 2.0}, child),
        ({"tags": ["x"]}, a),
        ({"tags": ["y"]}, []),
        ({"run_id": "r1", "step": 3}, [a[3]]),
        ({"score": None}, b),
        ({"source": "input"}, []),
        ({}, a + child + b),
    ]:
        assert sorted(ids(await asked.listed(None, filter=filter))) == sorted(found), filter
    assert ids(await asked.listed(at("a"), filter={"score": 1}, before=at("a", "", a[3]), limit=2)) == [a[2], a[1]]
    with pytest.raises(DashhostError, match="filter x: not JSON"):
        await asked.listed(None, filter={"x": object()})


async def test_list_in_pages(asked: Asked) -> None:
    made = await asked.chain("t", 600)
    assert ids(await asked.listed(at("t"))) == [id_of(c) for c in made[::-1]]
    assert ids(await asked.listed(None, limit=300)) == [id_of(c) for c in made[:299:-1]]


async def test_delete_thread(asked: Asked) -> None:
    await asked.chain("gone", 3)
    await asked.chain("gone", 1, "child:1")
    kept = await asked.chain("kept", 2)
    await asked.delete_thread("gone")
    await asked.delete_thread("never was")
    assert await asked.get_tuple(at("gone")) is None
    assert ids(await asked.listed(None)) == [id_of(c) for c in kept[::-1]]
    (again,) = await asked.chain("gone", 1)
    assert ids(await asked.listed(at("gone"))) == [id_of(again)]


async def test_delete_for_runs(asked: Asked) -> None:
    first = await asked.chain("t", 2, run_id="r1")
    before = await asked.get_tuple(first[1])
    second = await asked.put(
        first[1], checkpoint(before.checkpoint["channel_values"], before.checkpoint["channel_versions"]), {"run_id": "r2"}, {}
    )
    await asked.chain("u", 2, "child:1", run_id="r1")
    await asked.put_writes(first[1], [("c", 1)], "task")
    await asked.put_writes(second, [("c", 1)], "task")
    await asked.delete_for_runs(["r1", "r3"])
    await asked.delete_for_runs([])
    (left,) = await asked.listed(None)
    assert left.config == second and left.parent_config == first[1]
    assert left.checkpoint["channel_values"] == {"c": 1, "first": "kept"}
    assert left.pending_writes == [("task", "c", 1)]


async def test_copy_thread(asked: Asked) -> None:
    made = await asked.chain("a", 3)
    await asked.chain("a", 2, "child:1")
    await asked.put_writes(made[2], [("c", 1)], "task", "~1")
    await asked.copy_thread("a", "b")
    source, copy = await asked.listed({"configurable": {"thread_id": "a"}}), await asked.listed({"configurable": {"thread_id": "b"}})
    assert len(source) == 5
    for x, y in zip(source, copy, strict=True):
        assert (x.checkpoint, x.metadata, x.pending_writes) == (y.checkpoint, y.metadata, y.pending_writes)
        assert y.config["configurable"]["thread_id"] == "b"
    await asked.delete_thread("a")
    assert (await asked.get_tuple(at("b"))).checkpoint["channel_values"] == {"c": 2, "first": "kept"}
    with pytest.raises(DashhostError) as e:
        await asked.copy_thread("a", "c")
    assert e.value.code == "not_found"
    assert await asked.listed(at("c")) == []


async def test_prune_keeps_the_latest(asked: Asked) -> None:
    made, child, other = await asked.chain("t", 5), await asked.chain("t", 3, "child:1"), await asked.chain("other", 2)
    await asked.put_writes(made[4], [("c", 1)], "task")
    await asked.prune(["t", "never was"])
    await asked.prune([])
    left = await asked.listed({"configurable": {"thread_id": "t"}})
    assert sorted(ids(left)) == sorted([id_of(made[4]), id_of(child[2])])
    newest = await asked.get_tuple(at("t"))
    assert newest.checkpoint["channel_values"] == {"c": 4, "first": "kept"} and newest.pending_writes == [("task", "c", 1)]
    assert len(await asked.listed(at("other"))) == len(other)


async def test_prune_deletes_all(asked: Asked) -> None:
    await asked.chain("t", 2)
    await asked.chain("t", 2, "child:1")
    await asked.prune(["t", "never was"], strategy="delete")
    assert await asked.listed(None) == []
    with pytest.raises(DashhostError, match='strategy "keep_first"'):
        await asked.prune(["t"], strategy="keep_first")


async def test_delta_channel_history(asked: Asked) -> None:
    root = await asked.put(at("t"), checkpoint({"d": ["seed"]}, {"d": 1}), {}, {"d": 1})
    await asked.put_writes(root, [("d", "w1"), ("other", "x")], "b", "~2")
    await asked.put_writes(root, [("d", "w0")], "c", "~1")
    middle = await asked.put(root, checkpoint({}, {"d": 2}), {}, {"d": 2})
    await asked.put_writes(middle, [("d", "w2")], "a")
    aside = await asked.put(root, checkpoint({}, {"d": 3}), {}, {"d": 3})
    await asked.put_writes(aside, [("d", "on another branch")], "a")
    top = await asked.put(middle, checkpoint({}, {"d": 4}), {}, {"d": 4})
    await asked.put_writes(top, [("d", "pending")], "a")
    found = await asked.get_delta_channel_history(config=top, channels=["d", "none", "other"])
    assert found == {
        "d": {"writes": [("c", "d", "w0"), ("b", "d", "w1"), ("a", "d", "w2")], "seed": ["seed"]},
        "none": {"writes": []},
        "other": {"writes": [("b", "other", "x")]},
    }
    assert await asked.get_delta_channel_history(config=top, channels=[]) == {}
    inherited = super(DashhostSaver, asked.saver).get_delta_channel_history(config=top, channels=["d", "none", "other"])
    assert inherited == found


async def test_misuse(asked: Asked) -> None:
    for call in (
        asked.get_tuple({"configurable": {}}),
        asked.put({"configurable": {}}, checkpoint({}, {}), {}, {}),
        asked.put_writes({"configurable": {"checkpoint_id": "x"}}, [("a", 1)], "task"),
        asked.put_writes(at("t"), [("a", 1)], "task"),
        asked.put(at("broken \ud800"), checkpoint({}, {}), {}, {}),
        asked.put(at(""), checkpoint({}, {}), {}, {}),
        asked.delete_thread(""),
    ):
        with pytest.raises(DashhostError) as e:
            await call
        assert e.value.code == "invalid" and str(e.value)
    for call in (
        asked.put(at("x" * 300), checkpoint({}, {}), {}, {}),
        asked.put(at("t"), checkpoint({"c": "x" * (60 << 20)}, {"c": 1}), {}, {"c": 1}),
    ):
        with pytest.raises(DashhostError) as e:
            await call
        assert e.value.code == "too_large"
    assert await asked.listed(None) == []
