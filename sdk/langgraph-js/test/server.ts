// What the tests do to the server behind a saver.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { DashhostSaver } from "../src/index.js";

/** The process of a saver that has had a request. */
export function server(saver: DashhostSaver): ChildProcess {
  return (saver as unknown as { client: { connection: { child: ChildProcess } } }).client.connection.child;
}

/** Ends it as a power cut does, and waits until it is gone. */
export async function kill(saver: DashhostSaver): Promise<void> {
  const child = server(saver);
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

/** Whether a process is there, zombies too. */
export function exists(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
