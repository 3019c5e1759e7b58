// A graph that stops for a person, and goes on after its store's server was killed.
import { Annotation, Command, END, INTERRUPT, MemorySaver, START, StateGraph, interrupt, isInterrupted } from "@langchain/langgraph";
import { join } from "node:path";
import { DashhostSaver } from "../src/index.js";
import { all, folder } from "./dashhost.js";
import { kill } from "./server.js";

/** draft, ask a person, publish; `ran` counts what the nodes do. */
function build(saver: DashhostSaver | MemorySaver, ran: Record<string, number>) {
  const count = (node: string) => (ran[node] = (ran[node] ?? 0) + 1);
  const State = Annotation.Root({
    topic: Annotation<string>,
    notes: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
    verdict: Annotation<string>,
  });
  const checks = new StateGraph(State)
    .addNode("spelling", () => (count("spelling"), { notes: ["spelled"] }))
    .addNode("facts", () => (count("facts"), { notes: ["checked"] }))
    .addEdge(START, "spelling")
    .addEdge(START, "facts")
    .addEdge("spelling", END)
    .addEdge("facts", END)
    .compile();
  return new StateGraph(State)
    .addNode("draft", ({ topic }) => (count("draft"), { notes: [`draft on ${topic}`] }))
    .addNode("checks", checks)
    .addNode("ask", ({ notes }) => ({ verdict: interrupt({ notes }) as string }))
    .addNode("publish", ({ verdict }) => (count("publish"), { notes: [`published: ${verdict}`] }))
    .addEdge(START, "draft")
    .addEdge("draft", "checks")
    .addEdge("checks", "ask")
    .addEdge("ask", "publish")
    .addEdge("publish", END)
    .compile({ checkpointer: saver as MemorySaver });
}

const dir = folder();

it("interrupts, loses its server, and resumes", async () => {
  const saver = new DashhostSaver({ store: join(dir, "graph") });
  const ran: Record<string, number> = {};
  const graph = build(saver, ran);
  const config = { configurable: { thread_id: "article" } };

  const asked = await graph.invoke({ topic: "tides" }, config);
  expect(isInterrupted(asked) && asked[INTERRUPT][0]?.value).toEqual({ notes: ["draft on tides", "draft on tides", "checked", "spelled"] });
  expect(ran).toEqual({ draft: 1, spelling: 1, facts: 1 });
  await kill(saver);

  const done = await graph.invoke(new Command({ resume: "yes" }), config);
  expect(done.notes.at(-1)).toBe("published: yes");
  expect(ran).toEqual({ draft: 1, spelling: 1, facts: 1, publish: 1 });
  await kill(saver);

  // Another process: all of the history, and a fork of it that the first run does not see.
  const again = new DashhostSaver({ store: join(dir, "graph") });
  const other = build(again, {});
  const history = await all(other.getStateHistory(config));
  const memory = build(new MemorySaver(), {});
  await memory.invoke({ topic: "tides" }, config);
  await memory.invoke(new Command({ resume: "yes" }), config);
  const expected = await all(memory.getStateHistory(config));
  expect(history.map((s) => [s.values, s.next, s.metadata?.step, s.metadata?.source])).toEqual(
    expected.map((s) => [s.values, s.next, s.metadata?.step, s.metadata?.source]),
  );
  const before = history.find((s) => s.next.includes("publish"))!;
  const forked = await other.updateState(before.config, { verdict: "no" });
  expect((await other.invoke(null, forked)).notes.at(-1)).toBe("published: no");
  const copy = await other.updateState(before.config, null, "__copy__");
  expect((await other.getState(copy)).values).toEqual(before.values);
  expect((await other.getState(history[0]!.config)).values).toEqual(history[0]!.values);

  await again.copyThread("article", "second");
  await again.deleteThread("article");
  expect((await other.getState({ configurable: { thread_id: "second" } })).values.verdict).toBeDefined();
  expect((await other.getState(config)).values).toEqual({});
  await again.prune(["second"]);
  const left = await all(again.list({ configurable: { thread_id: "second", checkpoint_ns: "" } }));
  expect(left.length).toBe(1);
  await again.deleteForRuns(["nobody"]);
  await again.prune(["second"], "delete");
  expect(await all(again.list({}))).toEqual([]);
  await again.close();
  await saver.close();
});

it("runs many threads at once", async () => {
  const saver = new DashhostSaver({ store: join(dir, "many") });
  const graph = build(saver, {});
  const threads = Array.from({ length: 20 }, (_, i) => ({ configurable: { thread_id: `thread ${i}` } }));
  await Promise.all(threads.map((config, i) => graph.invoke({ topic: `${i}` }, config)));
  await Promise.all(threads.map((config, i) => graph.invoke(new Command({ resume: `${i}` }), config)));
  const states = await Promise.all(threads.map((config) => graph.getState(config)));
  expect(states.map((s) => s.values.verdict)).toEqual(threads.map((_, i) => `${i}`));
  await saver.close();
});
