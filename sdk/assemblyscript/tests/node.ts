// A node that does what "ask" says: what reaches the host, and how failures look.
import { Call, Level, Status, Value, Writer, errnoName, serve } from "../assembly";
export { dash_run, dash_start } from "../assembly";

let prefix = "";

serve(
  (call: Call, input: Value, out: Writer): Status => {
    const ask = input.get("ask").text;
    const value = input.get("value");
    if (ask == "plain") return call.fail("failed", "it broke");
    if (ask == "silent") return Status.Failed;
    if (ask == "nothing") return Status.Done;
    if (ask == "fatal") return call.fatal("bad", "m");
    if (ask == "details") {
      call.fail("busy", "m");
      call.details(new Writer().value(value));
      call.retryAfter(1500000);
      return Status.Failed;
    }
    if (ask == "keep") {
      answer(out, "kept");
      call.fail("findings", "3 high");
      call.keepOutput();
      return Status.Failed;
    }
    if (ask == "routes") {
      if (!call.routeTo("b")) return call.status;
      if (!call.routeSend("c", new Writer().value(value))) return call.status;
      if (call.logEnabled(Level.Info)) call.log(Level.Info, "routed é");
      return Status.Done;
    }
    if (ask == "go on") {
      if (!call.routeTo("b")) answer(out, errnoName(call.errno));
      return Status.Done;
    }
    if (ask == "random") {
      const bytes = call.random(4);
      if (bytes === null) return call.status;
      return answer(out, bytes.length.toString());
    }
    if (ask == "meta") {
      const meta = call.meta();
      if (meta === null) return call.status;
      return answer(out, meta.get("node").text);
    }
    if (ask == "clock") {
      const first = call.now();
      return answer(out, first.toString() + (call.now() > first ? " moves" : " stands"));
    }
    if (ask == "people") {
      const first = call.ask(new Writer().object().key("approve").text("deploy").end());
      if (first === null) return call.status;
      const second = call.ask(new Writer().text("really, " + first.get("by").text + "?"));
      if (second === null) return call.status;
      return answer(out, second.raw);
    }
    if (ask == "swallow") {
      call.ask(new Writer().text("?"));
      call.fail("x", "y");
      return answer(out, "lost");
    }
    if (ask == "bad status") return Status.Interrupted;
    if (ask == "bad json") {
      out.array().end();
      return Status.Done;
    }
    if (ask == "abort") assert(false, "no way");
    if (ask == "types") return types(value, out);
    answer(out, prefix + value.text);
    return ask == "echo" ? Status.Done : call.fail("failed", "ask: unknown");
  },
  (call: Call, config: Value): Status => {
    const unknown = config.unknown(["prefix"]);
    if (unknown !== null) return call.fatal("bad_config", 'config: unknown field "' + unknown + '"');
    prefix = config.get("prefix").text;
    return Status.Done;
  },
);

function answer(out: Writer, text: string): Status {
  out.object().key("answer").text(text).end();
  return Status.Done;
}

function types(value: Value, out: Writer): Status {
  out.object();
  out.key("int").int(value.get("int").int);
  out.key("double").float(value.get("double").float);
  out.key("bool").bool(value.get("bool").bool);
  out.key("raw").value(value.get("raw"));
  out.key("list").array();
  for (const it = value.get("list").items(); it.next(); ) out.value(it.value);
  out.end().key("keys").array();
  for (const it = value.get("map").members(); it.next(); ) out.text(it.key);
  out.end().end();
  return Status.Done;
}
