// requirements*.txt, constraints*.txt
import { File, Line, Side } from "./change";
import { HIGH, Hit, LOW, MEDIUM, code } from "./finding";
import { PYPI, near } from "./name";
import { afterAny, before, behind, isAlphanumeric, isHex, startsWithAny, stripEnd, stripStart, trim } from "./text";
import { Dependency, downgrades, fresh } from "./version";

export function isRequirements(base: string): bool {
  return (base.startsWith("requirements") || base.startsWith("constraints")) && base.endsWith(".txt");
}

export function checkRequirements(file: File, hits: Hit[]): void {
  const removed: Dependency[] = [];
  const added: Dependency[] = [];
  const lines = file.lines();
  for (let i = 0; i < lines.length; i++) {
    const l = lines[i];
    const line = trim(stripEnd(code(l.text, " #"), "\\"));
    if (line.length == 0 || line.startsWith("#") || l.side == Side.Kept) continue;
    const d = pinned(l, line);
    if (l.side == Side.Removed) {
      if (d !== null) removed.push(d);
      continue;
    }
    const before = hits.length;
    option(l, line, hits);
    if (hits.length == before) requirement(l, line, hits);
    if (d !== null) added.push(d);
  }
  near(fresh(removed, added), PYPI, hits);
  downgrades(removed, added, hits);
}

/** The value of an option under one of its names; null if the line is not that option. */
function value(line: string, names: string[]): string | null {
  const rest = afterAny(line, names);
  return rest !== null && startsWithAny(rest, [" ", "="]) ? trim(rest.substring(1)) : null;
}

function option(l: Line, line: string, hits: Hit[]): void {
  if (value(line, ["--trusted-host"]) !== null) {
    hits.push(new Hit("pip-trusted-host", HIGH, l.number, l.text, "the certificate of this host is not checked"));
    return;
  }
  if (value(line, ["--extra-index-url"]) !== null) {
    const message = "a second index: whoever has the higher version there wins, also for internal names";
    hits.push(new Hit("pip-index", HIGH, l.number, l.text, message));
    return;
  }
  const url = value(line, ["--index-url", "-i"]);
  if (url !== null) {
    if (url.startsWith("https://pypi.org/")) return;
    hits.push(new Hit("pip-index", url.startsWith("http:") ? HIGH : MEDIUM, l.number, l.text, "packages come from another index"));
    return;
  }
  if (value(line, ["--find-links", "-f"]) !== null) {
    hits.push(new Hit("pip-index", MEDIUM, l.number, l.text, "packages come from a page or folder"));
  }
}

function requirement(l: Line, line: string, hits: Hit[]): void {
  const edited = afterAny(line, ["-e ", "--editable ", "--editable="]);
  const wanted = trim(edited === null ? line : edited);
  const at = behind(wanted, " @ ");
  const source = at === null ? wanted : at;
  const name = short(before(wanted, " @ "));
  if (startsWithAny(source, ["git+", "hg+", "svn+", "bzr+"])) {
    hits.push(new Hit("pip-url", isAtCommit(source) ? LOW : MEDIUM, l.number, l.text, name + " comes from a repository, not from the index"));
  } else if (source.startsWith("http://")) {
    hits.push(new Hit("pip-url", HIGH, l.number, l.text, name + " comes over http: anybody on the way can change it"));
  } else if (source.startsWith("https://")) {
    hits.push(new Hit("pip-url", MEDIUM, l.number, l.text, name + " comes from a URL, not from the index"));
  } else if (startsWithAny(source, [".", "/", "file:"])) {
    hits.push(new Hit("pip-path", LOW, l.number, l.text, name + " comes from a folder"));
  } else if (isNamed(wanted) && !(wanted.includes("==") && !wanted.includes(".*"))) {
    hits.push(new Hit("pip-unpinned", LOW, l.number, l.text, packageName(wanted) + " has no exact version"));
  }
}

function isNamed(line: string): bool {
  return line.length > 0 && isAlphanumeric(line.charCodeAt(0));
}

function short(text: string): string {
  return text.includes("://") ? "it" : text;
}

/** Whether a URL ends in @ and a full commit. */
function isAtCommit(url: string): bool {
  const plain = before(url, "#");
  const commit = plain.substring(plain.lastIndexOf("@") + 1);
  return commit.length == 40 && isHex(commit);
}

function packageName(line: string): string {
  let end = 0;
  while (end < line.length && (isAlphanumeric(line.charCodeAt(end)) || "-_.".includes(line.charAt(end)))) end++;
  return line.substring(0, end);
}

/** The name, and the version if it is exact. */
function pinned(l: Line, line: string): Dependency | null {
  if (!isNamed(line) || line.includes("://")) return null;
  const version = behind(line, "==");
  return new Dependency(packageName(line), version === null ? "" : stripStart(version, "="), l.number, l.text);
}
