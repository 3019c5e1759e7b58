// What the rules need to take lines apart. A result of null means: not of this form.

/** White space of Unicode. */
export function isSpace(c: i32): bool {
  return (
    (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
    c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000
  );
}

export function trimStart(s: string): string {
  let from = 0;
  while (from < s.length && isSpace(s.charCodeAt(from))) from++;
  return s.substring(from);
}

export function trimEnd(s: string): string {
  let to = s.length;
  while (to > 0 && isSpace(s.charCodeAt(to - 1))) to--;
  return s.substring(0, to);
}

export function trim(s: string): string {
  return trimStart(trimEnd(s));
}

/** s without the characters of set at its start. */
export function stripStart(s: string, set: string): string {
  let from = 0;
  while (from < s.length && set.includes(s.charAt(from))) from++;
  return s.substring(from);
}

/** s without the characters of set at its end. */
export function stripEnd(s: string, set: string): string {
  let to = s.length;
  while (to > 0 && set.includes(s.charAt(to - 1))) to--;
  return s.substring(0, to);
}

export function afterPrefix(s: string, prefix: string): string | null {
  return s.startsWith(prefix) ? s.substring(prefix.length) : null;
}

export function beforeSuffix(s: string, suffix: string): string | null {
  return s.endsWith(suffix) ? s.substring(0, s.length - suffix.length) : null;
}

/** What stands before the first separator; all of s without one. */
export function before(s: string, separator: string): string {
  const at = s.indexOf(separator);
  return at < 0 ? s : s.substring(0, at);
}

/** What stands behind the first separator; null without one. */
export function behind(s: string, separator: string): string | null {
  const at = s.indexOf(separator);
  return at < 0 ? null : s.substring(at + separator.length);
}

/** Pieces between white space, none of them empty. */
export function words(s: string): string[] {
  const found: string[] = [];
  let from = -1;
  for (let i = 0; i <= s.length; i++) {
    const inside = i < s.length && !isSpace(s.charCodeAt(i));
    if (inside && from < 0) from = i;
    if (!inside && from >= 0) {
      found.push(s.substring(from, i));
      from = -1;
    }
  }
  return found;
}

export function startsWithAny(s: string, prefixes: string[]): bool {
  for (let i = 0; i < prefixes.length; i++) {
    if (s.startsWith(prefixes[i])) return true;
  }
  return false;
}

/** s behind the first of the prefixes that it starts with; null if it starts with none. */
export function afterAny(s: string, prefixes: string[]): string | null {
  for (let i = 0; i < prefixes.length; i++) {
    if (s.startsWith(prefixes[i])) return s.substring(prefixes[i].length);
  }
  return null;
}

export function isDigit(c: i32): bool {
  return c >= 0x30 && c <= 0x39;
}

export function isAlphanumeric(c: i32): bool {
  return isDigit(c) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
}

export function isHex(s: string): bool {
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i) | 0x20;
    if (!isDigit(s.charCodeAt(i)) && !(c >= 0x61 && c <= 0x66)) return false;
  }
  return true;
}

export function isDigits(s: string): bool {
  for (let i = 0; i < s.length; i++) {
    if (!isDigit(s.charCodeAt(i))) return false;
  }
  return true;
}

/** s with A to Z made small. */
export function lower(s: string): string {
  let out = "";
  let from = 0;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c < 0x41 || c > 0x5a) continue;
    out += s.substring(from, i) + String.fromCharCode(c | 0x20);
    from = i + 1;
  }
  return out + s.substring(from);
}
