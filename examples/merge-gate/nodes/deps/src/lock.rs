//! Lock files: what they lead to, and whether somebody asked for it.

use crate::Hit;
use finding::{File, Severity};
use std::borrow::Cow;

pub fn check(file: &File, manifests: &[Cow<str>]) -> Vec<Hit> {
    let manifest = match file.base() {
        "package-lock.json" | "npm-shrinkwrap.json" | "yarn.lock" | "pnpm-lock.yaml" => "package.json",
        "go.sum" => "go.mod",
        "Cargo.lock" => "Cargo.toml",
        _ => return Vec::new(),
    };
    let mut hits = foreign(file);
    if !file.added.is_empty() && !touched(file, manifest, manifests) {
        let message = format!("it changed and no {manifest} did: is this an update that somebody asked for?");
        hits.push(Hit::new("lock-only", Severity::Low, 0, "", message));
    }
    hits
}

/// Whether a manifest in the lock file's folder or below it changed.
fn touched(file: &File, manifest: &str, manifests: &[Cow<str>]) -> bool {
    let folder = &file.path[..file.path.len() - file.base().len()];
    manifests
        .iter()
        .filter_map(|m| m.strip_prefix(folder))
        .any(|m| m == manifest || m.ends_with(manifest) && m[..m.len() - manifest.len()].ends_with('/'))
}

const REGISTRIES: [&str; 5] = [
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "npm.pkg.github.com",
    "codeload.github.com",
    "index.crates.io",
];

/// Packages that a lock file takes from a host that is no registry: the name in the
/// manifest looks right and the code is another. One finding a host.
fn foreign(file: &File) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    for (number, text) in file.added.iter().flat_map(|run| run.lines()) {
        let Some((severity, host)) = resolved(text) else {
            continue;
        };
        let message = format!("a package is fetched from {host}, which is not the registry");
        if hits.iter().all(|h| h.message != message) {
            hits.push(Hit::new("lock-registry", severity, number, text, message));
        }
    }
    hits
}

/// The host of a line that says where a package is fetched from.
fn resolved(text: &str) -> Option<(Severity, &str)> {
    let text = text.trim();
    let value = ["\"resolved\":", "resolved ", "tarball:", "source ="]
        .iter()
        .find_map(|p| text.strip_prefix(p))?;
    let (scheme, rest) = value.split_once("://")?;
    let host = rest.split(['/', '"', ':', '?', '#', ' ']).next()?;
    let host = host.rsplit('@').next()?;
    if scheme.ends_with("http") {
        return Some((Severity::High, host));
    }
    let known = REGISTRIES.contains(&host)
        || scheme.contains("registry+") && rest.starts_with("github.com/rust-lang/crates.io-index");
    (!known).then_some((Severity::Medium, host))
}
