// The way to the server: where the program is looked for, what happens when it is missing, dies, or finds the store damaged.
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { DashhostError, DashhostSaver } from "../src/index.js";
import { all, folder } from "./dashhost.js";
import { exists, kill, server } from "./server.js";

const dir = folder();
const config = (thread_id: string) => ({ configurable: { thread_id } });
const metadata = { source: "input", step: -1, parents: {} } as const;
let made = 0;
const fresh = () => join(dir, `store${made++}`);

async function failure(work: Promise<unknown>): Promise<DashhostError> {
  const e = await work.then(() => undefined, (e: unknown) => e);
  expect(e).toBeInstanceOf(DashhostError);
  return e as DashhostError;
}

function put(saver: DashhostSaver, thread: string, values: Record<string, unknown> = {}) {
  const versions = Object.fromEntries(Object.keys(values).map((k) => [k, saver.getNextVersion(undefined)]));
  return saver.put(config(thread), { ...emptyCheckpoint(), id: uuid6(1), channel_values: values, channel_versions: versions }, metadata, versions);
}

it("finds the program by option, environment and PATH", async () => {
  const saved = process.env.DASHHOST!;
  try {
    for (const [options, dashhost, path] of [
      [{ command: saved }, "/nowhere/dashhost", ""],
      [{}, saved, ""],
      [{}, undefined, dirname(saved)],
    ] as const) {
      if (dashhost) process.env.DASHHOST = dashhost;
      else delete process.env.DASHHOST;
      const env = { ...process.env, PATH: path + delimiter + process.env.PATH };
      const saver = new DashhostSaver({ ...options, store: fresh(), env });
      expect(await saver.getTuple(config("t"))).toBeUndefined();
      await saver.close();
    }
  } finally {
    process.env.DASHHOST = saved;
  }
});

it("says what to do when the program is missing", async () => {
  const saver = new DashhostSaver({ command: "/nowhere/dashhost" });
  const e = await failure(saver.getTuple(config("t")));
  expect(e.code).toBe("missing");
  expect(e.message).toBe("/nowhere/dashhost: not found: install dashhost, or name it by the option command, the environment variable DASHHOST or in PATH");
  await saver.close();
});

it("says what the program said when it does not start", async () => {
  const file = join(dir, "file");
  writeFileSync(file, "");
  const saver = new DashhostSaver({ store: file });
  const e = await failure(saver.getTuple(config("t")));
  expect(e.code).toBe("gone");
  expect(e.message).toMatch(/exit code [1-9].*error: /s);
  await saver.close();
  const wrong = new DashhostSaver({ command: "/bin/echo" });
  expect((await failure(wrong.getTuple(config("t")))).message).toMatch(/not a server of LangGraph's checkpoints/);
  await wrong.close();
});

it("fails what is in progress when the server is killed, and starts it again for what comes next", async () => {
  const saver = new DashhostSaver({ store: fresh() });
  await put(saver, "t", { kept: "yes" });
  const { pid } = server(saver);
  server(saver).kill("SIGSTOP");
  const waiting = [saver.getTuple(config("t")), put(saver, "u")].map(failure);
  await kill(saver);
  for (const e of await Promise.all(waiting)) {
    expect(e.code).toBe("gone");
    expect(e.message).toMatch(/ended by SIGKILL/);
  }
  expect((await saver.getTuple(config("t")))!.checkpoint.channel_values).toEqual({ kept: "yes" });
  expect(exists(pid!)).toBe(false); // not even a zombie
  const next = server(saver).pid!;
  await saver.close();
  expect(exists(next)).toBe(false);
  expect((await failure(saver.getTuple(config("t")))).code).toBe("closed");
  await saver.close();
});

it("does not take a new, empty store in memory for the one that is lost", async () => {
  const saver = new DashhostSaver({ store: "mem:" });
  await put(saver, "t");
  await kill(saver);
  const e = await failure(saver.getTuple(config("t")));
  expect(e.code).toBe("gone");
  expect(e.message).toMatch(/what was kept in memory is lost/);
  await saver.close();
});

it("passes on that a thread is damaged, and that others are not", async () => {
  const store = fresh();
  const saver = new DashhostSaver({ store });
  await put(saver, "hurt", { secret: "precious" });
  await put(saver, "sound", { secret: "valuable" });
  await put(saver, "hurt", { secret: "later" });
  await kill(saver);
  const log = join(store, "log", "00000001");
  const bytes = readFileSync(log);
  bytes[bytes.indexOf('"precious"')]! ^= 1;
  writeFileSync(log, bytes);
  rmSync(join(store, "index"), { force: true });
  const e = await failure(saver.getTuple(config("hurt")));
  expect(e.code).toBe("damaged");
  expect(e.message).toMatch(/log\/00000001 offset \d+/);
  expect((await saver.getTuple(config("sound")))!.checkpoint.channel_values).toEqual({ secret: "valuable" });
  await saver.close();
});

it("keeps values of every kind, and refuses what the server would not take", async () => {
  const saver = new DashhostSaver({ store: fresh() });
  const values = { text: "ü\ud83d\ude00\u0000", bytes: new Uint8Array([0, 255]), map: new Map([["a", 1]]), nothing: null, big: "x".repeat(3 << 20) };
  await put(saver, "t", values);
  expect((await saver.getTuple(config("t")))!.checkpoint.channel_values).toEqual(values);
  const at = (await saver.getTuple(config("t")))!.config;
  const writes = Array.from({ length: 100 }, (_, i) => ["channel", i] as [string, unknown]);
  await Promise.all(writes.map((w, i) => saver.putWrites(at, [w], `task ${i}`)));
  expect((await saver.getTuple(at))!.pendingWrites!.length).toBe(100);
  expect((await failure(put(saver, "t", { huge: "x".repeat(60 << 20) }))).code).toBe("too_large");
  expect((await failure(put(saver, "broken \ud800"))).code).toBe("invalid");
  expect((await failure(put(saver, "x".repeat(300)))).code).toBe("too_large");
  expect((await failure(saver.copyThread("never", "was"))).code).toBe("not_found");
  expect((await failure(saver.prune(["t"], "keep_first" as never))).code).toBe("invalid");
  expect((await saver.getTuple(config("t")))!.pendingWrites!.length).toBe(100);
  await saver.close();
});

it("shares a server's socket, and the store with other servers", async () => {
  const store = fresh();
  const socket = join(dir, "s");
  const shared = spawn(process.env.DASHHOST!, ["store", "langgraph", "--store", store, "--socket", socket], { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void shared.kill("SIGKILL"));
  await once(shared.stderr!, "data"); // it listens
  const savers = [new DashhostSaver({ socket }), new DashhostSaver({ socket }), new DashhostSaver({ store })];
  await Promise.all(savers.flatMap((s, i) => Array.from({ length: 20 }, (_, j) => put(s, `t${j % 5}`, { from: i }))));
  for (const s of savers) expect((await all(s.list({}))).length).toBe(60);
  const ended = once(shared, "close");
  shared.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  expect((await failure(savers[0]!.getTuple(config("t")))).code).toBe("gone");
  expect((await all(savers[2]!.list({}))).length).toBe(60);
  await Promise.all(savers.map((s) => s.close()));
  expect(readdirSync(dir)).not.toContain("s");
});

it("does not keep a program from ending that forgets to close it", () => {
  const program = `
    import { DashhostSaver } from ${JSON.stringify(join(import.meta.dirname, "../dist/index.js"))};
    const saver = new DashhostSaver({ store: ${JSON.stringify(fresh())} });
    await saver.getTuple({ configurable: { thread_id: "t" } });
    console.log(saver.client.connection.child.pid);`;
  const ran = spawnSync(process.execPath, ["--input-type=module", "-e", program], { timeout: 30_000, encoding: "utf8" });
  expect([ran.status, ran.stderr]).toEqual([0, ""]);
});
