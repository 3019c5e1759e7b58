// Cargo.toml
import { File, Line, Side } from "./change";
import { HIGH, Hit, LOW, MEDIUM, code } from "./finding";
import { CRATES, near } from "./name";
import { afterPrefix, before, beforeSuffix, behind, stripEnd, stripStart, trim } from "./text";
import { Dependency, downgrades, fresh, parse } from "./version";

export function checkCargo(file: File, hits: Hit[]): void {
  const removed: Dependency[] = [];
  const added: Dependency[] = [];
  let section: string | null = null;
  const lines = file.lines();
  for (let i = 0; i < lines.length; i++) {
    const l = lines[i];
    if (l.first) section = null;
    const line = trim(l.text);
    const name = table(line);
    if (name !== null) {
      if (l.side != Side.Removed) section = name;
      if (l.side == Side.Added && isPatched(name)) {
        hits.push(new Hit("cargo-patch", HIGH, l.number, l.text, "[" + name + "] replaces crates for the whole build"));
      }
      continue;
    }
    const rest = behind(line, "=");
    if (rest === null) continue;
    const key = stripEnd(stripStart(trim(before(line, "=")), '"'), '"');
    const value = trim(rest);
    const d = dependency(section, key, value, l);
    if (l.side == Side.Added) judge(file, l, section, key, value, hits);
    if (d !== null && l.side == Side.Added) added.push(d);
    if (d !== null && l.side == Side.Removed) removed.push(d);
  }
  near(fresh(removed, added), CRATES, hits);
  downgrades(removed, added, hits);
}

/** The name in a line [name] or [[name]]. */
function table(line: string): string | null {
  const open = afterPrefix(code(line, "#"), "[");
  if (open === null) return null;
  const name = beforeSuffix(open, "]");
  return name === null ? null : trim(stripEnd(stripStart(name, "[]"), "[]"));
}

function isPatched(section: string): bool {
  return section == "replace" || section.startsWith("patch.");
}

/** Whether a table lists dependencies; one of a single dependency does not. */
function isOfDependencies(section: string | null): bool {
  return section !== null && section.endsWith("dependencies");
}

function dependency(section: string | null, name: string, value: string, l: Line): Dependency | null {
  const ofPackage = ["version", "edition", "rust-version", "resolver", "name"];
  const perhaps = section === null && !ofPackage.includes(name);
  if ((!isOfDependencies(section) && !perhaps) || name.includes(".")) return null;
  let version = quoted(value);
  if (version === null) version = inline(value, "version");
  return version === null || parse(version) === null ? null : new Dependency(name, version, l.number, l.text);
}

/** The text of a value that is a string. */
function quoted(value: string): string | null {
  const open = afterPrefix(value, '"');
  return open === null ? null : before(open, '"');
}

/** A member of an inline table. */
function inline(value: string, member: string): string | null {
  const inside = afterPrefix(value, "{");
  if (inside === null) return null;
  const pairs = inside.split(",");
  for (let i = 0; i < pairs.length; i++) {
    const rest = behind(pairs[i], "=");
    if (rest === null || trim(before(pairs[i], "=")) != member) continue;
    const text = quoted(trim(rest));
    if (text !== null) return text;
  }
  return null;
}

/** A member of an inline table, or the whole value if the key is that member. */
function get(key: string, value: string, member: string): string | null {
  const text = inline(value, member);
  return text === null && key == member ? quoted(value) : text;
}

function judge(file: File, l: Line, section: string | null, key: string, value: string, hits: Hit[]): void {
  if (section !== null) {
    if (isPatched(section)) {
      hits.push(new Hit("cargo-patch", HIGH, l.number, l.text, key + " is replaced for the whole build"));
      return;
    }
    if (!isOfDependencies(section) && !section.includes("dependencies.")) return;
  }
  if (get(key, value, "git") !== null) {
    const fixed = inline(value, "rev") !== null;
    const what = fixed ? "at a commit" : "at whatever is newest there";
    hits.push(new Hit("cargo-git", fixed ? LOW : MEDIUM, l.number, l.text, key + " comes from git, " + what + ", not from the registry"));
    return;
  }
  if (get(key, value, "registry") !== null || get(key, value, "registry-index") !== null) {
    hits.push(new Hit("cargo-registry", MEDIUM, l.number, l.text, key + " comes from another registry"));
    return;
  }
  const path = get(key, value, "path");
  if (path !== null && isOutside(file.path, path)) {
    hits.push(new Hit("cargo-path", MEDIUM, l.number, l.text, key + " comes from " + path + ", outside the repository"));
    return;
  }
  let version = isOfDependencies(section) ? quoted(value) : null;
  if (version === null) version = get(key, value, "version");
  if (version !== null && trim(version) == "*") {
    hits.push(new Hit("cargo-any-version", MEDIUM, l.number, l.text, key + " is whatever version is newest"));
  }
}

/** Whether a path leaves the repository, seen from the manifest. */
function isOutside(manifest: string, path: string): bool {
  let depth = manifest.split("/").length - 1;
  const parts = path.split("/");
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] == "..") {
      if (depth-- == 0) return true;
    } else if (parts[i] != "" && parts[i] != ".") {
      depth++;
    }
  }
  return path.startsWith("/");
}
