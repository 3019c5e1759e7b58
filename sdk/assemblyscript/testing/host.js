// A host in memory: runs a compiled node under node, without dashhost.
//
//   const node = await load("target/greet.wasm");
//   assert.equal(run(node, {input: `{"name":"ada"}`}).output, `{"greeting":"hello ada"}`);
//
// It answers what a node may see and keeps what it did. It checks no grants and no
// limits, except what `refuse` names: those are the real host's.

import { readFile } from "node:fs/promises";

/** The error numbers of the ABI. */
export const errno = {
  invalid: 1, not_found: 2, denied: 3, conflict: 4, too_large: 5, limited: 6, unavailable: 7,
  timeout: 8, full: 10, corrupt: 11, unsupported: 12, internal: 13, pending: 14,
};

/** Compiles the wasm in a file. */
export async function load(file) {
  return new WebAssembly.Module(await readFile(file));
}

/**
 * Starts a new instance of the node and runs one task.
 *
 * task: input (text or bytes), config, meta (texts), answers (of questions, in order),
 *       nowUS (BigInt, default 2026-01-01), refuse ({function: errno})
 * result: status (0 done, 1 failed, 2 interrupted), started, output, failure (parsed, with
 *       retryUS), routes, sends, asked, log (lists), trapped (an Error)
 */
export function run(node, task = {}) {
  const host = new Host(task);
  const instance = new WebAssembly.Instance(node, { dash_v1: host.functions() });
  host.memory = instance.exports.memory;
  return host.run(instance.exports);
}

const bytes = (v) => (typeof v === "string" ? new TextEncoder().encode(v) : v);

class Host {
  constructor(task) {
    this.task = task;
    this.input = bytes(task.input ?? "");
    this.config = bytes(task.config ?? "");
    this.meta = bytes(task.meta ?? "{}");
    this.now = task.nowUS ?? 1767225600000000n;
    this.error = "";
    this.answer = null;
    this.result = { status: 0, started: false, output: null, failure: null, routes: [], sends: [], asked: [], log: [], trapped: null };
  }

  run(exports) {
    const r = this.result;
    try {
      r.status = exports.dash_start(this.config.length);
      r.started = r.status === 0;
      if (r.started) r.status = exports.dash_run(this.input.length);
    } catch (e) {
      if (!(e instanceof WebAssembly.RuntimeError)) throw e;
      r.trapped = e;
    }
    return r;
  }

  /** A view of the guest's memory; a range outside of it throws, as it traps in the host. */
  view(ptr, len) {
    return new Uint8Array(this.memory.buffer, len === 0 ? 0 : ptr >>> 0, len >>> 0);
  }

  text(ptr, len) {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.view(ptr, len));
  }

  refuse(name, why, text) {
    this.error = `${name}: ${text}`;
    return -why;
  }

  /** A VALUE: all or nothing, always the full length. */
  give(value, buf, cap) {
    if (value.length <= cap >>> 0) this.view(buf, value.length).set(value);
    return value.length;
  }

  json(name, text) {
    try {
      return { value: JSON.parse(text) };
    } catch {
      this.error = `${name}: not JSON`;
      return null;
    }
  }

  functions() {
    const r = this.result;
    const table = {
      input_read: (buf, cap) => this.give(this.input, buf, cap),
      config_read: (buf, cap) => this.give(this.config, buf, cap),
      meta_read: (buf, cap) => this.give(this.meta, buf, cap),
      output_write: (ptr, len) => {
        const text = this.text(ptr, len);
        const v = this.json("output_write", text)?.value;
        if (v === null || typeof v !== "object" || Array.isArray(v)) return this.refuse("output_write", errno.invalid, "want a JSON object");
        r.output = text;
        return 0;
      },
      fail: (ptr, len, retryUS) => {
        const text = this.text(ptr, len);
        r.failure = { ...(this.json("fail", text)?.value ?? { code: "failed", message: text }), retryUS };
        return 0;
      },
      last_error: (buf, cap) => this.give(bytes(this.error), buf, cap),
      route_to: (ptr, len) => {
        r.routes.push(this.text(ptr, len));
        return 0;
      },
      route_send: (nptr, nlen, iptr, ilen) => {
        const input = this.text(iptr, ilen);
        if (!this.json("route_send", input)) return -errno.invalid;
        r.sends.push({ node: this.text(nptr, nlen), input });
        return 0;
      },
      interrupt: (ptr, len) => {
        const question = this.text(ptr, len);
        if (!this.json("interrupt", question)) return -errno.invalid;
        const answer = this.task.answers?.[r.asked.length];
        r.asked.push(question);
        if (answer === undefined) return this.refuse("interrupt", errno.pending, "no answer yet");
        this.answer = bytes(answer);
        return this.answer.length;
      },
      answer_read: (buf, cap) =>
        this.answer === null ? this.refuse("answer_read", errno.not_found, "no question was answered") : this.give(this.answer, buf, cap),
      clock_now: () => ++this.now,
      random: (buf, len) => {
        crypto.getRandomValues(this.view(buf, len));
        return 0;
      },
    };
    for (const [name, f] of Object.entries(table)) {
      table[name] = (...args) => {
        const why = this.task.refuse?.[name];
        return why === undefined ? f(...args) : this.refuse(name, why, "refused by the test");
      };
    }
    table.log = (level, ptr, len) => void r.log.push({ level, text: this.text(ptr, len) });
    table.log_enabled = () => 1;
    return table;
  }
}
