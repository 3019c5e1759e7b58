// What checks write: findings. The Go, Rust and C nodes have the same; all are tested
// against the same ids.
import { Writer } from "@dashhost/sdk/assembly";
import { File, isFixture } from "./change";
import { sha256 } from "./sha256";
import { before, isSpace, lower, trim } from "./text";

export const HIGH = "high";
export const MEDIUM = "medium";
export const LOW = "low";

/** What a rule found in a line of the new file; line 0 is the file as a whole. */
export class Hit {
  text: string;

  constructor(
    public rule: string,
    public severity: string,
    public line: i64,
    text: string,
    public message: string,
  ) {
    this.text = trim(text);
  }
}

/**
 * Identifies a finding over pushes: 16 hex digits of SHA-256 over rule, path and the
 * offending content, each ended by a zero byte. The line number is not in it.
 */
export function id(rule: string, path: string, content: string): string {
  const digest = sha256(String.UTF8.encode(rule + "\0" + path + "\0" + content + "\0"));
  let hex = "";
  for (let i = 0; i < 8; i++) hex += ("0" + (<u32>digest[i]).toString(16)).slice(-2);
  return hex;
}

/** Writes one finding. */
export function report(file: File, hit: Hit, out: Writer): void {
  out.object();
  out.key("id").text(id(hit.rule, file.path, hit.text));
  out.key("rule").text(hit.rule);
  out.key("severity").text(isFixture(lower(file.path)) ? LOW : hit.severity);
  out.key("path").text(file.path);
  if (hit.line != 0) out.key("line").int(hit.line);
  out.key("message").text(hit.message);
  const shown = excerpt(withoutPassword(hit.text));
  if (shown.length > 0) out.key("excerpt").text(shown);
  out.end();
}

/** Makes text printable and short: what has no glyph or moves others becomes "?". */
export function excerpt(text: string): string {
  const s = trim(text);
  let out = "";
  let n = 0;
  for (let i = 0; i < s.length; n++) {
    if (n == 120) return out + "...";
    const c = s.codePointAt(i);
    i += c > 0xffff ? 2 : 1;
    if (c == 0x09) out += " ";
    else if (isHidden(c)) out += "?";
    else out += String.fromCodePoint(c);
  }
  return out;
}

function isHidden(c: i32): bool {
  return (
    c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff
  );
}

/** Cuts user and password out of URLs: an index often has them. */
export function withoutPassword(text: string): string {
  let out = "";
  let rest = text;
  for (let at = rest.indexOf("://"); at >= 0; at = rest.indexOf("://")) {
    out += rest.substring(0, at + 3);
    rest = rest.substring(at + 3);
    let end = 0;
    while (end < rest.length && !isSpace(rest.charCodeAt(end)) && !"/\"'".includes(rest.charAt(end))) end++;
    const host = rest.substring(0, end);
    out += host.substring(host.lastIndexOf("@") + 1);
    rest = rest.substring(end);
  }
  return out + rest;
}

/** The words before a comment mark. */
export function code(text: string, mark: string): string {
  return trim(before(text, mark));
}
