import assert from "node:assert/strict";
import { test } from "node:test";
import { load, run } from "@dashhost/sdk/testing";

const node = await load(new URL("../../target/four.wasm", import.meta.url));

test("blanks are found", () => {
  const input = '{"files":[{"path":"é","size":9007199254740993,"added":[{"line":7,"text":"x\\u3000\\t\\r\\ny\\r\\n \\n"}]}]}';
  const want =
    '{"found":[{"path":"é","line":7,"column":2,"excerpt":"x\u3000\\t","size":9007199254740993},' +
    '{"path":"é","line":9,"column":1,"excerpt":" ","size":9007199254740993}]}';
  assert.equal(run(node, { input, config: '{"to":"found"}' }).output, want);
  assert.equal(run(node, { input, config: "{}" }).started, false);
});
