"""Keeps the checkpoints of LangGraph in a dashhost store.

    with DashhostSaver("checkpoints") as saver:
        graph = builder.compile(checkpointer=saver)
        graph.invoke(...)
"""

from dashhost_langgraph.client import DashhostError
from dashhost_langgraph.saver import DashhostSaver

__all__ = ["DashhostError", "DashhostSaver"]
