// Versions of dependencies, compared across a change.
import { Hit, LOW, MEDIUM } from "./finding";
import { isDigits, stripStart } from "./text";

/** Major, minor, patch of the first version in a text such as "^1.2.3" or "v1.2"; null if there is none. */
export function parse(text: string): StaticArray<u64> | null {
  const rest = stripStart(text, "^~=v>< ");
  let end = 0;
  while (end < rest.length && "0123456789.".includes(rest.charAt(end))) end++;
  const parts = rest.substring(0, end).split(".");
  const version = new StaticArray<u64>(3);
  for (let i = 0; i < 3 && i < parts.length; i++) {
    if (!isNumber(parts[i])) return null;
    version[i] = U64.parseInt(parts[i]);
  }
  return version;
}

/** Whether a text is a number of 64 bits. */
function isNumber(digits: string): bool {
  const most = "18446744073709551615";
  if (digits.length == 0 || !isDigits(digits)) return false;
  const plain = stripStart(digits, "0");
  return plain.length < most.length || (plain.length == most.length && plain <= most);
}

/** One dependency of one side of a change. */
export class Dependency {
  constructor(
    public name: string,
    public version: string,
    public line: i64,
    public text: string,
  ) {}
}

/** Below 0 if a is lower in the first n numbers, 0 if both are equal. */
function compare(a: StaticArray<u64>, b: StaticArray<u64>, n: i32): i32 {
  for (let i = 0; i < n; i++) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

/** Dependencies that have a lower version than before: a fix may be undone. */
export function downgrades(removed: Dependency[], added: Dependency[], hits: Hit[]): void {
  const old = new Map<string, Dependency>();
  for (let i = 0; i < removed.length; i++) old.set(removed[i].name, removed[i]);
  for (let i = 0; i < added.length; i++) {
    const d = added[i];
    if (!old.has(d.name)) continue;
    const from = old.get(d.name).version;
    const was = parse(from);
    const is = parse(d.version);
    if (was === null || is === null || compare(is, was, 3) >= 0) continue;
    const message = d.name + " goes back from " + from + " to " + d.version + ": fixes may be undone";
    hits.push(new Hit("downgrade", compare(is, was, 2) < 0 ? MEDIUM : LOW, d.line, d.text, message));
  }
}

/** Those that were not there before, under any version. */
export function fresh(removed: Dependency[], added: Dependency[]): Dependency[] {
  const found: Dependency[] = [];
  for (let i = 0; i < added.length; i++) {
    let moved = false;
    for (let j = 0; j < removed.length && !moved; j++) moved = removed[j].name == added[i].name;
    if (!moved) found.push(added[i]);
  }
  return found;
}
