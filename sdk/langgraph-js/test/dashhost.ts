// Where the tests find the program: DASHHOST, as for users.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

if (!process.env.DASHHOST) throw new Error("DASHHOST: not set; make langgraph builds the program and sets it");

/** A folder that is gone when the tests of the file are. */
export function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "dashhost-langgraph-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** What an iteration yields. */
export async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const x of from) found.push(x);
  return found;
}
