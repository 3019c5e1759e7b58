"""Graphs that stop for a person, and go on after their store's server was killed."""

import operator
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from dashhost_langgraph import DashhostSaver


class State(TypedDict, total=False):
    topic: str
    notes: Annotated[list[str], operator.add]
    verdict: str


def build(saver: BaseCheckpointSaver[Any], ran: Counter[str]) -> Any:
    """Draft, check in a subgraph of two parallel nodes, ask a person, publish; ran counts what the nodes do."""

    def does(node: str, note: str) -> Callable[[State], State]:
        def run(state: State) -> State:
            ran[node] += 1
            return {"notes": [note]}

        return run

    checks = StateGraph(State)
    checks.add_node("spelling", does("spelling", "spelled"))
    checks.add_node("facts", does("facts", "checked"))
    for node in ("spelling", "facts"):
        checks.add_edge(START, node)
        checks.add_edge(node, END)
    graph = StateGraph(State)
    graph.add_node("draft", does("draft", "drafted"))
    graph.add_node("checks", checks.compile())
    graph.add_node("ask", lambda state: {"verdict": interrupt({"notes": state["notes"]})})
    graph.add_node("publish", does("publish", "published"))
    for before, after in [(START, "draft"), ("draft", "checks"), ("checks", "ask"), ("ask", "publish"), ("publish", END)]:
        graph.add_edge(before, after)
    return graph.compile(checkpointer=saver)


def kill(saver: DashhostSaver) -> None:
    """Ends the server as a power cut does, and waits until it is gone."""
    connection = saver._client._held.connection
    assert connection and connection._process
    os.kill(connection._process.pid, signal.SIGKILL)
    connection._reader.join()
    assert connection._process.returncode == -signal.SIGKILL


CONFIG: Any = {"configurable": {"thread_id": "article"}}


def test_interrupt_kill_resume(savers: Callable[..., DashhostSaver]) -> None:
    saver, ran = savers(), Counter[str]()
    graph = build(saver, ran)
    asked = graph.invoke({"topic": "tides"}, CONFIG)
    assert asked["__interrupt__"][0].value["notes"][:1] == ["drafted"]
    assert ran == {"draft": 1, "spelling": 1, "facts": 1}
    kill(saver)
    done = graph.invoke(Command(resume="yes"), CONFIG)
    assert done["verdict"] == "yes" and done["notes"][-1] == "published"
    assert ran == {"draft": 1, "spelling": 1, "facts": 1, "publish": 1}
    kill(saver)

    # Another process has all of the history, as LangGraph's own saver would.
    other = build(savers(), Counter())
    memory = build(InMemorySaver(), Counter())
    memory.invoke({"topic": "tides"}, CONFIG)
    memory.invoke(Command(resume="yes"), CONFIG)
    history = list(other.get_state_history(CONFIG))
    expected = list(memory.get_state_history(CONFIG))
    assert [(s.values, s.next, s.metadata["step"], s.metadata["source"]) for s in history] == [
        (s.values, s.next, s.metadata["step"], s.metadata["source"]) for s in expected
    ]

    # A fork, and a copy of a checkpoint that is no ancestor.
    before = next(s for s in history if s.next == ("publish",))
    forked = other.update_state(before.config, {"verdict": "no"})
    assert other.invoke(None, forked)["verdict"] == "no"
    copy = other.update_state(before.config, None, as_node="__copy__")
    assert other.get_state(copy).values == before.values
    assert other.get_state(history[0].config).values == history[0].values


async def test_interrupt_kill_resume_async(savers: Callable[..., DashhostSaver]) -> None:
    saver, ran = savers(), Counter[str]()
    graph = build(saver, ran)
    asked = await graph.ainvoke({"topic": "tides"}, CONFIG)
    assert "__interrupt__" in asked
    kill(saver)
    done = await graph.ainvoke(Command(resume="yes"), CONFIG)
    assert done["verdict"] == "yes"
    assert ran == {"draft": 1, "spelling": 1, "facts": 1, "publish": 1}
    assert [s async for s in graph.aget_state_history(CONFIG)] == list(graph.get_state_history(CONFIG))


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_durabilities(saver: DashhostSaver, durability: str) -> None:
    graph = build(saver, Counter())
    graph.invoke({"topic": "tides"}, CONFIG, durability=durability)
    assert graph.invoke(Command(resume="yes"), CONFIG, durability=durability)["verdict"] == "yes"
    assert graph.get_state(CONFIG).values["verdict"] == "yes"


class Chat(TypedDict):
    turns: Annotated[list[str], DeltaChannel(lambda state, writes: [*state, *(x for w in writes for x in w)], snapshot_frequency=4)]


def test_delta_channel_survives_pruning(savers: Callable[..., DashhostSaver]) -> None:
    """A channel that is kept as writes, with a value now and then, and that keep_latest must not cut off from it."""

    def chat(saver: BaseCheckpointSaver[Any]) -> Any:
        graph = StateGraph(Chat)
        graph.add_node("reply", lambda state: {"turns": [f"reply {len(state['turns'])}"]})
        graph.add_edge(START, "reply")
        graph.add_edge("reply", END)
        return graph.compile(checkpointer=saver)

    saver = savers()
    graph, memory = chat(saver), chat(InMemorySaver())
    most = 0
    for i in range(12):
        for g in (graph, memory):
            g.invoke({"turns": [f"turn {i}"]}, CONFIG)
        expected = memory.get_state(CONFIG).values
        assert graph.get_state(CONFIG).values == expected
        saver.prune(["article"])
        most = max(most, len(list(saver.list(CONFIG))))
        assert graph.get_state(CONFIG).values == expected
        assert chat(savers()).get_state(CONFIG).values == expected
    assert 1 < most < 20  # some were kept, and not all
