// package.json, .npmrc
import { File, Line, Side } from "./change";
import { HIGH, Hit, LOW, MEDIUM } from "./finding";
import { NPM, near } from "./name";
import { afterPrefix, before, beforeSuffix, behind, isAlphanumeric, startsWithAny, stripEnd, stripStart, trim, trimEnd, trimStart } from "./text";
import { Dependency, downgrades, fresh, parse } from "./version";

/** Where in package.json a line stands, as far as the hunk tells. */
enum Section {
  Unknown,
  Dependencies,
  Overrides,
  Scripts,
  Other,
}

/** A line "name": "value", */
class Member {
  constructor(
    public name: string,
    public value: string,
  ) {}
}

export function checkPackage(file: File, hits: Hit[]): void {
  const removed: Dependency[] = [];
  const added: Dependency[] = [];
  let section = Section.Unknown;
  const lines = file.lines();
  for (let i = 0; i < lines.length; i++) {
    const l = lines[i];
    if (l.first) section = Section.Unknown;
    const name = opened(l.text);
    if (name !== null) {
      if (l.side == Side.Added && (name == "overrides" || name == "resolutions")) {
        hits.push(new Hit("npm-override", LOW, l.number, l.text, name + ": versions of indirect dependencies are forced"));
      }
      if (l.side != Side.Removed) section = sectionOf(name);
      continue;
    }
    if (trimStart(l.text).startsWith("}") && l.side != Side.Removed) {
      section = Section.Other;
      continue;
    }
    const m = member(l.text);
    if (m === null) continue;
    const isDependency = section == Section.Dependencies || (section == Section.Unknown && parse(m.value) !== null);
    if (l.side == Side.Added) judge(l, section, m, isDependency, hits);
    if (isDependency && l.side == Side.Added) added.push(new Dependency(m.name, m.value, l.number, l.text));
    if (isDependency && l.side == Side.Removed) removed.push(new Dependency(m.name, m.value, l.number, l.text));
  }
  near(fresh(removed, added).filter((d) => d.name != "version" && d.name != "node" && d.name != "npm"), NPM, hits);
  downgrades(removed, added.filter((d) => d.name != "version"), hits);
}

/** The name in a line "name": { */
function opened(text: string): string | null {
  const line = beforeSuffix(trim(text), "{");
  if (line === null) return null;
  const named = beforeSuffix(trimEnd(line), ":");
  if (named === null) return null;
  const open = afterPrefix(trimEnd(named), '"');
  return open === null ? null : beforeSuffix(open, '"');
}

function sectionOf(name: string): Section {
  if (name == "dependencies" || name == "devDependencies" || name == "peerDependencies" || name == "optionalDependencies") return Section.Dependencies;
  if (name == "overrides" || name == "resolutions") return Section.Overrides;
  return name == "scripts" ? Section.Scripts : Section.Other;
}

function member(text: string): Member | null {
  const line = afterPrefix(stripEnd(trim(text), ","), '"');
  if (line === null) return null;
  const rest = behind(line, '"');
  if (rest === null) return null;
  const colon = afterPrefix(trimStart(rest), ":");
  if (colon === null) return null;
  const quoted = afterPrefix(trimStart(colon), '"');
  if (quoted === null) return null;
  const value = beforeSuffix(quoted, '"');
  return value === null ? null : new Member(before(line, '"'), value);
}

function judge(l: Line, section: Section, m: Member, isDependency: bool, hits: Hit[]): void {
  if ((section == Section.Scripts || section == Section.Unknown) && installScript(l, m, hits)) return;
  if (m.name == "registry" && !m.value.startsWith("https://registry.npmjs.org")) {
    hits.push(new Hit("npm-registry", MEDIUM, l.number, l.text, "packages come from another registry"));
    return;
  }
  if (isDependency || section == Section.Dependencies || section == Section.Overrides || isSource(m)) source(l, m, hits);
}

/** In an unknown section, a value that can only be the source of a dependency. */
function isSource(m: Member): bool {
  const links = ["url", "homepage", "repository", "bugs", "funding", "author", "license"];
  return !links.includes(m.name) && startsWithAny(m.value, ["git+", "github:", "gitlab:", "bitbucket:", "file:", "link:"]);
}

function installScript(l: Line, m: Member, hits: Hit[]): bool {
  const fetching = fetches(m.value);
  if (m.name == "prepare") {
    if (fetching) hits.push(new Hit("npm-install-script", HIGH, l.number, l.text, m.name + " runs on installation from git, and fetches or hides code"));
    return fetching;
  }
  if (m.name != "preinstall" && m.name != "install" && m.name != "postinstall") return false;
  const what = fetching ? " runs on installation, and fetches or hides code" : " runs on every installation";
  hits.push(new Hit("npm-install-script", fetching ? HIGH : MEDIUM, l.number, l.text, m.name + what));
  return true;
}

function fetches(script: string): bool {
  const signs = ["curl", "wget", "http:", "https:", "node -e", "base64", "eval", "sh -c", "powershell", "python -c", "nc ", "/dev/tcp"];
  for (let i = 0; i < signs.length; i++) {
    if (script.includes(signs[i])) return true;
  }
  return false;
}

function source(l: Line, m: Member, hits: Hit[]): void {
  const v = m.value;
  const word = trim(v);
  if (v.startsWith("http://")) {
    hits.push(new Hit("npm-url", HIGH, l.number, l.text, m.name + " comes over http: anybody on the way can change it"));
  } else if (startsWithAny(v, ["git+", "git:", "github:", "gitlab:", "bitbucket:", "gist:", "https://"]) || isUserAndRepository(v)) {
    hits.push(new Hit("npm-url", MEDIUM, l.number, l.text, m.name + " comes from a URL, not from the registry"));
  } else if (startsWithAny(v, ["file:", "link:", "portal:"])) {
    hits.push(new Hit("npm-path", LOW, l.number, l.text, m.name + " comes from a folder"));
  } else if (v.startsWith("npm:")) {
    hits.push(new Hit("npm-alias", MEDIUM, l.number, l.text, m.name + " is another package under this name"));
  } else if (word == "" || word == "*" || word == "x" || word == "latest" || word == "next") {
    hits.push(new Hit("npm-any-version", MEDIUM, l.number, l.text, m.name + " is whatever version is newest"));
  } else if (word.startsWith(">=") && !word.includes("<")) {
    hits.push(new Hit("npm-any-version", LOW, l.number, l.text, m.name + " has no upper version"));
  }
}

function isUserAndRepository(value: string): bool {
  const parts = value.split("/");
  return parts.length == 2 && isWord(parts[0]) && isWord(parts[1]) && !startsWithAny(value, [".", "@", "~"]);
}

function isWord(s: string): bool {
  for (let i = 0; i < s.length; i++) {
    if (!isAlphanumeric(s.charCodeAt(i)) && !"-_.#".includes(s.charAt(i))) return false;
  }
  return s.length > 0;
}

/** .npmrc: where packages come from. */
export function checkSettings(file: File, hits: Hit[]): void {
  const lines = file.added();
  for (let i = 0; i < lines.length; i++) {
    const text = lines[i].text;
    const line = text.includes("=") ? text : trim(text);
    const separator = text.includes("=") ? "=" : " ";
    const rest = behind(line, separator);
    if (rest === null) continue;
    const key = trim(before(line, separator));
    const value = stripEnd(stripStart(trim(rest), '"'), '"');
    if (key != "registry" && !key.endsWith(":registry")) continue;
    if (startsWithAny(value, ["https://registry.npmjs.org", "https://registry.yarnpkg.com"])) continue;
    hits.push(new Hit("npm-registry", value.startsWith("http:") ? HIGH : MEDIUM, lines[i].number, text, "packages come from another registry"));
  }
}
