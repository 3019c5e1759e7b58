import { Scanner, hexDigit, skip, skipString } from "./scan";

/** What a value is. */
export enum Kind {
  Absent,
  Null,
  Bool,
  Number,
  String,
  Array,
  Object,
}

function kindName(kind: Kind): string {
  switch (kind) {
    case Kind.Null: return "null";
    case Kind.Bool: return "a boolean";
    case Kind.Number: return "a number";
    case Kind.String: return "a string";
    case Kind.Array: return "an array";
    case Kind.Object: return "an object";
    default: return "nothing";
  }
}

/** A text of JSON, and the first place where it was not what the node read it as. */
export class Document {
  /** "input: offset 12: want a string, found a number"; empty while all is well. */
  fault: string = "";
  /** Offset of the fault if the text is not JSON, else -1. Empty text is no fault. */
  offset: i32 = -1;

  private from: usize = 0;
  private to: usize = 0;

  constructor(public name: string, public bytes: ArrayBuffer) {
    const begin = changetype<usize>(bytes);
    const s = new Scanner(begin, begin + bytes.byteLength);
    s.space();
    this.from = s.at;
    if (bytes.byteLength > 0 && s.value()) {
      this.to = s.at;
      s.space();
    }
    if (s.at < s.end || (bytes.byteLength > 0 && this.to == 0)) {
      this.offset = <i32>(s.at - begin);
      this.to = 0;
    }
  }

  /** The value of the whole text; absent if the text is not JSON or empty. */
  get root(): Value {
    return new Value(this, this.from, this.to == 0 ? this.from : this.to);
  }
}

/**
 * A value inside JSON that was checked. Reading it as something it is not gives an empty
 * value and is remembered: when the node's function returns, the task fails for good with
 * the code `bad_input` and the place of the first one.
 */
export class Value {
  constructor(private doc: Document, private from: usize, private to: usize) {}

  get kind(): Kind {
    if (this.from == this.to) return Kind.Absent;
    switch (load<u8>(this.from)) {
      case 0x7b: return Kind.Object;
      case 0x5b: return Kind.Array;
      case 0x22: return Kind.String;
      case 0x74: case 0x66: return Kind.Bool;
      case 0x6e: return Kind.Null;
      default: return Kind.Number;
    }
  }

  /** Where the bytes are in memory, and how many: for Writer.value. */
  get pointer(): usize {
    return this.from;
  }
  get size(): i32 {
    return <i32>(this.to - this.from);
  }

  /** The JSON as it was written. */
  get raw(): string {
    return String.UTF8.decodeUnsafe(this.from, this.size);
  }

  /** A string; "" if absent or null. */
  get text(): string {
    return this.is(Kind.String, "a string") ? unquote(this.from, this.to) : "";
  }

  /** A whole number of 64 bits; 0 if absent or null. */
  get int(): i64 {
    if (!this.is(Kind.Number, "a whole number")) return 0;
    const negative = load<u8>(this.from) == 0x2d;
    const most: u64 = negative ? 1 << 63 : i64.MAX_VALUE;
    let n: u64 = 0;
    for (let p = this.from + (negative ? 1 : 0); p < this.to; p++) {
      const digit = <u64>load<u8>(p) - 0x30;
      if (digit > 9 || n > (most - digit) / 10) {
        this.fault("a whole number of 64 bits");
        return 0;
      }
      n = n * 10 + digit;
    }
    return negative ? <i64>(0 - n) : <i64>n;
  }

  /** A number; 0 if absent or null. */
  get float(): f64 {
    return this.is(Kind.Number, "a number") ? parseFloat(this.raw) : 0;
  }

  /** A boolean; false if absent or null. */
  get bool(): bool {
    return this.is(Kind.Bool, "a boolean") && load<u8>(this.from) == 0x74;
  }

  /** The first member of that name; absent if there is none, or this is absent or null. */
  get(name: string): Value {
    for (const it = this.members(); it.next(); ) {
      if (it.key == name) return it.value;
    }
    return new Value(this.doc, this.from, this.from);
  }

  /** Walks an array: `for (const it = v.items(); it.next(); ) use(it.value);` */
  items(): Walk {
    return this.is(Kind.Array, "an array") ? new Walk(this.doc, this.from + 1, this.to) : new Walk(this.doc, this.from, this.from);
  }

  /** Walks an object: `for (const it = v.members(); it.next(); ) use(it.key, it.value);` */
  members(): Walk {
    return this.is(Kind.Object, "an object") ? new Walk(this.doc, this.from + 1, this.to) : new Walk(this.doc, this.from, this.from);
  }

  /** The name of the first member that is not in names, null if there is none. */
  unknown(names: string[]): string | null {
    for (const it = this.members(); it.next(); ) {
      if (!names.includes(it.key)) return it.key;
    }
    return null;
  }

  private is(kind: Kind, want: string): bool {
    if (this.kind == kind) return true;
    if (this.kind > Kind.Null) this.fault(want);
    return false;
  }

  private fault(want: string): void {
    if (this.doc.fault.length > 0) return;
    const offset = <i32>(this.from - changetype<usize>(this.doc.bytes));
    this.doc.fault = this.doc.name + ": offset " + offset.toString() + ": want " + want + ", found " + kindName(this.kind);
  }
}

/** What is inside an array or an object, one after the other. */
export class Walk {
  /** Of a member; empty in an array. */
  key: string = "";
  value: Value;

  constructor(private doc: Document, private at: usize, private end: usize) {
    this.value = new Value(doc, at, at);
  }

  next(): bool {
    const s = new Scanner(this.at, this.end);
    s.space();
    if (s.take(0x2c)) s.space();
    const c = s.peek();
    if (c < 0 || c == 0x7d || c == 0x5d) return false;
    if (load<u8>(this.end - 1) == 0x7d) {
      const from = s.at;
      s.at = skipString(from);
      this.key = unquote(from, s.at);
      s.space();
      s.take(0x3a);
      s.space();
    }
    this.at = skip(s.at, this.end);
    this.value = new Value(this.doc, s.at, this.at);
    return true;
  }
}

/** Decodes a string that was checked, quotes included. Half of a surrogate pair becomes U+FFFD. */
function unquote(from: usize, to: usize): string {
  from++;
  to--;
  let p = from;
  while (p < to && load<u8>(p) != 0x5c) p++;
  if (p == to) return String.UTF8.decodeUnsafe(from, to - from);
  const units = new ArrayBuffer(<i32>(to - from) * 2); // no character has more units than bytes
  const first = changetype<usize>(units);
  let out = first;
  for (p = from; p < to; ) {
    const c = load<u8>(p);
    if (c != 0x5c) {
      const next = plain(p, to);
      const piece = String.UTF8.decodeUnsafe(p, next - p);
      memory.copy(out, changetype<usize>(piece), piece.length << 1);
      out += piece.length << 1;
      p = next;
      continue;
    }
    const e = load<u8>(p + 1);
    p += 2;
    let unit: u32 = e;
    switch (e) {
      case 0x62: unit = 0x08; break;
      case 0x66: unit = 0x0c; break;
      case 0x6e: unit = 0x0a; break;
      case 0x72: unit = 0x0d; break;
      case 0x74: unit = 0x09; break;
      case 0x75:
        unit = hex4(p);
        p += 4;
        if (unit >= 0xd800 && unit < 0xe000) {
          const low = unit < 0xdc00 && to - p >= 6 && load<u8>(p) == 0x5c && load<u8>(p + 1) == 0x75 ? hex4(p + 2) : 0;
          if (low >= 0xdc00 && low < 0xe000) {
            store<u16>(out, <u16>unit);
            out += 2;
            unit = low;
            p += 6;
          } else {
            unit = 0xfffd;
          }
        }
        break;
    }
    store<u16>(out, <u16>unit);
    out += 2;
  }
  return String.UTF16.decodeUnsafe(first, out - first);
}

/** The end of the run without escapes that begins at p. */
function plain(p: usize, to: usize): usize {
  while (p < to && load<u8>(p) != 0x5c) p++;
  return p;
}

function hex4(p: usize): u32 {
  let r: u32 = 0;
  for (let i: usize = 0; i < 4; i++) r = (r << 4) | <u32>hexDigit(load<u8>(p + i));
  return r;
}
