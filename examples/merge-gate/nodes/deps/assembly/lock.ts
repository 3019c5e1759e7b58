// Lock files: what they lead to, and whether somebody asked for it.
import { File, Line } from "./change";
import { HIGH, Hit, LOW, MEDIUM } from "./finding";
import { afterAny, before, behind, trim } from "./text";

export function checkLock(file: File, manifests: string[], hits: Hit[]): void {
  const manifest = manifestOf(file.base);
  if (manifest.length == 0) return;
  const touched = isTouched(file, manifest, manifests);
  const lines = file.added();
  foreign(lines, hits);
  if (lines.length > 0 && !touched) {
    hits.push(new Hit("lock-only", LOW, 0, "", "it changed and no " + manifest + " did: is this an update that somebody asked for?"));
  }
}

/** The file that a lock file is made from; empty if it is no lock file. */
function manifestOf(base: string): string {
  if (base == "package-lock.json" || base == "npm-shrinkwrap.json" || base == "yarn.lock" || base == "pnpm-lock.yaml") return "package.json";
  if (base == "go.sum") return "go.mod";
  return base == "Cargo.lock" ? "Cargo.toml" : "";
}

/** Whether a manifest in the lock file's folder or below it changed. */
function isTouched(file: File, manifest: string, manifests: string[]): bool {
  const folder = file.path.substring(0, file.path.length - file.base.length);
  for (let i = 0; i < manifests.length; i++) {
    if (!manifests[i].startsWith(folder)) continue;
    const below = manifests[i].substring(folder.length);
    if (below == manifest || below.endsWith("/" + manifest)) return true;
  }
  return false;
}

/**
 * Packages that a lock file takes from a host that is no registry: the name in the
 * manifest looks right and the code is another. One finding a host.
 */
function foreign(lines: Line[], hits: Hit[]): void {
  const registries = ["registry.npmjs.org", "registry.yarnpkg.com", "npm.pkg.github.com", "codeload.github.com", "index.crates.io"];
  const seen = new Set<string>();
  for (let i = 0; i < lines.length; i++) {
    const value = afterAny(trim(lines[i].text), ['"resolved":', "resolved ", "tarball:", "source ="]);
    if (value === null) continue;
    const rest = behind(value, "://");
    if (rest === null) continue;
    const scheme = before(value, "://");
    const host = hostOf(rest);
    const plain = scheme.endsWith("http");
    const ofCargo = scheme.includes("registry+") && rest.startsWith("github.com/rust-lang/crates.io-index");
    if (!plain && (registries.includes(host) || ofCargo)) continue;
    if (seen.has(host)) continue;
    seen.add(host);
    const message = "a package is fetched from " + host + ", which is not the registry";
    hits.push(new Hit("lock-registry", plain ? HIGH : MEDIUM, lines[i].number, lines[i].text, message));
  }
}

/** The host at the start of what follows "://", without user and password. */
function hostOf(rest: string): string {
  let end = 0;
  while (end < rest.length && !'/":?# '.includes(rest.charAt(end))) end++;
  const host = rest.substring(0, end);
  return host.substring(host.lastIndexOf("@") + 1);
}
