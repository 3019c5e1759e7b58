// Tests of the check under node. A case of testdata/cases.txt is
//
//   # name
//   input JSON
//   output JSON      byte for byte

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { load, run } from "@dashhost/sdk/testing";

const node = await load(new URL("../../target/deps.wasm", import.meta.url));

function cases() {
  const text = readFileSync(new URL("../testdata/cases.txt", import.meta.url), "utf8");
  return text.split("\n\n").filter((c) => c !== "").map((c) => {
    const [name, input, output, ...rest] = c.split("\n");
    assert.ok(name.startsWith("# ") && input.startsWith("input ") && output.startsWith("output ") && rest.every((l) => l === ""), c);
    return { name: name.slice(2), input: input.slice(6), output: output.slice(7) };
  });
}

test("every case gives its findings", () => {
  const all = cases();
  assert.ok(all.length > 100);
  for (const c of all) {
    const got = run(node, { input: c.input });
    assert.equal(got.output, c.output, c.name);
    assert.equal(got.failure, null, c.name);
  }
});

test("every rule has a case", () => {
  const rules = new Set(cases().flatMap((c) => (JSON.parse(c.output).findings ?? []).map((f) => f.rule)));
  assert.deepEqual([...rules].sort(), [
    "cargo-any-version", "cargo-git", "cargo-patch", "cargo-path", "cargo-registry", "downgrade", "go-incompatible", "go-pseudo-version", "go-replace-fork",
    "go-replace-path", "go-replace-version", "lock-only", "lock-registry", "name-near", "npm-alias", "npm-any-version", "npm-install-script", "npm-override",
    "npm-path", "npm-registry", "npm-url", "pip-index", "pip-path", "pip-trusted-host", "pip-unpinned", "pip-url",
  ]);
});

test("ids are SHA-256 of rule, path and content", () => {
  for (const length of [1, 30, 31, 32, 33, 40, 94, 95, 96, 200]) {
    const line = "django" + "x".repeat(length);
    const input = JSON.stringify({ item: [{ path: "requirements.txt", hunks: [{ line: 1, text: "+" + line }] }] });
    const [finding] = JSON.parse(run(node, { input }).output).findings;
    const want = createHash("sha256").update(`pip-unpinned\0requirements.txt\0${line}\0`).digest("hex").slice(0, 16);
    assert.equal(finding.id, want);
  }
});

test("input and configuration are checked", () => {
  assert.equal(run(node, { input: "{}" }).failure.code, "bad_input");
  assert.equal(run(node, { input: '{"item":[{"path":7}]}' }).failure.message, "input: offset 17: want a string, found a number");
  assert.equal(run(node, { input: '{"item":[]}', config: '{"x":1}' }).failure.message, "config: this node takes none");
});

test("a lock file of many lines", () => {
  const text = '      "resolved": "https://evil.example/x.tgz",\n'.repeat(50000);
  const got = run(node, { input: JSON.stringify({ item: [{ path: "package-lock.json", added: [{ line: 1, text }] }] }) });
  assert.deepEqual(JSON.parse(got.output).findings.map((f) => f.rule), ["lock-registry", "lock-only"]);
});
