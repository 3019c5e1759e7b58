//! What the Rust nodes of merge-gate share: the files that split writes, as checks
//! see them, and the findings that checks write. The nodes in other languages have the
//! same; all are tested against the same ids.

mod sha256;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Low,
    Medium,
    High,
}

/// One thing that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stays the same when lines move: see [`id`].
    pub id: String,
    pub rule: &'static str,
    pub severity: Severity,
    pub path: String,
    /// Number in the new file; 0 is the file as a whole.
    #[serde(skip_serializing_if = "is_zero")]
    pub line: u32,
    pub message: String,
    /// The place, printable, with secrets cut out. May be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Identifies a finding over pushes: 16 hex digits of SHA-256 over rule, path and the
/// offending content, each ended by a zero byte. The line number is not in it.
pub fn id(rule: &str, path: &str, content: &str) -> String {
    let mut message = Vec::with_capacity(rule.len() + path.len() + content.len() + 3);
    for part in [rule, path, content] {
        message.extend_from_slice(part.as_bytes());
        message.push(0);
    }
    sha256::digest(&message)[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A run of added lines.
#[derive(Debug, Deserialize)]
pub struct Run<'a> {
    /// Number of the first one in the new file.
    pub line: u32,
    /// Without the last line's end.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

impl Run<'_> {
    /// The lines with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        self.text
            .split('\n')
            .enumerate()
            .map(|(i, line)| (self.line.saturating_add(i as u32), line))
    }
}

/// One file of a change.
#[derive(Debug, Deserialize)]
pub struct File<'a> {
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    /// added, deleted, modified, renamed, copied
    #[serde(borrow, default)]
    pub status: Cow<'a, str>,
    #[serde(borrow, default)]
    pub added: Vec<Run<'a>>,
}

impl File<'_> {
    /// The path's last component.
    pub fn base(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Input of a check: a batch of files.
#[derive(Debug, Deserialize)]
pub struct Batch<'a> {
    #[serde(borrow)]
    pub item: Vec<File<'a>>,
}

/// Output of a check; no findings, no write.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// Whether a path belongs to test data, where odd content is often meant: findings
/// there are low.
pub fn fixture(path: &str) -> bool {
    const DIRS: [&str; 11] = [
        "testdata",
        "fixtures",
        "fixture",
        "__fixtures__",
        "__tests__",
        "test",
        "tests",
        "spec",
        "specs",
        "mocks",
        "__mocks__",
    ];
    let path = path.to_ascii_lowercase();
    let (dirs, base) = path.rsplit_once('/').unwrap_or(("", &path));
    dirs.split('/').any(|d| DIRS.contains(&d)) || ["_test.", ".test.", ".spec."].iter().any(|m| base.contains(m))
}

/// Makes text printable and short: what has no glyph or moves others becomes `?`.
pub fn excerpt(text: &str) -> String {
    const MOST: usize = 120;
    let mut out = String::new();
    for (n, c) in text.trim().chars().enumerate() {
        if n == MOST {
            out.push_str("...");
            break;
        }
        out.push(match c {
            '\t' => ' ',
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => '?',
            c if c.is_control() => '?',
            c => c,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Go package has the same table.
    #[test]
    fn id_is_the_same_in_every_language() {
        assert_eq!(id("aws-access-key", "a/b.go", "x"), "e458f55458f1070c");
        assert_eq!(id("bidi-control", "päth", "é\u{202e}"), "f31cf500d1ac3593");
        assert_eq!(id("", "", ""), "709e80c88487a241");
        assert_ne!(id("ab", "c", ""), id("a", "bc", ""));
    }

    #[test]
    fn fixtures_are_known_by_path() {
        for path in [
            "testdata/x",
            "a/Fixtures/x.go",
            "a/b_test.go",
            "web/x.spec.ts",
            "tests/a.py",
        ] {
            assert!(fixture(path), "{path}");
        }
        for path in ["contest/x.go", "a/latest.go", "main.go", "testdata"] {
            assert!(!fixture(path), "{path}");
        }
    }

    #[test]
    fn excerpts_are_printable_and_short() {
        assert_eq!(excerpt("\t a\u{202e}b\x1b\tc "), "a?b? c");
        assert_eq!(excerpt(&"é".repeat(500)).chars().count(), 123);
    }
}
