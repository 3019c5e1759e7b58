import { Call, Status } from "./call";
import { configRead, inputRead } from "./v1";
import { Document, Kind, Value } from "./value";
import { Writer } from "./writer";

/** One task: input is the object of the channels that the node reads; write that of the channels it writes. */
export type Run = (call: Call, input: Value, out: Writer) => Status;

/** Once per instance: the node's config in the manifest, absent if it has none. May log and fail, nothing else. */
export type Start = (call: Call, config: Value) => Status;

let served: Run | null = null;
let starting: Start | null = null;

/**
 * Makes a function the node of this module; call it once, at the top level. Without start
 * the node takes no config, and refuses to start with one. Functions have no closures in
 * AssemblyScript: what start builds is kept in variables of the module.
 */
export function serve(run: Run, start: Start | null = null): void {
  assert(served === null, "serve: called twice: a module has one node");
  served = run;
  starting = start;
}

function document(call: Call, name: string, read: (buf: usize, cap: u32) => i32, size: i32): Document | null {
  const bytes = call.read(name + "_read", read, size);
  if (bytes === null) return null;
  const doc = new Document(name, bytes);
  if (doc.offset < 0) return doc;
  call.fatal("bad_" + name, name + ": offset " + doc.offset.toString() + ": not JSON");
  return null;
}

/** The export of that name: modules re-export it from the SDK. */
export function dash_start(configLen: i32): i32 {
  const call = new Call();
  const doc = document(call, "config", configRead, configLen);
  if (doc === null) return call.report(null);
  let status = Status.Done;
  const start = starting;
  if (start !== null) {
    status = start(call, doc.root);
  } else if (doc.root.kind > Kind.Null && doc.root.raw != "{}") {
    status = call.fatal("bad_config", "config: this node takes none");
  }
  if (doc.fault.length > 0) status = call.fatal("bad_config", doc.fault);
  return status == Status.Done ? Status.Done : call.report(null);
}

/** The export of that name: modules re-export it from the SDK. */
export function dash_run(inputLen: i32): i32 {
  const call = new Call();
  const run = served;
  if (run === null) {
    call.fatal("no_node", "module: it never calls serve");
    return call.report(null);
  }
  const doc = document(call, "input", inputRead, inputLen);
  if (doc === null) return call.report(null);
  const out = new Writer();
  const status = run(call, doc.root, out);
  if (call.status == Status.Interrupted) return Status.Interrupted;
  if (doc.fault.length > 0) {
    call.fatal("bad_input", doc.fault);
    return call.report(null);
  }
  if (status == Status.Interrupted) {
    call.fatal("bad_status", "run: returned Status.Interrupted, and no question waits");
    return call.report(null);
  }
  if (status != Status.Done) return call.report(out);
  return call.write(out) ? Status.Done : call.report(null);
}
