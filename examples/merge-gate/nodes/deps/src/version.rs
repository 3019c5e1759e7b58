//! Versions of dependencies, compared across a change.

use crate::Hit;
use finding::Severity;
use std::collections::HashMap;

/// Major, minor, patch of the first version in a text such as `^1.2.3` or `v1.2`.
pub fn parse(text: &str) -> Option<[u64; 3]> {
    let text = text.trim_start_matches(['^', '~', '=', 'v', '>', '<', ' ']);
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let mut parts = text[..end].split('.');
    let mut version = [0; 3];
    version[0] = parts.next()?.parse().ok()?;
    for (number, part) in version[1..].iter_mut().zip(parts) {
        *number = part.parse().ok()?;
    }
    Some(version)
}

/// One dependency of one side of a change.
pub struct Dependency<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub line: u32,
    pub text: &'a str,
}

/// Dependencies that have a lower version than before: a fix may be undone.
pub fn downgrades(removed: &[Dependency], added: &[Dependency]) -> Vec<Hit> {
    let before: HashMap<&str, &Dependency> = removed.iter().map(|d| (d.name, d)).collect();
    let lower = |new: &Dependency| {
        let old = before.get(new.name)?;
        let (was, is) = (parse(old.version)?, parse(new.version)?);
        if is >= was {
            return None;
        }
        let severity = if is[..2] < was[..2] {
            Severity::Medium
        } else {
            Severity::Low
        };
        let message = format!(
            "{} goes back from {} to {}: fixes may be undone",
            new.name, old.version, new.version
        );
        Some(Hit::new("downgrade", severity, new.line, new.text, message))
    };
    added.iter().filter_map(lower).collect()
}
