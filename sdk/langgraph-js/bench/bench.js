// Checkpoints a second and the latency of reading, beside LangGraph's SQLite saver with synchronous=FULL: rounds alternate, medians
// count. DASHHOST names the program. `make langgraph-bench` builds it and runs this.
import { uuid6 } from "@langchain/langgraph-checkpoint";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DashhostSaver } from "../dist/index.js";

const rounds = 5;
const steps = 200; // of a thread, one after the other
const threads = 32; // at once, in the second measure

const dir = mkdtempSync(join(tmpdir(), "dashhost-bench-"));
const sqlite = SqliteSaver.fromConnString(join(dir, "sqlite.db"));
sqlite.setup();
sqlite.db.pragma("synchronous = FULL");
const savers = { dashhost: new DashhostSaver({ store: join(dir, "store") }), sqlite };

/** Puts n checkpoints on a thread: a message of 1 KiB and one of 20 small channels are new in each, and one write is pending. */
async function run(saver, thread, n) {
  let config = { configurable: { thread_id: thread, checkpoint_ns: "" } };
  const values = {};
  const versions = {};
  for (let c = 0; c < 20; c++) versions[`channel${c}`] = saver.getNextVersion(undefined);
  for (let i = 0; i < n; i++) {
    const changed = i === 0 ? Object.keys(versions) : [`channel${i % 20}`];
    values.message = "x".repeat(1024);
    for (const c of changed) values[c] = `value ${i} of ${c}`;
    for (const c of [...changed, "message"]) versions[c] = saver.getNextVersion(versions[c]);
    const fresh = Object.fromEntries([...changed, "message"].map((c) => [c, versions[c]]));
    const checkpoint = { v: 4, id: uuid6(i), ts: new Date().toISOString(), channel_values: { ...values }, channel_versions: { ...versions }, versions_seen: {} };
    config = await saver.put(config, checkpoint, { source: "loop", step: i, parents: {} }, fresh);
    await saver.putWrites(config, [["message", "pending"]], "task");
  }
}

async function time(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

const figures = {};
const note = (what, name, figure) => ((figures[what] ??= {})[name] ??= []).push(figure);
for (let round = 0; round < rounds; round++) {
  for (const [name, saver] of Object.entries(savers)) {
    const thread = `${round}`;
    note("put + putWrites, 1 thread, per second", name, steps / ((await time(() => run(saver, thread, steps))) / 1000));
    const many = Array.from({ length: threads }, (_, i) => `${round} ${i}`);
    note(`put + putWrites, ${threads} threads, per second`, name, (threads * 20) / ((await time(() => Promise.all(many.map((t) => run(saver, t, 20))))) / 1000));
    const reads = 300;
    const config = { configurable: { thread_id: thread, checkpoint_ns: "" } };
    note("getTuple of the newest, microseconds", name, ((await time(async () => { for (let i = 0; i < reads; i++) await saver.getTuple(config); })) * 1000) / reads);
  }
}
const median = (all) => all.sort((a, b) => a - b)[all.length >> 1];
console.log(`JavaScript, node ${process.version}, medians of ${rounds} rounds`);
for (const [what, by] of Object.entries(figures)) {
  const [ours, theirs] = [median(by.dashhost), median(by.sqlite)];
  console.log(`${what.padEnd(44)} dashhost ${ours.toFixed(0).padStart(6)}   sqlite FULL ${theirs.toFixed(0).padStart(6)}   ratio ${(ours / theirs).toFixed(2)}`);
}
await savers.dashhost.close();
rmSync(dir, { recursive: true });
