//! package.json, .npmrc

use crate::hunk::{lines, Kind, Line};
use crate::name::{near, NPM};
use crate::version::{downgrades, parse, Dependency};
use crate::Hit;
use finding::{File, Severity};

/// Where in package.json a line stands, as far as the hunk tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Unknown,
    Dependencies,
    Overrides,
    Scripts,
    Other,
}

pub fn check(file: &File) -> Vec<Hit> {
    let lines = lines(file);
    let mut hits = Vec::new();
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let mut section = Section::Unknown;
    for l in &lines {
        if l.first {
            section = Section::Unknown;
        }
        if let Some(name) = opened(l.text) {
            if l.kind == Kind::Added && matches!(name, "overrides" | "resolutions") {
                let message = format!("{name}: versions of indirect dependencies are forced");
                hits.push(Hit::new("npm-override", Severity::Low, l.number, l.text, message));
            }
            if l.kind != Kind::Removed {
                section = section_of(name);
            }
        } else if l.text.trim_start().starts_with('}') && l.kind != Kind::Removed {
            section = Section::Other;
        } else if let Some((name, value)) = member(l.text) {
            let is_dependency =
                section == Section::Dependencies || section == Section::Unknown && parse(value).is_some();
            let dependency = || Dependency {
                name,
                version: value,
                line: l.number,
                text: l.text,
            };
            match l.kind {
                Kind::Added => {
                    hits.extend(judge(l, section, name, value, is_dependency));
                    if is_dependency {
                        added.push(dependency());
                    }
                }
                Kind::Removed if is_dependency => removed.push(dependency()),
                _ => {}
            }
        }
    }
    let moved = |d: &Dependency| removed.iter().any(|r| r.name == d.name);
    let fresh = added
        .iter()
        .filter(|d| !matches!(d.name, "version" | "node" | "npm") && !moved(d));
    hits.extend(fresh.filter_map(|d| near(d.name, NPM, d.line, d.text)));
    added.retain(|d| d.name != "version");
    hits.extend(downgrades(&removed, &added));
    hits
}

/// The name in a line `"name": {`.
fn opened(text: &str) -> Option<&str> {
    let name = text.trim().strip_suffix('{')?.trim_end().strip_suffix(':')?.trim_end();
    name.strip_prefix('"')?.strip_suffix('"')
}

fn section_of(name: &str) -> Section {
    match name {
        "dependencies" | "devDependencies" | "peerDependencies" | "optionalDependencies" => Section::Dependencies,
        "overrides" | "resolutions" => Section::Overrides,
        "scripts" => Section::Scripts,
        _ => Section::Other,
    }
}

/// Name and value in a line `"name": "value",`.
fn member(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim().trim_end_matches(',').strip_prefix('"')?;
    let (name, rest) = rest.split_once('"')?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    Some((name, value.strip_prefix('"')?.strip_suffix('"')?))
}

fn judge(l: &Line, section: Section, name: &str, value: &str, is_dependency: bool) -> Option<Hit> {
    let hit = |rule, severity, message: String| Some(Hit::new(rule, severity, l.number, l.text, message));
    if matches!(section, Section::Scripts | Section::Unknown) {
        if let Some((severity, what)) = install_script(name, value) {
            return hit("npm-install-script", severity, format!("{name} {what}"));
        }
    }
    if name == "registry" && !value.starts_with("https://registry.npmjs.org") {
        return hit(
            "npm-registry",
            Severity::Medium,
            "packages come from another registry".to_string(),
        );
    }
    if !is_dependency && !matches!(section, Section::Dependencies | Section::Overrides) && !is_source(name, value) {
        return None;
    }
    source(value)
        .map(|(rule, severity, what)| (rule, severity, format!("{name} {what}")))
        .and_then(|(rule, severity, message)| hit(rule, severity, message))
}

/// In an unknown section, a value that can only be the source of a dependency.
fn is_source(name: &str, value: &str) -> bool {
    let link = ["url", "homepage", "repository", "bugs", "funding", "author", "license"].contains(&name);
    !link
        && ["git+", "github:", "gitlab:", "bitbucket:", "file:", "link:"]
            .iter()
            .any(|p| value.starts_with(p))
}

fn install_script(name: &str, value: &str) -> Option<(Severity, &'static str)> {
    if name == "prepare" {
        return fetches(value).then_some((
            Severity::High,
            "runs on installation from git, and fetches or hides code",
        ));
    }
    if !matches!(name, "preinstall" | "install" | "postinstall") {
        return None;
    }
    if fetches(value) {
        return Some((Severity::High, "runs on installation, and fetches or hides code"));
    }
    Some((Severity::Medium, "runs on every installation"))
}

fn fetches(script: &str) -> bool {
    const SIGNS: [&str; 12] = [
        "curl",
        "wget",
        "http:",
        "https:",
        "node -e",
        "base64",
        "eval",
        "sh -c",
        "powershell",
        "python -c",
        "nc ",
        "/dev/tcp",
    ];
    SIGNS.iter().any(|s| script.contains(s))
}

fn source(value: &str) -> Option<(&'static str, Severity, &'static str)> {
    const URLS: [&str; 7] = ["git+", "git:", "github:", "gitlab:", "bitbucket:", "gist:", "https://"];
    let user_and_repository = || {
        let mut parts = value.split('/');
        let word = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.#".contains(&b));
        parts.clone().count() == 2 && parts.all(word) && !value.starts_with(['.', '@', '~'])
    };
    if value.starts_with("http://") {
        return Some((
            "npm-url",
            Severity::High,
            "comes over http: anybody on the way can change it",
        ));
    }
    if URLS.iter().any(|u| value.starts_with(u)) || user_and_repository() {
        return Some(("npm-url", Severity::Medium, "comes from a URL, not from the registry"));
    }
    if ["file:", "link:", "portal:"].iter().any(|u| value.starts_with(u)) {
        return Some(("npm-path", Severity::Low, "comes from a folder"));
    }
    if value.starts_with("npm:") {
        return Some(("npm-alias", Severity::Medium, "is another package under this name"));
    }
    match value.trim() {
        "" | "*" | "x" | "latest" | "next" => {
            Some(("npm-any-version", Severity::Medium, "is whatever version is newest"))
        }
        v if v.starts_with(">=") && !v.contains('<') => {
            Some(("npm-any-version", Severity::Low, "has no upper version"))
        }
        _ => None,
    }
}

/// .npmrc: where packages come from.
pub fn check_settings(file: &File) -> Vec<Hit> {
    let judge = |(number, text): (u32, &str)| {
        let (key, value) = text.split_once('=').or_else(|| text.trim().split_once(' '))?;
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        let registry = key == "registry" || key.ends_with(":registry");
        if !registry
            || value.starts_with("https://registry.npmjs.org")
            || value.starts_with("https://registry.yarnpkg.com")
        {
            return None;
        }
        let severity = if value.starts_with("http:") {
            Severity::High
        } else {
            Severity::Medium
        };
        Some(Hit::new(
            "npm-registry",
            severity,
            number,
            text,
            "packages come from another registry",
        ))
    };
    file.added
        .iter()
        .flat_map(|run| run.lines())
        .filter_map(judge)
        .collect()
}
