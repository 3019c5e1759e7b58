"""The checkpointer."""

from __future__ import annotations

import json
import random
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from dashhost_langgraph.client import Client, DashhostError, Options

Json = dict[str, Any]
Writes = list[PendingWrite]


class DashhostSaver(BaseCheckpointSaver[str]):
    """Keeps LangGraph's checkpoints in a dashhost store. What `put` and `put_writes` have returned from is on the disk.

    Every method is there for threads and, with an `a` in front, for asyncio. Errors are DashhostError, with a code. Several
    savers, processes and languages may use one store at once.

    Args:
        store: A folder, file:DIR, mem: or postgres://... Default: what the environment variable DASHHOST_STORE says, else
            .dashhost/store.
        socket: Path of the unix socket of a server that runs already (`dashhost store langgraph --socket PATH`), instead of a
            process of our own.
        command: The program. Default: the environment variable DASHHOST, else dashhost, looked up in PATH.
        args: More arguments of the program, before `store langgraph`.
        env: Environment of the program, default this process's.
        serde: Turns values into bytes, default LangGraph's own.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        socket: str | None = None,
        command: str | None = None,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self._client = Client(Options(store, socket, command, args, env))

    def close(self) -> None:
        """Waits for what is in progress and ends the server that this saver has started."""
        self._client.close()

    def __enter__(self) -> DashhostSaver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> DashhostSaver:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- put

    def put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> RunnableConfig:
        self._client.call("put", **self._put(config, checkpoint, metadata, new_versions))
        return _stored(config, checkpoint["id"])

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> RunnableConfig:
        await self._client.acall("put", **self._put(config, checkpoint, metadata, new_versions))
        return _stored(config, checkpoint["id"])

    def _put(self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions) -> Json:
        values = checkpoint["channel_values"]
        metadata = get_checkpoint_metadata(config, metadata)
        return {
            **_place(config),
            "checkpoint": {
                "id": checkpoint["id"],
                "parent": get_checkpoint_id(config) or "",
                "value": self._dump({k: v for k, v in checkpoint.items() if k != "channel_values"}),
                "metadata": self._dump(metadata),
                "fields": _fields(metadata),
                "versions": checkpoint["channel_versions"],
            },
            "values": [
                {"channel": c, "version": v, "value": self._dump(values[c])} if c in values else {"channel": c, "version": v}
                for c, v in new_versions.items()
            ],
        }

    # --- put_writes

    def put_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        self._client.call("put_writes", **self._put_writes(config, writes, task_id, task_path))

    async def aput_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        await self._client.acall("put_writes", **self._put_writes(config, writes, task_id, task_path))

    def _put_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str) -> Json:
        return {
            **_place(config),
            "checkpoint_id": get_checkpoint_id(config) or "",
            "task": task_id,
            "path": task_path,
            "writes": [
                {"index": WRITES_IDX_MAP.get(channel, i), "channel": channel, "value": self._dump(value)}
                for i, (channel, value) in enumerate(writes)
            ],
        }

    # --- get_tuple

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = self._client.call("get_tuple", **_place(config), checkpoint_id=get_checkpoint_id(config) or "")["tuple"]
        return self._tuple(found) if found else None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        reply = await self._client.acall("get_tuple", **_place(config), checkpoint_id=get_checkpoint_id(config) or "")
        return self._tuple(reply["tuple"]) if reply["tuple"] else None

    # --- list

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        query: Json | None = _query(config, filter, before, limit)
        while query is not None:
            page = self._client.call("list", **query)
            for t in page["tuples"]:
                yield self._tuple(t)
            query = _next(query, page)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        query: Json | None = _query(config, filter, before, limit)
        while query is not None:
            page = await self._client.acall("list", **query)
            for t in page["tuples"]:
                yield self._tuple(t)
            query = _next(query, page)

    # --- delete_thread, delete_for_runs, copy_thread, prune

    def delete_thread(self, thread_id: str) -> None:
        self._client.call("delete_thread", thread=str(thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        await self._client.acall("delete_thread", thread=str(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Removes all checkpoints, with their writes, whose metadata has one of the ids as run_id, in all threads."""
        self._client.call("delete_for_runs", runs=[str(r) for r in run_ids])

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await self._client.acall("delete_for_runs", runs=[str(r) for r in run_ids])

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies all checkpoints and writes, with their ids."""
        self._client.call("copy_thread", **{"from": str(source_thread_id), "to": str(target_thread_id)})

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await self._client.acall("copy_thread", **{"from": str(source_thread_id), "to": str(target_thread_id)})

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keeps the newest checkpoint of each namespace, and what its delta channels are made of; "delete" keeps nothing."""
        self._client.call("prune", threads=[str(t) for t in thread_ids], strategy=strategy)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await self._client.acall("prune", threads=[str(t) for t in thread_ids], strategy=strategy)

    # --- delta channels

    def get_delta_channel_history(self, *, config: RunnableConfig, channels: Sequence[str]) -> Mapping[str, DeltaChannelHistory]:
        if not channels:
            return {}
        return self._history(self._client.call("delta_history", **_history_query(config, channels)))

    async def aget_delta_channel_history(self, *, config: RunnableConfig, channels: Sequence[str]) -> Mapping[str, DeltaChannelHistory]:
        if not channels:
            return {}
        return self._history(await self._client.acall("delta_history", **_history_query(config, channels)))

    def _history(self, reply: Json) -> dict[str, DeltaChannelHistory]:
        histories: dict[str, DeltaChannelHistory] = {}
        for found in reply["channels"]:
            history: DeltaChannelHistory = {"writes": self._writes(found["writes"])}
            if "seed" in found:
                history["seed"] = self._load(found["seed"])
            histories[found["channel"]] = history
        return histories

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Versions grow, and no two branches give out the same one."""
        count = 0 if current is None else int(str(current).split(".")[0])
        return f"{count + 1:032}.{random.randrange(10**16):016}"

    # --- values

    def _tuple(self, t: Json) -> CheckpointTuple:
        checkpoint: Checkpoint = self._load(t["checkpoint"])
        checkpoint["channel_values"] = {v["channel"]: self._load(v["value"]) for v in t["values"]}
        return CheckpointTuple(
            config=_at(t, t["id"]),
            checkpoint=checkpoint,
            metadata=self._load(t["metadata"]),
            parent_config=_at(t, t["parent"]) if "parent" in t else None,
            pending_writes=self._writes(t["writes"]),
        )

    def _writes(self, writes: Sequence[Json]) -> Writes:
        return [(w["task"], w["channel"], self._load(w["value"])) for w in writes]

    def _dump(self, value: Any) -> Json:
        kind, data = self.serde.dumps_typed(value)
        return {"type": kind, "data": b64encode(data).decode()}

    def _load(self, value: Json) -> Any:
        return self.serde.loads_typed((value["type"], b64decode(value["data"])))


def _place(config: RunnableConfig) -> Json:
    """The thread and namespace of a config."""
    configurable = config.get("configurable") or {}
    if "thread_id" not in configurable:
        raise DashhostError("invalid", 'the config has no "thread_id" in "configurable": a checkpointer needs one')
    return {"thread": str(configurable["thread_id"]), "ns": configurable.get("checkpoint_ns", "")}


def _stored(config: RunnableConfig, checkpoint_id: str) -> RunnableConfig:
    place = _place(config)
    return {"configurable": {"thread_id": place["thread"], "checkpoint_ns": place["ns"], "checkpoint_id": checkpoint_id}}


def _at(t: Json, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": t["thread"], "checkpoint_ns": t["ns"], "checkpoint_id": checkpoint_id}}


def _query(config: RunnableConfig | None, filter: dict[str, Any] | None, before: RunnableConfig | None, limit: int | None) -> Json:
    configurable = (config or {}).get("configurable") or {}
    query: Json = {}
    if (thread := configurable.get("thread_id")) is not None:
        query["thread"] = str(thread)
    if (ns := configurable.get("checkpoint_ns")) is not None:
        query["ns"] = ns
    if checkpoint_id := configurable.get("checkpoint_id"):
        query["checkpoint_id"] = checkpoint_id
    if before and (before_id := get_checkpoint_id(before)):
        query["before"] = before_id
    if limit is not None:
        query["limit"] = limit
    if filter:
        query["filter"] = _fields(filter)
        if missing := set(filter) - set(query["filter"]):
            raise DashhostError("invalid", f"filter {', '.join(sorted(missing))}: not JSON, so no checkpoint is found by it")
    return query


def _next(query: Json, page: Json) -> Json | None:
    """The query for the page after this one."""
    if "cursor" not in page:
        return None
    query = {**query, "cursor": page["cursor"]}
    if "limit" in query:
        query["limit"] -= len(page["tuples"])
        if query["limit"] <= 0:
            return None
    return query


def _history_query(config: RunnableConfig, channels: Sequence[str]) -> Json:
    return {**_place(config), "checkpoint_id": get_checkpoint_id(config) or "", "channels": [*channels]}


def _fields(metadata: Mapping[str, Any]) -> Json:
    """What of the metadata is JSON: list filters by it."""
    fields = {}
    for name, value in metadata.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            continue  # it cannot be asked for
        fields[name] = value
    return fields
