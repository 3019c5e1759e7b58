//! go.mod

use crate::hunk::{lines, Kind, Line};
use crate::version::{downgrades, Dependency};
use crate::Hit;
use finding::{File, Severity};

pub fn check(file: &File) -> Vec<Hit> {
    let lines = lines(file);
    let added: Vec<_> = requires(&lines, Kind::Added);
    let mut hits: Vec<_> = lines
        .iter()
        .filter(|l| l.kind == Kind::Added)
        .filter_map(replace)
        .collect();
    hits.extend(added.iter().filter_map(odd_version));
    hits.extend(downgrades(&requires(&lines, Kind::Removed), &added));
    hits
}

/// Lines `[require] MODULE VERSION`. In a replace block the target looks the same, but
/// has `=>` before it.
fn requires<'a>(lines: &[Line<'a>], kind: Kind) -> Vec<Dependency<'a>> {
    let require = |l: &Line<'a>| {
        let code = l.text.split("//").next()?.trim();
        let mut words = code.strip_prefix("require ").unwrap_or(code).split_whitespace();
        let (name, version) = (words.next()?, words.next()?);
        let fits = words.next().is_none() && name.contains('.') && version.starts_with('v');
        fits.then_some(Dependency {
            name,
            version,
            line: l.number,
            text: l.text,
        })
    };
    lines.iter().filter(|l| l.kind == kind).filter_map(require).collect()
}

fn replace(l: &Line) -> Option<Hit> {
    let code = l.text.split("//").next()?.trim();
    let (from, to) = code.split_once("=>")?;
    let from = from.trim().trim_start_matches("replace ").split_whitespace().next()?;
    let mut words = to.split_whitespace();
    let target = words.next()?;
    let hit = |rule, severity, message| Some(Hit::new(rule, severity, l.number, l.text, message));
    if target.starts_with(['.', '/']) || target.contains('\\') {
        let message = format!("{from} is replaced by the folder {target}: others build something else");
        return hit("go-replace-path", Severity::Medium, message);
    }
    if target != from {
        let message = format!("{from} is replaced by another module, {target}");
        return hit("go-replace-fork", Severity::High, message);
    }
    let message = format!(
        "{from} is held at {}, whatever is required",
        words.next().unwrap_or("no version")
    );
    hit("go-replace-version", Severity::Low, message)
}

fn odd_version(d: &Dependency) -> Option<Hit> {
    if pseudo(d.version) {
        let indirect = d.text.contains("// indirect");
        let severity = if indirect { Severity::Low } else { Severity::Medium };
        let message = format!("{} is required at a commit, not at a release", d.name);
        return Some(Hit::new("go-pseudo-version", severity, d.line, d.text, message));
    }
    if d.version.ends_with("+incompatible") {
        let message = format!("{} has no go.mod at this major version", d.name);
        return Some(Hit::new("go-incompatible", Severity::Low, d.line, d.text, message));
    }
    None
}

/// `v0.0.0-20240102030405-0123456789ab`, also after a pre-release.
fn pseudo(version: &str) -> bool {
    let version = version.trim_end_matches("+incompatible");
    let mut parts = version.rsplitn(3, ['-', '.']);
    let (Some(commit), Some(time), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    commit.len() == 12
        && commit.bytes().all(|b| b.is_ascii_hexdigit())
        && time.len() == 14
        && time.bytes().all(|b| b.is_ascii_digit())
}
