//! A check of merge-gate for changes of dependencies that deserve a second look: code
//! that comes from somewhere else, versions that move by themselves, scripts that run
//! on installation, names that look like others.
//!
//! ```text
//! go.mod              go-replace-fork go-replace-path go-replace-version
//!                     go-pseudo-version go-incompatible downgrade
//! package.json        npm-install-script npm-url npm-path npm-alias npm-any-version
//!                     npm-registry npm-override name-near downgrade
//! .npmrc              npm-registry
//! Cargo.toml          cargo-git cargo-path cargo-patch cargo-registry
//!                     cargo-any-version name-near downgrade
//! requirements*.txt   pip-index pip-trusted-host pip-url pip-path pip-unpinned
//!                     name-near downgrade
//! lock files          lock-only lock-registry
//! ```
//!
//! It sees hunks, not whole files: where a line belongs to is known only if a line
//! above it in the hunk says so. Rules that need to know are silent if it is not.

mod cargo;
mod gomod;
mod hunk;
mod lock;
mod name;
mod npm;
mod python;
mod version;

use dashhost::{Call, Fail};
use finding::{excerpt, fixture, id, File, Finding, Findings, Severity};
use serde::Deserialize;
use std::borrow::Cow;

/// Input: a batch of files, and which manifests the whole change touches.
#[derive(Deserialize)]
struct In<'a> {
    #[serde(borrow)]
    item: Vec<File<'a>>,
    #[serde(borrow, default)]
    change: Change<'a>,
}

#[derive(Default, Deserialize)]
struct Change<'a> {
    #[serde(borrow, default)]
    context: Vec<Cow<'a, str>>,
}

/// What a rule found in a line of the new file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    rule: &'static str,
    severity: Severity,
    line: u32,
    text: String,
    message: String,
}

impl Hit {
    fn new(rule: &'static str, severity: Severity, line: u32, text: &str, message: impl Into<String>) -> Hit {
        Hit {
            rule,
            severity,
            line,
            text: text.trim().to_string(),
            message: message.into(),
        }
    }
}

fn check(_: &Call, input: In) -> Result<Findings, Fail> {
    let findings = input
        .item
        .iter()
        .filter(|file| file.status != "deleted")
        .flat_map(|file| {
            let hits = judge(file, &input.change.context);
            hits.into_iter().map(|hit| report(file, hit))
        })
        .collect();
    Ok(Findings { findings })
}

dashhost::node!(check);

fn judge(file: &File, manifests: &[Cow<str>]) -> Vec<Hit> {
    let base = file.base();
    match base {
        "go.mod" => gomod::check(file),
        "package.json" => npm::check(file),
        "Cargo.toml" => cargo::check(file),
        ".npmrc" | ".yarnrc" => npm::check_settings(file),
        _ if python::is_requirements(base) => python::check(file),
        _ => lock::check(file, manifests),
    }
}

fn report(file: &File, hit: Hit) -> Finding {
    Finding {
        id: id(hit.rule, &file.path, &hit.text),
        rule: hit.rule,
        severity: if fixture(&file.path) {
            Severity::Low
        } else {
            hit.severity
        },
        path: file.path.to_string(),
        line: hit.line,
        message: hit.message,
        excerpt: excerpt(&without_password(&hit.text)),
    }
}

/// Cuts user and password out of URLs: an index often has them.
fn without_password(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\''))
            .unwrap_or(after.len());
        let host = after[..end].rsplit_once('@').map_or(&after[..end], |(_, host)| host);
        out.push_str(host);
        rest = &after[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests;
