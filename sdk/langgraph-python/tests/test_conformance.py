"""LangGraph's own suite of conformance, every capability."""

from collections.abc import AsyncGenerator
from pathlib import Path

from langgraph.checkpoint.conformance import checkpointer_test, validate

from dashhost_langgraph import DashhostSaver


async def test_conformance(tmp_path: Path) -> None:
    made = 0

    @checkpointer_test(name="DashhostSaver")
    async def checkpointer() -> AsyncGenerator[DashhostSaver, None]:
        nonlocal made
        made += 1
        async with DashhostSaver(str(tmp_path / f"store{made}")) as saver:
            yield saver

    report = await validate(checkpointer)
    failed = {name: r.failures for name, r in report.results.items() if r.failures}
    assert not failed
    assert len(report.results) == 8 and all(r.detected and r.passed for r in report.results.values())
    assert report.conformance_level() == "FULL"
