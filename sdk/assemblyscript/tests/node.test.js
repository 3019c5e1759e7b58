import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errno, load, run } from "../testing/host.js";

const node = await load(new URL("../target/node.wasm", import.meta.url));
const ask = (what, value = "null", task = {}) => run(node, { input: `{"ask":"${what}","value":${value}}`, ...task });

test("what is written is the output", () => {
  const got = ask("echo", '"ada"');
  assert.deepEqual([got.status, got.output, got.failure], [0, '{"answer":"ada"}', null]);
  assert.deepEqual([ask("nothing").status, ask("nothing").output], [0, null]);
});

test("failures reach the host", () => {
  assert.deepEqual(ask("plain").failure, { code: "failed", message: "it broke", retryUS: 0n });
  assert.deepEqual(ask("fatal").failure, { code: "bad", message: "m", retryUS: -1n });
  assert.deepEqual(ask("details", "[1,2]").failure, { code: "busy", message: "m", details: [1, 2], retryUS: 1500000n });
  assert.deepEqual(ask("else", '"x"').failure, { code: "failed", message: "ask: unknown", retryUS: 0n });
  const silent = ask("silent");
  assert.deepEqual([silent.status, silent.failure], [1, null]);
  const kept = ask("keep");
  assert.deepEqual([kept.status, kept.output, kept.failure.keep_output], [1, '{"answer":"kept"}', true]);
  assert.equal(ask("bad status").failure.code, "bad_status");
  assert.equal(ask("bad json").failure.code, "invalid");
});

test("refusals keep their name and text", () => {
  const refuse = (what, name, why) => ask(what, "1", { refuse: { [name]: why } });
  assert.deepEqual(refuse("random", "random", errno.denied).failure, { code: "denied", message: "random: denied: random: refused by the test", retryUS: 0n });
  assert.equal(refuse("meta", "meta_read", errno.unavailable).failure.code, "unavailable");
  assert.equal(refuse("types", "output_write", errno.too_large).failure.code, "bad_input");
  assert.equal(refuse("clock", "output_write", errno.too_large).failure.code, "too_large");
  assert.equal(refuse("clock", "input_read", 99).failure.code, "internal");
  assert.equal(refuse("routes", "route_send", errno.limited).failure.code, "limited");
  assert.equal(refuse("go on", "route_to", errno.not_found).output, '{"answer":"not_found"}');
  const kept = refuse("keep", "output_write", errno.too_large);
  assert.deepEqual([kept.failure.code, kept.log], ["too_large", [{ level: 4, text: "findings: 3 high" }]]);
  for (const [name, number] of Object.entries(errno)) {
    assert.equal(refuse("go on", "route_to", number).output, `{"answer":"${name}"}`);
  }
});

test("a call asks the host", () => {
  const got = ask("routes", '{"n":1}');
  assert.deepEqual([got.routes, got.sends, got.log, got.output], [["b"], [{ node: "c", input: '{"n":1}' }], [{ level: 2, text: "routed é" }], null]);
  assert.equal(ask("clock").output, '{"answer":"1767225600000001 moves"}');
  assert.equal(ask("random").output, '{"answer":"4"}');
  const long = "ö".repeat(2000);
  assert.equal(ask("meta", "null", { meta: `{"node":"${long}"}` }).output, `{"answer":"${long}"}`);
});

test("questions end the task until they are answered", () => {
  const deploy = '{"approve":"deploy"}', really = '"really, ada?"', ada = '{"by":"ada"}';
  for (const [answers, status, asked, output] of [
    [undefined, 2, [deploy], null],
    [[ada], 2, [deploy, really], null],
    [[ada, "9007199254740993"], 0, [deploy, really], '{"answer":"9007199254740993"}'],
  ]) {
    const got = ask("people", "1", { answers });
    assert.deepEqual([got.status, got.asked, got.output, got.failure], [status, asked, output, null]);
  }
  const swallowed = ask("swallow");
  assert.deepEqual([swallowed.status, swallowed.output, swallowed.failure], [2, null, null]);
  assert.equal(ask("people", "1", { refuse: { interrupt: errno.denied } }).failure.code, "denied");
  assert.equal(ask("people", "1", { answers: ["{"] }).failure.code, "bad_answer");
});

test("configuration is checked at the start", () => {
  assert.equal(ask("echo", '"a"', { config: ' {"prefix":"hi "} ' }).output, '{"answer":"hi a"}');
  for (const [config, message] of [
    ['{"prefx":1}', 'config: unknown field "prefx"'],
    ['{"prefix":1}', "config: offset 10: want a string, found a number"],
    ['{"prefix":', "config: offset 10: not JSON"],
    ["[]", "config: offset 0: want an object, found an array"],
  ]) {
    const got = ask("echo", '"a"', { config });
    assert.deepEqual([got.started, got.status, got.failure], [false, 1, { code: "bad_config", message, retryUS: -1n }]);
  }
});

test("values keep what they are", () => {
  const all = '{"int":-9223372036854775808,"double":0.1,"bool":true,"raw":9007199254740993.0e0,"list":[1, [2,{}] ,"a,]\\""],"map":{"a":{"b":[]}, "\\u00e9\\n":1}}';
  assert.equal(ask("types", all).output, '{"int":-9223372036854775808,"double":0.1,"bool":true,"raw":9007199254740993.0e0,"list":[1,[2,{}],"a,]\\""],"keys":["a","é\\n"]}');
  assert.equal(ask("types").output, '{"int":0,"double":0,"bool":false,"raw":null,"list":[],"keys":[]}');
  for (const [value, text] of [
    ['{"int":9223372036854775808}', "offset 30: want a whole number of 64 bits, found a number"],
    ['{"int":1.5}', "offset 30: want a whole number of 64 bits, found a number"],
    ['{"int":"1"}', "offset 30: want a whole number, found a string"],
    ['{"bool":0}', "offset 31: want a boolean, found a number"],
    ['{"list":{}}', "offset 31: want an array, found an object"],
    ["7", "offset 23: want an object, found a number"],
  ]) {
    const got = ask("types", value);
    assert.deepEqual([got.failure, got.output], [{ code: "bad_input", message: "input: " + text, retryUS: -1n }, null]);
  }
});

test("strings keep every character", () => {
  for (const [text, want] of [
    ['""', '""'],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001F\\u007f\\u0041"', '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7fA"'],
    ['"\\u00e9\\u20ac\\ud83d\\ude00 é€😀\u2028"', '"é€😀 é€😀\u2028"'],
    ['"\\ud83d"', '"\ufffd"'],
    ['"\\ud83dx\\ude00\\ud83d\\u0041"', '"\ufffdx\ufffd\ufffdA"'],
    [`"${"é\\n".repeat(5000)}"`, `"${"é\\n".repeat(5000)}"`],
  ]) {
    assert.equal(ask("echo", text).output, `{"answer":${want}}`);
  }
});

// The parser of the machine is the oracle: what it takes we take, and nothing else.
test("the reader takes JSON and nothing else", () => {
  const texts = [
    "0", "-0", "10.5e-3", "1E+9", "true", "null", '""', "[]", " [ 1 , 2 ] ", '{"a":{"b":[{}]}}', '["]"]', "", " ", "01", "-", "1.", "1e", "+1", ".5", "tru", "nulll",
    "[1,]", "[1 2]", '{"a"}', "{a:1}", '{"a":1,}', "[", '{"a":', '"a', '"\n"', '"\\x"', '"\\u12g4"', "[]]", "'a'", "1 1", "\ufeff1",
  ];
  const whole = '{"ask":"types","value":{"list":[1.5e3,"\\u00e9\\ud83d\\ude00",null],"map":{"k":true}}}';
  for (let at = 0; at < whole.length; at++) {
    texts.push(whole.slice(0, at), ...[...'"\\{}[],:u0é'].map((c) => whole.slice(0, at) + c + whole.slice(at + 1)));
  }
  for (const text of texts.filter((t) => t !== "")) {
    let valid = true;
    try {
      JSON.parse(text);
    } catch {
      valid = false;
    }
    const got = run(node, { input: text });
    assert.equal(/not JSON/.test(got.failure?.message ?? ""), !valid, text);
    assert.equal(got.trapped, null);
  }
});

test("bytes that are no UTF-8, and nesting without end, are refused", () => {
  for (const bad of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0xe0, 0x80, 0x80], [0xf0, 0x80, 0x80, 0x80]]) {
    const got = run(node, { input: Uint8Array.from([0x22, ...bad, 0x22]) });
    assert.equal(got.failure.message, "input: offset 1: not JSON");
  }
  const nested = (n) => ask("echo", "[".repeat(n - 1) + "]".repeat(n - 1)).failure.message;
  assert.equal(nested(512), "input: offset 22: want a string, found an array");
  assert.match(nested(513), /not JSON/);
});

test("a failed assertion traps, and its text is in the log", () => {
  const got = ask("abort");
  assert.ok(got.trapped);
  assert.match(got.log[0].text, /^no way \(tests\/node\.ts:\d+:\d+\)$/);
});

test("the lock file names no host", () => {
  const lock = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
  assert.doesNotMatch(lock, /"resolved": "[a-z+]+:/);
});
