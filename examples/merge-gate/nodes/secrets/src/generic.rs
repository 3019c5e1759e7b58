//! Values of high entropy assigned to a name that says secret.

use crate::value::{digest, entropy, mixed, placeholder, uuid};
use crate::Hit;
use finding::Severity;

/// What names of secrets contain.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "access-key",
    "auth_key",
    "private_key",
    "credential",
];

/// What such names are called when they hold something else.
const NOT_NAMES: [&str; 16] = [
    "token_type",
    "tokenizer",
    "tokenid",
    "token_url",
    "tokenurl",
    "token_count",
    "tokens",
    "secret_name",
    "secretname",
    "secret_arn",
    "password_hash",
    "passwordhash",
    "public",
    "csrf",
    "next_token",
    "pagetoken",
];

const SHORTEST: usize = 12;
const LONGEST: usize = 300;

/// Finds `NAME = "VALUE"`, `NAME: VALUE`, `NAME := ...`, `"NAME": "VALUE"` in a line.
pub fn find(line: &str, limit: f64) -> Option<Hit> {
    if !line.contains(['=', ':']) {
        return None;
    }
    let (name, end) = named(line.as_bytes())?;
    let lower = line.to_ascii_lowercase(); // same offsets: only ASCII changes
    let (start, quoted) = value_start(line, name, end)?;
    let whole_name = &lower[word_start(&lower, name)..start];
    if NOT_NAMES.iter().any(|n| whole_name.contains(n)) {
        return None;
    }
    let value = &line[start..value_end(line, start, quoted)];
    if !(SHORTEST..=LONGEST).contains(&value.len()) || !looks_random(value, limit) || reads(line, start, quoted) {
        return None;
    }
    Some(Hit {
        rule: "generic-secret",
        what: "a value that looks random, in a name that says secret",
        severity: Severity::Medium,
        start,
        end: start + value.len(),
    })
}

/// Where the first of the names stands, in any case of letters.
fn named(line: &[u8]) -> Option<(usize, usize)> {
    (0..line.len()).find_map(|at| {
        if !matches!(line[at] | 0x20, b'p' | b's' | b't' | b'a' | b'c') {
            return None;
        }
        let starts = |n: &&&str| {
            line[at..]
                .get(..n.len())
                .is_some_and(|l| l.eq_ignore_ascii_case(n.as_bytes()))
        };
        NAMES.iter().find(starts).map(|n| (at, at + n.len()))
    })
}

fn looks_random(value: &str, limit: f64) -> bool {
    entropy(value) >= limit && mixed(value) && !placeholder(value) && !uuid(value) && !digest(value) && !path(value)
}

/// Paths, URLs, sentences, code: what a value often is and a secret is not.
fn path(value: &str) -> bool {
    value.contains("://")
        || value.starts_with(['/', '.', '~'])
        || value.contains(['(', ')', '{', '}', '[', ']', ' ', ';', ','])
        || value.matches('.').count() > 2
        || value.matches('/').count() > 2 && !value.contains(['+', '='])
        || value.contains("->")
        || value.contains("::")
}

fn word_start(line: &str, at: usize) -> usize {
    line[..at]
        .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .map_or(0, |i| i + line[i..].chars().next().map_or(1, char::len_utf8))
}

/// The offset of the value after a name that ends at or after `end`, and whether it
/// is quoted.
fn value_start(line: &str, name: usize, end: usize) -> Option<(usize, Option<char>)> {
    let rest = &line[end..];
    let tail = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))?;
    let mut at = end + tail;
    let skip = |at: usize, set: &[char]| at + line[at..].len() - line[at..].trim_start_matches(set).len();
    at = skip(at, &['"', '\'', '`', ']', ' ', '\t']);
    let assigned = skip(at, &[':', '=', '>']);
    if assigned == at || assigned - at > 3 || assigned - name > 100 {
        return None;
    }
    at = skip(assigned, &[' ', '\t']);
    let quote = line[at..].chars().next()?;
    if matches!(quote, '"' | '\'' | '`') {
        return Some((at + 1, Some(quote)));
    }
    Some((at, None))
}

fn value_end(line: &str, start: usize, quoted: Option<char>) -> usize {
    let rest = &line[start..];
    let end = match quoted {
        Some(quote) => rest.find(quote),
        None => rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '#')),
    };
    start + end.unwrap_or(rest.len())
}

/// Whether an unquoted value is an expression that reads the secret from elsewhere.
fn reads(line: &str, start: usize, quoted: Option<char>) -> bool {
    let rest = &line[start..];
    quoted.is_none()
        && (rest.contains('(')
            || rest.contains('[')
            || rest.starts_with(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '+'))
        || ["getenv", "environ", "process.env", "secrets.", "vault", "keyring"]
            .iter()
            .any(|w| rest.contains(w))
}
