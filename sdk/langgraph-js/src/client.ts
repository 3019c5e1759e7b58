// The protocol of `dashhost store langgraph`: lines of JSON to a child process or a unix socket.
import { spawn, type ChildProcess } from "node:child_process";
import { connect } from "node:net";
import type { Readable, Writable } from "node:stream";

/** Where the store is, and how it is reached. */
export interface Options {
  /** The store: a folder, file:DIR, mem: or postgres://... Default: what the environment variable DASHHOST_STORE says, else .dashhost/store. */
  store?: string;
  /** Path of the unix socket of a server that runs already (`dashhost store langgraph --socket PATH`), instead of a process of our own. */
  socket?: string;
  /** The program. Default: the environment variable DASHHOST, else dashhost, looked up in PATH. */
  command?: string;
  /** More arguments of the program, before `store langgraph`. */
  args?: string[];
  /** Environment of the program, default this process's. */
  env?: NodeJS.ProcessEnv;
}

/** What the server, or the way to it, had to say. `code` is the protocol's, or "gone" (no server), "missing" (no program). */
export class DashhostError extends Error {
  override name = "DashhostError";
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

interface Reply {
  id: number | null;
  ok?: unknown;
  error?: { code: string; message: string };
}

interface Pending {
  resolve(ok: any): void;
  reject(reason: DashhostError): void;
}

const newline = 0x0a;
const grace = 10_000; // ms that a server has to end when it was asked to

/** One connection. It is dead after the first failure; Client makes the next one. */
class Connection {
  readonly hello: Promise<{ store: string; max_line: number }>;
  private readonly pending = new Map<number, Pending>();
  private readonly ended: Promise<void>;
  private child?: ChildProcess;
  private out!: Writable;
  private next = 0;
  private maxLine = 64 << 20;
  private told = ""; // the end of the program's stderr
  dead?: DashhostError;

  constructor(private readonly o: Options) {
    this.ended = o.socket === undefined ? this.start() : this.dial(o.socket);
    this.hello = this.request("hello", { protocol: 1, client: "langgraph-js 0.1.0" });
    this.hello.then((h) => (this.maxLine = h.max_line), () => undefined); // the caller is told too
  }

  private start(): Promise<void> {
    const command = this.o.command ?? process.env.DASHHOST ?? "dashhost";
    const args = [...(this.o.args ?? []), "--quiet", "store", "langgraph", ...(this.o.store === undefined ? [] : ["--store", this.o.store])];
    // A group of its own: an interrupt from the keyboard is ours to handle, the server ends when we close its stdin.
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: this.o.env ?? process.env, detached: true });
    this.child = child;
    this.out = child.stdin;
    this.read(child.stdout);
    child.stderr.on("data", (b: Buffer) => (this.told = (this.told + b.toString()).slice(-4096)));
    this.out.on("error", () => undefined); // the process has ended, and "close" says how
    child.unref();
    this.hold(false);
    return new Promise((resolve) => {
      child.on("error", (e: NodeJS.ErrnoException) => {
        const hint = "install dashhost, or name it by the option command, the environment variable DASHHOST or in PATH";
        this.fail(new DashhostError("missing", e.code === "ENOENT" ? `${command}: not found: ${hint}` : `${command}: ${e.message}`));
        resolve();
      });
      child.on("close", (code, signal) => {
        const how = signal ? `ended by ${signal}` : `ended with exit code ${code}`;
        this.fail(new DashhostError("gone", `${command}: ${how}${this.told && `: ${this.told.trim()}`}`));
        resolve();
      });
    });
  }

  private dial(path: string): Promise<void> {
    const socket = connect(path);
    this.out = socket;
    this.read(socket);
    socket.unref();
    return new Promise((resolve) => {
      let why = "the server has closed the connection";
      socket.on("error", (e) => (why = e.message));
      socket.on("close", () => {
        this.fail(new DashhostError("gone", `socket ${path}: ${why}`));
        resolve();
      });
    });
  }

  private read(from: Readable): void {
    let parts: Buffer[] = [];
    from.on("data", (b: Buffer) => {
      for (let end = b.indexOf(newline); end >= 0; end = b.indexOf(newline)) {
        this.reply(Buffer.concat([...parts, b.subarray(0, end)]).toString());
        parts = [];
        b = b.subarray(end + 1);
      }
      if (b.length > 0) parts.push(b);
    });
  }

  private reply(line: string): void {
    let r: Reply;
    try {
      r = JSON.parse(line);
    } catch {
      return this.fail(new DashhostError("gone", `not a server of LangGraph's checkpoints: it said ${JSON.stringify(line.slice(0, 200))}`));
    }
    const waiting = this.pending.get(r.id ?? -1);
    if (waiting === undefined) return this.fail(new DashhostError("gone", r.error?.message ?? "the server replied to nothing"));
    this.pending.delete(r.id!);
    if (this.pending.size === 0) this.hold(false);
    if (r.error) waiting.reject(new DashhostError(r.error.code, r.error.message));
    else waiting.resolve(r.ok);
  }

  /** Whether this connection keeps the process from ending. */
  private hold(on: boolean): void {
    const streams = this.child ? [this.child.stdin, this.child.stdout, this.child.stderr] : [this.out];
    for (const s of [this.child, ...streams]) (s as { ref?(): void; unref?(): void } | null | undefined)?.[on ? "ref" : "unref"]?.();
  }

  private fail(e: DashhostError): void {
    if (this.dead) return;
    this.dead = e;
    for (const p of this.pending.values()) p.reject(e);
    this.pending.clear();
    this.hold(false);
    this.out.destroy();
  }

  request<T>(op: string, fields: object): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.dead) return reject(this.dead);
      const id = this.next++;
      const line = Buffer.from(JSON.stringify({ id, op, ...fields }) + "\n");
      if (line.length > this.maxLine) return reject(new DashhostError("too_large", `${op}: ${line.length} bytes, the server takes ${this.maxLine}`));
      if (this.pending.size === 0) this.hold(true);
      this.pending.set(id, { resolve, reject });
      this.out.write(line);
    });
  }

  async close(): Promise<void> {
    this.hold(true);
    this.out.end();
    const late = setTimeout(() => this.child?.kill("SIGKILL"), grace);
    await this.ended;
    clearTimeout(late);
  }
}

/** The way to a store: a server is started, or dialled, with the first request, and again with the first one after it has died. */
export class Client {
  private connection?: Connection;
  private store?: string;
  private closed = false;

  constructor(private readonly o: Options = {}) {}

  /** Rejects with a DashhostError. After "gone" nobody knows whether a write was kept: all of them may be sent again. */
  async request<T>(op: string, fields: object): Promise<T> {
    if (this.closed) throw new DashhostError("closed", "the saver is closed");
    const c = (this.connection = this.connection && !this.connection.dead ? this.connection : new Connection(this.o));
    const { store } = await c.hello;
    if ((this.store ??= store) !== store) {
      await c.close();
      throw new DashhostError("gone", `the server was started again and has another store (${store}, before ${this.store}): what was kept in memory is lost`);
    }
    return c.request<T>(op, fields);
  }

  /** Waits for what is in progress, and until the server has ended. */
  async close(): Promise<void> {
    this.closed = true;
    await this.connection?.close();
  }
}
