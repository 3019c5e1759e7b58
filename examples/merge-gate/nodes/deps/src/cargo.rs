//! Cargo.toml

use crate::hunk::{lines, Kind, Line};
use crate::name::{near, CRATES};
use crate::version::{downgrades, parse, Dependency};
use crate::Hit;
use finding::{File, Severity};

pub fn check(file: &File) -> Vec<Hit> {
    let lines = lines(file);
    let mut hits = Vec::new();
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let mut section = None;
    for l in &lines {
        if l.first {
            section = None;
        }
        let code = l.text.trim();
        if let Some(name) = table(code) {
            if l.kind != Kind::Removed {
                section = Some(name);
            }
            if l.kind == Kind::Added && patched(name) {
                let message = format!("[{name}] replaces crates for the whole build");
                hits.push(Hit::new("cargo-patch", Severity::High, l.number, l.text, message));
            }
            continue;
        }
        let Some((key, value)) = code
            .split_once('=')
            .map(|(k, v)| (k.trim().trim_matches('"'), v.trim()))
        else {
            continue;
        };
        let dependency = dependency(section, key, value, l);
        match l.kind {
            Kind::Added => {
                hits.extend(judge(file, l, section, key, value));
                added.extend(dependency);
            }
            Kind::Removed => removed.extend(dependency),
            Kind::Kept => {}
        }
    }
    let moved = |d: &Dependency| removed.iter().any(|r| r.name == d.name);
    hits.extend(
        added
            .iter()
            .filter(|d| !moved(d))
            .filter_map(|d| near(d.name, CRATES, d.line, d.text)),
    );
    hits.extend(downgrades(&removed, &added));
    hits
}

fn table(code: &str) -> Option<&str> {
    let name = code.split('#').next()?.trim();
    Some(
        name.strip_prefix('[')?
            .strip_suffix(']')?
            .trim_matches(['[', ']'])
            .trim(),
    )
}

fn patched(section: &str) -> bool {
    section == "replace" || section.starts_with("patch.")
}

/// Whether a table lists dependencies; one of a single dependency does not.
fn of_dependencies(section: Option<&str>) -> bool {
    section.is_some_and(|s| s.ends_with("dependencies"))
}

fn dependency<'a>(section: Option<&str>, name: &'a str, value: &'a str, l: &Line<'a>) -> Option<Dependency<'a>> {
    let not_package =
        section.is_none() && !matches!(name, "version" | "edition" | "rust-version" | "resolver" | "name");
    if !of_dependencies(section) && !not_package || name.contains('.') {
        return None;
    }
    let version = quoted(value).or_else(|| inline(value, "version"))?;
    parse(version)?;
    Some(Dependency {
        name,
        version,
        line: l.number,
        text: l.text,
    })
}

/// The text of a value that is a string.
fn quoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.split('"').next()
}

/// A member of an inline table, or the whole value if the key is that member.
fn inline<'a>(value: &'a str, member: &str) -> Option<&'a str> {
    let table = value.strip_prefix('{')?;
    table.split(',').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == member).then(|| quoted(value.trim()))?
    })
}

fn judge(file: &File, l: &Line, section: Option<&str>, key: &str, value: &str) -> Option<Hit> {
    let hit = |rule, severity, message: String| Some(Hit::new(rule, severity, l.number, l.text, message));
    let get = |member| inline(value, member).or_else(|| if key == member { quoted(value) } else { None });
    if section.is_some_and(patched) {
        return hit(
            "cargo-patch",
            Severity::High,
            format!("{key} is replaced for the whole build"),
        );
    }
    let single = section.is_some_and(|s| s.contains("dependencies."));
    if section.is_some() && !of_dependencies(section) && !single {
        return None;
    }
    if get("git").is_some() {
        let fixed = inline(value, "rev").is_some();
        let (severity, what) = if fixed {
            (Severity::Low, "at a commit")
        } else {
            (Severity::Medium, "at whatever is newest there")
        };
        return hit(
            "cargo-git",
            severity,
            format!("{key} comes from git, {what}, not from the registry"),
        );
    }
    if get("registry").or_else(|| get("registry-index")).is_some() {
        return hit(
            "cargo-registry",
            Severity::Medium,
            format!("{key} comes from another registry"),
        );
    }
    if let Some(path) = get("path").filter(|p| outside(&file.path, p)) {
        return hit(
            "cargo-path",
            Severity::Medium,
            format!("{key} comes from {path}, outside the repository"),
        );
    }
    let version = if of_dependencies(section) {
        quoted(value).or_else(|| get("version"))
    } else {
        get("version")
    };
    if version.is_some_and(|v| v.trim() == "*") {
        return hit(
            "cargo-any-version",
            Severity::Medium,
            format!("{key} is whatever version is newest"),
        );
    }
    None
}

/// Whether a path leaves the repository, seen from the manifest.
fn outside(manifest: &str, path: &str) -> bool {
    let mut depth = manifest.matches('/').count();
    for part in path.split('/') {
        match part {
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            "" | "." => {}
            _ => depth += 1,
        }
    }
    path.starts_with('/')
}
