import * as v1 from "./v1";
import { Document, Value } from "./value";
import { Writer } from "./writer";

/** What a node's function returns. */
export enum Status {
  Done = 0,
  Failed = 1,
  /** A question waits for its answer. */
  Interrupted = 2,
}

/** Severity of a log line. */
export enum Level {
  Trace,
  Debug,
  Info,
  Warn,
  Error,
}

/** Why the host refused; numbers that are not listed mean Internal. */
export enum Errno {
  None = 0,
  Invalid = 1,
  NotFound = 2,
  Denied = 3,
  Conflict = 4,
  TooLarge = 5,
  Limited = 6,
  Unavailable = 7,
  Timeout = 8,
  Full = 10,
  Corrupt = 11,
  Unsupported = 12,
  Internal = 13,
  Pending = 14,
}

/** The ABI's name, for example "too_large". */
export function errnoName(e: Errno): string {
  switch (e) {
    case Errno.Invalid: return "invalid";
    case Errno.NotFound: return "not_found";
    case Errno.Denied: return "denied";
    case Errno.Conflict: return "conflict";
    case Errno.TooLarge: return "too_large";
    case Errno.Limited: return "limited";
    case Errno.Unavailable: return "unavailable";
    case Errno.Timeout: return "timeout";
    case Errno.Full: return "full";
    case Errno.Corrupt: return "corrupt";
    case Errno.Unsupported: return "unsupported";
    case Errno.Pending: return "pending";
    default: return "internal";
  }
}

/**
 * One running task: what a node may ask the host for.
 *
 * A method that gives `false` or `null` was refused, and has made that the call's failure:
 * its code is the errno's name, so that `on: [unavailable]` in a retry policy does what it
 * says. A node that cannot go on returns `call.status`; one that can looks at `call.errno`.
 */
export class Call {
  /** What to return after a refusal: Failed, or Interrupted while a question waits. */
  status: Status = Status.Done;
  /** Of the last method that was refused or not; None if it was not. */
  errno: Errno = Errno.None;

  private code: string = "";
  private message: string = "";
  private retryUS: i64 = 0;
  private keep: bool = false;
  private extra: Writer | null = null;

  /** Says why the call is about to fail: a code for retry policies and on_error edges, a message for people. */
  fail(code: string, message: string): Status {
    this.code = code;
    this.message = message;
    this.retryUS = 0;
    this.keep = false;
    this.extra = null;
    if (this.status != Status.Interrupted) this.status = Status.Failed;
    return Status.Failed;
  }

  /** Like fail, and no retry can help: the input itself is wrong. */
  fatal(code: string, message: string): Status {
    this.fail(code, message);
    this.retryUS = -1;
    return Status.Failed;
  }

  /** After fail: ask for a retry, not before us microseconds have passed. */
  retryAfter(us: i64): void {
    this.retryUS = us > 0 ? us : 0;
  }

  /** After fail: what was written to the output counts all the same. */
  keepOutput(): void {
    this.keep = true;
  }

  /** After fail: data for programs. */
  details(json: Writer): void {
    this.extra = json;
  }

  /**
   * Asks a person. The first time, the answer is null: return call.status at once, and the
   * task ends until somebody has answered; then it runs again from its beginning and ask
   * gives the answer. Questions must be the same, in the same order, each time. Needs
   * `interrupts: true` on the node.
   */
  ask(question: Writer): Value | null {
    const n = v1.interrupt(question.pointer, question.size);
    if (n == -<i32>Errno.Pending) {
      this.errno = Errno.Pending;
      this.status = Status.Interrupted;
      return null;
    }
    if (!this.check("interrupt", n)) return null;
    const bytes = this.read("answer_read", v1.answerRead, n);
    return bytes === null ? null : this.parse("answer", bytes);
  }

  /** Names a node that runs next; the graph must have an edge that allows it. */
  routeTo(node: string): bool {
    const name = String.UTF8.encode(node);
    return this.check("route_to", v1.routeTo(changetype<usize>(name), name.byteLength));
  }

  /** Makes a task of node with an input of its own, which it finds in "item". */
  routeSend(node: string, item: Writer): bool {
    const name = String.UTF8.encode(node);
    return this.check("route_send", v1.routeSend(changetype<usize>(name), name.byteLength, item.pointer, item.size));
  }

  /** Which task this is: the object that the ABI describes under meta_read. */
  meta(): Value | null {
    const bytes = this.read("meta_read", v1.metaRead, 512);
    return bytes === null ? null : this.parse("meta", bytes);
  }

  /** n random bytes; needs the grant random. */
  random(n: i32): Uint8Array | null {
    const bytes = new Uint8Array(n);
    return n == 0 || this.check("random", v1.random(bytes.dataStart, n)) ? bytes : null;
  }

  /** Microseconds since 1970: real with the grant clock, else a virtual time that moves on with each reading. */
  now(): i64 {
    return v1.clockNow();
  }

  /** One line to the task's log. Never fails: what is over the limit is cut, and counted. */
  log(level: Level, message: string): void {
    const text = String.UTF8.encode(message);
    v1.log(level, changetype<usize>(text), text.byteLength);
  }

  /** Whether lines of this level are kept: ask before building a costly one. */
  logEnabled(level: Level): bool {
    return v1.logEnabled(level) > 0;
  }

  /** Reads a VALUE result: a buffer of the right size needs one call. Null if refused. */
  read(name: string, from: (buf: usize, cap: u32) => i32, size: i32): ArrayBuffer | null {
    while (true) {
      const buf = new ArrayBuffer(size);
      const n = from(changetype<usize>(buf), size);
      if (!this.check(name, n)) return null;
      if (n == size) return buf;
      if (n < size) return buf.slice(0, n);
      size = n;
    }
  }

  /** Makes a negative result the call's failure. */
  check(name: string, result: i32): bool {
    this.errno = Errno.None;
    if (result >= 0) return true;
    this.errno = result < -<i32>Errno.Pending ? Errno.Internal : <Errno>-result;
    const text = lastError();
    this.fail(errnoName(this.errno), name + ": " + errnoName(this.errno) + (text.length > 0 ? ": " + text : ""));
    return false;
  }

  /** Writes the output; nothing written is no output. */
  write(out: Writer): bool {
    return out.size == 0 || this.check("output_write", v1.outputWrite(out.pointer, out.size));
  }

  /** Tells the host why; when it refuses even that, the status alone says it. */
  report(out: Writer | null): Status {
    if (this.keep && out !== null) {
      const said = this.code + ": " + this.message;
      if (!this.write(out)) this.log(Level.Error, said);
    }
    if (this.code.length > 0) {
      const w = new Writer().object().key("code").text(this.code).key("message").text(this.message);
      const extra = this.extra;
      if (extra !== null) w.key("details").value(new Document("details", copy(extra)).root);
      if (this.keep) w.key("keep_output").bool(true);
      w.end();
      v1.fail(w.pointer, w.size, this.retryUS);
    }
    return Status.Failed;
  }

  private parse(name: string, bytes: ArrayBuffer): Value | null {
    const doc = new Document(name, bytes);
    if (doc.offset < 0) return doc.root;
    this.fatal("bad_" + name, name + ": offset " + doc.offset.toString() + ": not JSON");
    return null;
  }
}

function copy(w: Writer): ArrayBuffer {
  const bytes = new ArrayBuffer(w.size);
  memory.copy(changetype<usize>(bytes), w.pointer, w.size);
  return bytes;
}

/** The host's explanation of its last refusal; may be empty. */
function lastError(): string {
  let size = 256;
  while (true) {
    const buf = new ArrayBuffer(size);
    const n = v1.lastError(changetype<usize>(buf), size);
    if (n < 0) return "";
    if (n <= size) return String.UTF8.decodeUnsafe(changetype<usize>(buf), n);
    size = n;
  }
}
