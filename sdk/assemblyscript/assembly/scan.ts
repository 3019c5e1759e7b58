// A check of JSON (RFC 8259, UTF-8, at most 512 levels) in one pass, without building values.

const MAX_DEPTH: i32 = 512;

/** Walks over the bytes from `at` to `end`; nothing behind `end` is read. */
export class Scanner {
  depth: i32 = 0;

  constructor(public at: usize, public end: usize) {}

  peek(): i32 {
    return this.at < this.end ? <i32>load<u8>(this.at) : -1;
  }

  take(c: i32): bool {
    if (this.peek() != c) return false;
    this.at++;
    return true;
  }

  space(): void {
    for (let c = this.peek(); c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09; c = this.peek()) this.at++;
  }

  /** Checks one value and stops behind it, or stops at the fault. */
  value(): bool {
    this.space();
    switch (this.peek()) {
      case 0x7b: return this.container(0x7d);
      case 0x5b: return this.container(0x5d);
      case 0x22: return this.string();
      case 0x74: return this.word("true");
      case 0x66: return this.word("false");
      case 0x6e: return this.word("null");
      default: return this.number();
    }
  }

  private container(closer: i32): bool {
    this.at++;
    if (++this.depth > MAX_DEPTH) return false;
    this.space();
    if (!this.take(closer)) {
      do {
        this.space();
        if (closer == 0x7d) {
          if (!this.string()) return false;
          this.space();
          if (!this.take(0x3a)) return false;
        }
        if (!this.value()) return false;
        this.space();
      } while (this.take(0x2c));
      if (!this.take(closer)) return false;
    }
    this.depth--;
    return true;
  }

  private word(w: string): bool {
    for (let i = 0; i < w.length; i++) {
      if (!this.take(w.charCodeAt(i))) return false;
    }
    return true;
  }

  private digits(): bool {
    const from = this.at;
    for (let c = this.peek(); c >= 0x30 && c <= 0x39; c = this.peek()) this.at++;
    return this.at > from;
  }

  private number(): bool {
    this.take(0x2d);
    if (!this.take(0x30) && !this.digits()) return false;
    if (this.take(0x2e) && !this.digits()) return false;
    if (this.take(0x65) || this.take(0x45)) {
      if (!this.take(0x2b)) this.take(0x2d);
      return this.digits();
    }
    return true;
  }

  private string(): bool {
    if (!this.take(0x22)) return false;
    while (this.at < this.end) {
      const c = load<u8>(this.at);
      if (c == 0x22) {
        this.at++;
        return true;
      }
      if (c < 0x20) return false;
      if (c == 0x5c) {
        this.at++;
        if (!this.escape()) return false;
      } else {
        const n: usize = c < 0x80 ? 1 : sequence(this.at, this.end);
        if (n == 0) return false;
        this.at += n;
      }
    }
    return false;
  }

  private escape(): bool {
    const c = this.peek();
    if (c == 0x75) {
      if (this.end - this.at < 5) return false;
      for (let i: usize = 1; i <= 4; i++) {
        if (hexDigit(load<u8>(this.at + i)) < 0) return false;
      }
      this.at += 5;
      return true;
    }
    switch (c) {
      case 0x22: case 0x5c: case 0x2f: case 0x62: case 0x66: case 0x6e: case 0x72: case 0x74:
        this.at++;
        return true;
      default:
        return false;
    }
  }
}

/** The value of a hex digit, -1 for anything else. */
export function hexDigit(c: i32): i32 {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  c |= 0x20;
  return c >= 0x61 && c <= 0x66 ? c - 0x57 : -1;
}

/** The length of the UTF-8 sequence at p, 0 if there is none. Requires a byte of 0x80 or above there. */
function sequence(p: usize, end: usize): usize {
  const first = <u32>load<u8>(p);
  const n: usize = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || end - p < n) return 0;
  let r = first & (0x7f >> <u32>n);
  for (let i: usize = 1; i < n; i++) {
    const c = <u32>load<u8>(p + i);
    if ((c & 0xc0) != 0x80) return 0;
    r = (r << 6) | (c & 0x3f);
  }
  if ((n == 3 && r < 0x800) || (n == 4 && r < 0x10000)) return 0;
  return r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff) ? 0 : n;
}

/** The end of the string at p, in text that was checked. */
export function skipString(p: usize): usize {
  for (p++; load<u8>(p) != 0x22; p++) {
    if (load<u8>(p) == 0x5c) p++;
  }
  return p + 1;
}

/** The end of the value at p, in text that was checked. */
export function skip(p: usize, end: usize): usize {
  let c = load<u8>(p);
  if (c == 0x22) return skipString(p);
  if (c != 0x7b && c != 0x5b) {
    for (; p < end; p++) {
      c = load<u8>(p);
      if (c == 0x2c || c == 0x5d || c == 0x7d || c <= 0x20) break;
    }
    return p;
  }
  let depth = 0;
  while (true) {
    c = load<u8>(p);
    if (c == 0x22) {
      p = skipString(p);
      continue;
    }
    p++;
    if (c == 0x7b || c == 0x5b) depth++;
    else if ((c == 0x7d || c == 0x5d) && --depth == 0) return p;
  }
}
