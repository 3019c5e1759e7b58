// go.mod
import { File, Line, Side } from "./change";
import { HIGH, Hit, LOW, MEDIUM, code } from "./finding";
import { afterPrefix, behind, before, isDigits, isHex, trim, words } from "./text";
import { Dependency, downgrades } from "./version";

export function checkGoMod(file: File, hits: Hit[]): void {
  const lines = file.lines();
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].side == Side.Added) replaced(lines[i], hits);
  }
  const added = requires(lines, Side.Added);
  for (let i = 0; i < added.length; i++) oddVersion(added[i], hits);
  downgrades(requires(lines, Side.Removed), added, hits);
}

/** Lines "[require] MODULE VERSION". In a replace block the target looks the same, but has => before it. */
function requires(lines: Line[], side: Side): Dependency[] {
  const found: Dependency[] = [];
  for (let i = 0; i < lines.length; i++) {
    const l = lines[i];
    if (l.side != side) continue;
    const line = code(l.text, "//");
    const rest = afterPrefix(line, "require ");
    const w = words(rest === null ? line : rest);
    if (w.length == 2 && w[0].includes(".") && w[1].startsWith("v")) found.push(new Dependency(w[0], w[1], l.number, l.text));
  }
  return found;
}

function replaced(l: Line, hits: Hit[]): void {
  const line = code(l.text, "//");
  const to = behind(line, "=>");
  if (to === null) return;
  let from = trim(before(line, "=>"));
  while (from.startsWith("replace ")) from = from.substring("replace ".length);
  const modules = words(from);
  const target = words(to);
  if (modules.length == 0 || target.length == 0) return;
  const name = modules[0];
  const by = target[0];
  if (by.startsWith(".") || by.startsWith("/") || by.includes("\\")) {
    hits.push(new Hit("go-replace-path", MEDIUM, l.number, l.text, name + " is replaced by the folder " + by + ": others build something else"));
  } else if (by != name) {
    hits.push(new Hit("go-replace-fork", HIGH, l.number, l.text, name + " is replaced by another module, " + by));
  } else {
    const version = target.length > 1 ? target[1] : "no version";
    hits.push(new Hit("go-replace-version", LOW, l.number, l.text, name + " is held at " + version + ", whatever is required"));
  }
}

function oddVersion(d: Dependency, hits: Hit[]): void {
  if (isPseudo(d.version)) {
    const severity = d.text.includes("// indirect") ? LOW : MEDIUM;
    hits.push(new Hit("go-pseudo-version", severity, d.line, d.text, d.name + " is required at a commit, not at a release"));
  } else if (d.version.endsWith("+incompatible")) {
    hits.push(new Hit("go-incompatible", LOW, d.line, d.text, d.name + " has no go.mod at this major version"));
  }
}

/** "v0.0.0-20240102030405-0123456789ab", also after a pre-release. */
function isPseudo(version: string): bool {
  let v = version;
  while (v.endsWith("+incompatible")) v = v.substring(0, v.length - "+incompatible".length);
  const second = lastMark(v, v.length);
  if (second < 0) return false;
  const first = lastMark(v, second);
  if (first < 0) return false;
  const commit = v.substring(second + 1);
  const time = v.substring(first + 1, second);
  return commit.length == 12 && isHex(commit) && time.length == 14 && isDigits(time);
}

/** The last "-" or "." before end, -1 if there is none. */
function lastMark(s: string, end: i32): i32 {
  let i = end - 1;
  while (i >= 0 && s.charAt(i) != "-" && s.charAt(i) != ".") i--;
  return i;
}
