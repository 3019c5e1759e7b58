// The check of ../README.md in AssemblyScript.
import { Call, Kind, Status, Value, Writer, serve } from "@dashhost/sdk/assembly";
export { dash_run, dash_start } from "@dashhost/sdk/assembly";

let channel = "";

serve(
  (call: Call, input: Value, out: Writer): Status => {
    out.object().key(channel).array();
    for (const file = input.get("files").items(); file.next(); ) {
      const path = file.value.get("path").text;
      const size = file.value.get("size");
      for (const run = file.value.get("added").items(); run.next(); ) {
        const lines = run.value.get("text").text.split("\n");
        const first = run.value.get("line").int;
        for (let i = 0; i < lines.length; i++) check(path, size, first + i, lines[i], out);
      }
    }
    out.end().end();
    return Status.Done;
  },
  (call: Call, config: Value): Status => {
    channel = config.get("to").text;
    return channel.length > 0 ? Status.Done : call.fatal("bad_config", 'config: want {"to": CHANNEL}');
  },
);

function check(path: string, size: Value, number: i64, ended: string, out: Writer): void {
  const line = ended.endsWith("\r") ? ended.substring(0, ended.length - 1) : ended;
  let end = line.length;
  while (end > 0 && " \t\u00a0\u3000".includes(line.charAt(end - 1))) end--;
  if (end == line.length) return;
  out.object().key("path").text(path).key("line").int(number);
  out.key("column").int(characters(line.substring(0, end)) + 1);
  out.key("excerpt").text(last(line, 20));
  if (size.kind > Kind.Null) out.key("size").value(size);
  out.end();
}

function isLow(unit: i32): bool {
  return (unit & 0xfc00) == 0xdc00;
}

/** How many characters: the second half of a pair is none. */
function characters(s: string): i64 {
  let n: i64 = 0;
  for (let i = 0; i < s.length; i++) n += isLow(s.charCodeAt(i)) ? 0 : 1;
  return n;
}

/** The last n characters. */
function last(s: string, n: i32): string {
  let from = s.length;
  for (; from > 0 && n > 0; n--) {
    from--;
    if (from > 0 && isLow(s.charCodeAt(from))) from--;
  }
  return s.substring(from);
}
