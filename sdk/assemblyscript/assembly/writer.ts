import { Value } from "./value";

/**
 * Writes JSON; commas and colons come by themselves, calls can be chained:
 *
 *     out.object().key("greeting").text("hello").end();
 *
 * Calls in an order that makes no JSON give what the host refuses, and the task fails
 * with the place.
 */
export class Writer {
  private buf: ArrayBuffer = new ArrayBuffer(256);
  private len: i32 = 0;
  private comma: bool = false; // a value stands before: the next one needs a comma
  private closers: u8[] = [];

  /** Begins an object; `end` closes it. */
  object(): Writer {
    return this.open(0x7b, 0x7d);
  }

  /** Begins an array; `end` closes it. */
  array(): Writer {
    return this.open(0x5b, 0x5d);
  }

  /** Closes the object or array that was begun last. */
  end(): Writer {
    this.byte(this.closers.length > 0 ? this.closers.pop() : 0x7d);
    this.comma = true;
    return this;
  }

  /** The name of the member that comes next. */
  key(name: string): Writer {
    this.begin();
    this.quote(name);
    this.byte(0x3a);
    this.comma = false;
    return this;
  }

  text(s: string): Writer {
    this.begin();
    this.quote(s);
    return this;
  }

  int(n: i64): Writer {
    return this.word(n.toString());
  }

  /** A number; null if it is not finite. */
  float(n: f64): Writer {
    if (!isFinite(n)) return this.null();
    const s = n.toString();
    return this.word(s.endsWith(".0") ? s.substring(0, s.length - 2) : s);
  }

  bool(b: bool): Writer {
    return this.word(b ? "true" : "false");
  }

  null(): Writer {
    return this.word("null");
  }

  /** A value as it was read: a number keeps every digit. null if it is absent. */
  value(v: Value): Writer {
    if (v.size == 0) return this.null();
    this.begin();
    memory.copy(this.room(v.size), v.pointer, v.size);
    this.len += v.size;
    return this;
  }

  /** What is written so far: where it is in memory, and how many bytes. */
  get pointer(): usize {
    return changetype<usize>(this.buf);
  }
  get size(): i32 {
    return this.len;
  }

  private open(bracket: u8, closer: u8): Writer {
    this.begin();
    this.byte(bracket);
    this.closers.push(closer);
    this.comma = false;
    return this;
  }

  private begin(): void {
    if (this.comma) this.byte(0x2c);
    this.comma = true;
  }

  private word(s: string): Writer {
    this.begin();
    for (let i = 0; i < s.length; i++) this.byte(<u8>s.charCodeAt(i));
    return this;
  }

  /** Makes room for n bytes and gives the place of the first. */
  private room(n: i32): usize {
    const need = <i64>this.len + n;
    if (need > this.buf.byteLength) {
      assert(need <= i32.MAX_VALUE / 2, "JSON of more than 1 GiB");
      const larger = new ArrayBuffer(<i32>need * 2);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.buf), this.len);
      this.buf = larger;
    }
    return changetype<usize>(this.buf) + this.len;
  }

  private byte(c: u8): void {
    store<u8>(this.room(1), c);
    this.len++;
  }

  /** A string with escapes; half of a surrogate pair becomes U+FFFD. */
  private quote(s: string): void {
    const units = s.length;
    const first = this.room(units * 6 + 2); // an escape is the longest: 6 bytes a unit
    let out = first;
    store<u8>(out++, 0x22);
    for (let i = 0; i < units; i++) {
      let c = <u32>s.charCodeAt(i);
      if (c >= 0x20 && c < 0x80 && c != 0x22 && c != 0x5c) {
        store<u8>(out++, <u8>c);
        continue;
      }
      if (c < 0x80) {
        out = escape(out, c);
        continue;
      }
      if (c >= 0xd800 && c < 0xe000) {
        const low = c < 0xdc00 && i + 1 < units ? <u32>s.charCodeAt(i + 1) : 0;
        if (low >= 0xdc00 && low < 0xe000) {
          c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
          i++;
        } else {
          c = 0xfffd;
        }
      }
      out = utf8(out, c);
    }
    store<u8>(out++, 0x22);
    this.len += <i32>(out - first);
  }
}

function escape(out: usize, c: u32): usize {
  let letter: u32 = 0;
  switch (c) {
    case 0x22: case 0x5c: letter = c; break;
    case 0x08: letter = 0x62; break;
    case 0x0c: letter = 0x66; break;
    case 0x0a: letter = 0x6e; break;
    case 0x0d: letter = 0x72; break;
    case 0x09: letter = 0x74; break;
  }
  store<u8>(out, 0x5c);
  if (letter != 0) {
    store<u8>(out + 1, <u8>letter);
    return out + 2;
  }
  store<u8>(out + 1, 0x75);
  store<u8>(out + 2, 0x30);
  store<u8>(out + 3, 0x30);
  store<u8>(out + 4, hex(c >> 4));
  store<u8>(out + 5, hex(c & 15));
  return out + 6;
}

function hex(n: u32): u8 {
  return <u8>(n < 10 ? 0x30 + n : 0x57 + n);
}

function utf8(out: usize, c: u32): usize {
  if (c < 0x800) {
    store<u8>(out++, <u8>(0xc0 | (c >> 6)));
  } else if (c < 0x10000) {
    store<u8>(out++, <u8>(0xe0 | (c >> 12)));
    store<u8>(out++, <u8>(0x80 | ((c >> 6) & 0x3f)));
  } else {
    store<u8>(out++, <u8>(0xf0 | (c >> 18)));
    store<u8>(out++, <u8>(0x80 | ((c >> 12) & 0x3f)));
    store<u8>(out++, <u8>(0x80 | ((c >> 6) & 0x3f)));
  }
  store<u8>(out++, <u8>(0x80 | (c & 0x3f)));
  return out;
}
