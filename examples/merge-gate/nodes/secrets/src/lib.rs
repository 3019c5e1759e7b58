//! A check of merge-gate for credentials in added lines: formats that services
//! document, private keys, and values of high entropy assigned to a name that says
//! secret. It writes where a secret is and what kind, never the secret.
//!
//! ```text
//! high    a format that only credentials have (aws-access-key, github-token, ...)
//! medium  generic-secret: name = value, where the value looks random
//! low     either of them in test data
//! ```
//!
//! Not reported: placeholders (example, changeme, xxxx, ${VAR}, <token>), values that
//! are read from somewhere (os.environ, getenv), hashes in lock files, UUIDs, words.

mod format;
mod generic;
mod value;

use dashhost::{Call, Fail};
use finding::{excerpt, fixture, id, Batch, File, Finding, Findings, Severity};
use serde::Deserialize;

/// Config of the node in the manifest.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bits per character from which an assigned value looks random. Default 3.5.
    entropy: f64,
    /// Longest line that is looked at, in bytes. Default 20,000.
    max_line: usize,
    /// Findings in one file. Default 50.
    max_per_file: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            entropy: 3.5,
            max_line: 20_000,
            max_per_file: 50,
        }
    }
}

/// The node.
pub struct Secrets {
    config: Config,
}

/// A secret in a line: `line[start..end]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub rule: &'static str,
    pub what: &'static str,
    pub severity: Severity,
    pub start: usize,
    pub end: usize,
}

impl Secrets {
    /// Takes the configuration.
    pub fn new(config: Config) -> Result<Secrets, Fail> {
        if !(0.0..=8.0).contains(&config.entropy) {
            let message = format!("config: entropy: {}, want 0 to 8 bits per character", config.entropy);
            return Err(Fail::fatal("bad_config", message));
        }
        Ok(Secrets { config })
    }

    /// Looks at a batch of files.
    pub fn check(&self, _: &Call, input: Batch) -> Result<Findings, Fail> {
        let findings = input.item.iter().flat_map(|file| self.file(file)).collect();
        Ok(Findings { findings })
    }

    fn file(&self, file: &File) -> Vec<Finding> {
        let mut found = Vec::new();
        for (number, line) in file.added.iter().flat_map(|run| run.lines()) {
            for hit in self.line(file, line) {
                if found.len() == self.config.max_per_file {
                    return found;
                }
                found.push(report(file, number, line, &hit));
            }
        }
        found
    }

    fn line(&self, file: &File, line: &str) -> Vec<Hit> {
        let line = clip(line, self.config.max_line);
        let mut hits = format::find(line);
        if hits.is_empty() && !locked(file.base()) {
            hits.extend(generic::find(line, self.config.entropy));
        }
        hits
    }
}

/// Cuts a line at a limit, between characters.
fn clip(line: &str, limit: usize) -> &str {
    if line.len() <= limit {
        return line;
    }
    let end = (0..=limit).rev().find(|i| line.is_char_boundary(*i)).unwrap_or(0);
    &line[..end]
}

/// Files of checksums: what looks random there is.
fn locked(base: &str) -> bool {
    let base = base.to_ascii_lowercase();
    base.ends_with(".lock")
        || base.ends_with(".sum")
        || base.contains("lock.")
        || base.contains("checksums")
        || base.ends_with(".map")
}

fn report(file: &File, number: u32, line: &str, hit: &Hit) -> Finding {
    let secret = &line[hit.start..hit.end];
    let test = fixture(&file.path);
    Finding {
        id: id(hit.rule, &file.path, secret),
        rule: hit.rule,
        severity: if test { Severity::Low } else { hit.severity },
        path: file.path.to_string(),
        line: number,
        message: format!(
            "{}{}: revoke it, then keep it out of the repository",
            hit.what,
            if test { " in test data" } else { "" }
        ),
        excerpt: redact(line, hit),
    }
}

/// The name that a secret is assigned to, what its format gives away, and its length.
/// No more of the line is shown: it may hold what no rule knows.
fn redact(line: &str, hit: &Hit) -> String {
    let secret = &line[hit.start..hit.end];
    let kept = format::prefix(secret);
    let cut = secret.chars().count() - kept.len();
    excerpt(&format!(
        "{}{kept}[{cut} characters cut]",
        assigned_to(&line[..hit.start])
    ))
}

/// The end of `before` that reads `name = "`, empty if there is no such thing.
fn assigned_to(before: &str) -> &str {
    let name = before.trim_end_matches([' ', '\t', '"', '\'', '`', ':', '=', '>', ']']);
    if !before[name.len()..].contains([':', '=']) {
        return "";
    }
    let start = name
        .char_indices()
        .rev()
        .take(40)
        .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .last()
        .map_or(before.len(), |(i, _)| i);
    let shown = &before[start..];
    if format::find(shown).is_empty() {
        shown
    } else {
        ""
    }
}

dashhost::node!(Secrets::check, state: Secrets = Secrets::new);

#[cfg(test)]
mod tests;
