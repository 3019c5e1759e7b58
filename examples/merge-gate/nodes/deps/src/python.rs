//! requirements*.txt, constraints*.txt

use crate::hunk::{lines, Kind, Line};
use crate::name::{near, PYPI};
use crate::version::{downgrades, Dependency};
use crate::Hit;
use finding::{File, Severity};

pub fn is_requirements(base: &str) -> bool {
    (base.starts_with("requirements") || base.starts_with("constraints")) && base.ends_with(".txt")
}

pub fn check(file: &File) -> Vec<Hit> {
    let lines = lines(file);
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let mut hits = Vec::new();
    for l in &lines {
        let code = l
            .text
            .split(" #")
            .next()
            .unwrap_or_default()
            .trim()
            .trim_end_matches('\\')
            .trim();
        if code.is_empty() || code.starts_with('#') {
            continue;
        }
        match l.kind {
            Kind::Added => {
                hits.extend(option(l, code).or_else(|| requirement(l, code)));
                added.extend(pinned(l, code));
            }
            Kind::Removed => removed.extend(pinned(l, code)),
            Kind::Kept => {}
        }
    }
    let moved = |d: &Dependency| removed.iter().any(|r| r.name == d.name);
    hits.extend(
        added
            .iter()
            .filter(|d| !moved(d))
            .filter_map(|d| near(d.name, PYPI, d.line, d.text)),
    );
    hits.extend(downgrades(&removed, &added));
    hits
}

fn option(l: &Line, code: &str) -> Option<Hit> {
    let is = |names: &[&str]| {
        let rest = names.iter().find_map(|n| code.strip_prefix(n))?;
        rest.starts_with([' ', '=']).then(|| rest[1..].trim())
    };
    let hit = |rule, severity, message: &str| Some(Hit::new(rule, severity, l.number, l.text, message));
    if is(&["--trusted-host"]).is_some() {
        return hit(
            "pip-trusted-host",
            Severity::High,
            "the certificate of this host is not checked",
        );
    }
    if is(&["--extra-index-url"]).is_some() {
        return hit(
            "pip-index",
            Severity::High,
            "a second index: whoever has the higher version there wins, also for internal names",
        );
    }
    if let Some(url) = is(&["--index-url", "-i"]) {
        let severity = match url {
            u if u.starts_with("http:") => Severity::High,
            u if u.starts_with("https://pypi.org/") => return None,
            _ => Severity::Medium,
        };
        return hit("pip-index", severity, "packages come from another index");
    }
    if is(&["--find-links", "-f"]).is_some() {
        return hit("pip-index", Severity::Medium, "packages come from a page or folder");
    }
    None
}

fn requirement(l: &Line, code: &str) -> Option<Hit> {
    let hit = |rule, severity, message: String| Some(Hit::new(rule, severity, l.number, l.text, message));
    let code = ["-e ", "--editable ", "--editable="]
        .iter()
        .find_map(|p| code.strip_prefix(p))
        .unwrap_or(code)
        .trim();
    let (name, source) = code.split_once(" @ ").unwrap_or((code, code));
    if ["git+", "hg+", "svn+", "bzr+"].iter().any(|p| source.starts_with(p)) {
        let severity = if at_commit(source) {
            Severity::Low
        } else {
            Severity::Medium
        };
        return hit(
            "pip-url",
            severity,
            format!("{} comes from a repository, not from the index", short(name)),
        );
    }
    if source.starts_with("http://") {
        return hit(
            "pip-url",
            Severity::High,
            format!("{} comes over http: anybody on the way can change it", short(name)),
        );
    }
    if source.starts_with("https://") {
        return hit(
            "pip-url",
            Severity::Medium,
            format!("{} comes from a URL, not from the index", short(name)),
        );
    }
    if source.starts_with(['.', '/']) || source.starts_with("file:") {
        return hit(
            "pip-path",
            Severity::Low,
            format!("{} comes from a folder", short(name)),
        );
    }
    if code.starts_with('-') || !code.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let exact = code.contains("==") && !code.contains(".*");
    let name = package(code);
    (!exact).then(|| {
        Hit::new(
            "pip-unpinned",
            Severity::Low,
            l.number,
            l.text,
            format!("{name} has no exact version"),
        )
    })
}

fn short(text: &str) -> &str {
    if text.contains("://") {
        "it"
    } else {
        text
    }
}

/// Whether a URL ends in `@` and a full commit.
fn at_commit(url: &str) -> bool {
    let url = url.split('#').next().unwrap_or_default();
    let commit = url.rsplit('@').next().unwrap_or_default();
    commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())
}

fn package(code: &str) -> &str {
    let end = code.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    &code[..end.unwrap_or(code.len())]
}

/// The name, and the version if it is exact.
fn pinned<'a>(l: &Line<'a>, code: &'a str) -> Option<Dependency<'a>> {
    let name = package(code);
    let named = code.starts_with(|c: char| c.is_ascii_alphanumeric()) && !code.contains("://");
    let version = code.split_once("==").map_or("", |(_, v)| v.trim_start_matches('='));
    named.then_some(Dependency {
        name,
        version,
        line: l.number,
        text: l.text,
    })
}
