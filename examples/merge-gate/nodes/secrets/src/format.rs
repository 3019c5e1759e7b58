//! Formats that only credentials have.

use crate::value::{entropy, placeholder};
use crate::Hit;
use finding::Severity;

/// A token that starts with a fixed text and goes on with a run of characters.
struct Format {
    rule: &'static str,
    what: &'static str,
    prefix: &'static str,
    /// Characters of the run.
    set: fn(u8) -> bool,
    /// Shortest and longest run.
    least: usize,
    most: usize,
}

const fn format(
    rule: &'static str,
    what: &'static str,
    prefix: &'static str,
    set: fn(u8) -> bool,
    least: usize,
    most: usize,
) -> Format {
    Format {
        rule,
        what,
        prefix,
        set,
        least,
        most,
    }
}

fn upper32(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn url(b: u8) -> bool {
    word(b) || b == b'-'
}

fn base64(b: u8) -> bool {
    alnum(b) || matches!(b, b'+' | b'/' | b'=')
}

const FORMATS: [Format; 31] = [
    format("aws-access-key", "an AWS access key id", "AKIA", upper32, 16, 16),
    format(
        "aws-access-key",
        "a temporary AWS access key id",
        "ASIA",
        upper32,
        16,
        16,
    ),
    format("github-token", "a GitHub personal access token", "ghp_", alnum, 36, 251),
    format("github-token", "a GitHub OAuth token", "gho_", alnum, 36, 251),
    format("github-token", "a GitHub user token", "ghu_", alnum, 36, 251),
    format("github-token", "a GitHub server token", "ghs_", alnum, 36, 251),
    format("github-token", "a GitHub refresh token", "ghr_", alnum, 36, 251),
    format(
        "github-token",
        "a GitHub fine-grained token",
        "github_pat_",
        word,
        60,
        251,
    ),
    format("gitlab-token", "a GitLab personal access token", "glpat-", url, 20, 100),
    format("gitlab-token", "a GitLab deploy token", "gldt-", url, 20, 100),
    format("gitlab-token", "a GitLab runner token", "glrt-", url, 20, 100),
    format("slack-token", "a Slack bot token", "xoxb-", url, 20, 255),
    format("slack-token", "a Slack user token", "xoxp-", url, 20, 255),
    format("slack-token", "a Slack app token", "xapp-", url, 20, 255),
    format("slack-token", "a Slack token", "xoxa-", url, 20, 255),
    format("slack-token", "a Slack token", "xoxr-", url, 20, 255),
    format("slack-token", "a Slack token", "xoxs-", url, 20, 255),
    format(
        "slack-webhook",
        "a Slack webhook",
        "hooks.slack.com/services/",
        slash,
        30,
        100,
    ),
    format("stripe-key", "a Stripe live secret key", "sk_live_", alnum, 20, 247),
    format("stripe-key", "a Stripe live restricted key", "rk_live_", alnum, 20, 247),
    format("google-api-key", "a Google API key", "AIza", url, 35, 35),
    format("google-oauth", "a Google OAuth client secret", "GOCSPX-", url, 28, 28),
    format("npm-token", "an npm token", "npm_", alnum, 36, 36),
    format("pypi-token", "a PyPI token", "pypi-AgEIcHlwaS5vcmc", url, 50, 300),
    format("sendgrid-key", "a SendGrid key", "SG.", dotted, 60, 75),
    format("anthropic-key", "an Anthropic API key", "sk-ant-", url, 80, 200),
    format("openai-key", "an OpenAI API key", "sk-proj-", url, 40, 200),
    format("digitalocean-token", "a DigitalOcean token", "dop_v1_", hex, 64, 64),
    format(
        "azure-storage-key",
        "an Azure storage key",
        "AccountKey=",
        base64,
        86,
        90,
    ),
    format("hashicorp-token", "a Vault service token", "hvs.", url, 24, 200),
    format("age-key", "an age secret key", "AGE-SECRET-KEY-1", upper32, 58, 58),
];

fn slash(b: u8) -> bool {
    alnum(b) || b == b'/'
}

fn dotted(b: u8) -> bool {
    url(b) || b == b'.'
}

fn hex(b: u8) -> bool {
    b.is_ascii_hexdigit()
}

/// Finds all tokens of a line, without overlaps, from the left.
pub fn find(line: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hit = candidate(bytes[at]).then(|| token(line, at)).flatten();
        match hit {
            Some(hit) => {
                at = hit.end;
                hits.push(hit);
            }
            None => at += 1,
        }
    }
    hits
}

/// First characters of all formats: most places of most lines are none.
fn candidate(b: u8) -> bool {
    matches!(b, b'A' | b'G' | b'S' | b'a'..=b'z' | b'-')
}

fn token(line: &str, at: usize) -> Option<Hit> {
    let bytes = line.as_bytes();
    if at > 0 && word(bytes[at - 1]) {
        return None;
    }
    FORMATS
        .iter()
        .find_map(|f| f.at(line, at))
        .or_else(|| private_key(line, at))
        .or_else(|| jwt(line, at))
        .or_else(|| url_password(line, at))
}

impl Format {
    fn at(&self, line: &str, at: usize) -> Option<Hit> {
        let bytes = &line.as_bytes()[at..];
        if bytes[0] != self.prefix.as_bytes()[0] || !bytes.starts_with(self.prefix.as_bytes()) {
            return None;
        }
        let run = bytes[self.prefix.len()..]
            .iter()
            .take_while(|b| (self.set)(**b))
            .count();
        if run < self.least || run > self.most {
            return None;
        }
        let end = at + self.prefix.len() + run;
        let body = &line[end - run..end];
        if placeholder(body) || entropy(body) < 2.5 {
            return None;
        }
        Some(Hit {
            rule: self.rule,
            what: self.what,
            severity: Severity::High,
            start: at,
            end,
        })
    }
}

/// `-----BEGIN RSA PRIVATE KEY-----`: the key is in the next lines, the finding is
/// here.
fn private_key(line: &str, at: usize) -> Option<Hit> {
    let rest = line[at..].strip_prefix("-----BEGIN ")?;
    let (label, after) = rest.split_once("-----")?;
    if !label.ends_with("PRIVATE KEY") && label != "PGP PRIVATE KEY BLOCK" {
        return None;
    }
    if label.len() > 40 || after.contains("...") || placeholder(label) {
        return None;
    }
    Some(Hit {
        rule: "private-key",
        what: "a private key",
        severity: Severity::High,
        start: at,
        end: line.len(),
    })
}

/// Three parts of base64url, the first two of which are JSON objects.
fn jwt(line: &str, at: usize) -> Option<Hit> {
    let rest = &line[at..];
    if !rest.starts_with("eyJ") {
        return None;
    }
    let run = rest.bytes().take_while(|b| dotted(*b)).count();
    let parts: Vec<&str> = rest[..run].split('.').collect();
    let [head, claims, signature] = parts[..] else {
        return None;
    };
    let real = head.len() >= 12 && claims.starts_with("eyJ") && claims.len() >= 12 && signature.len() >= 16;
    if !real || placeholder(signature) {
        return None;
    }
    Some(Hit {
        rule: "jwt",
        what: "a signed JSON web token",
        severity: Severity::Medium,
        start: at,
        end: at + run,
    })
}

/// `scheme://user:password@host`
fn url_password(line: &str, at: usize) -> Option<Hit> {
    let rest = &line[at..];
    let scheme = rest
        .bytes()
        .take_while(|b| b.is_ascii_lowercase() || *b == b'+')
        .count();
    if !(2..=16).contains(&scheme) {
        return None;
    }
    let authority = rest[scheme..].strip_prefix("://")?;
    let end = authority
        .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | '<' | '>' | ')' | '?' | '#'));
    let authority = &authority[..end.unwrap_or(authority.len())];
    let (user_info, host) = authority.rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    let local = ["localhost", "127.0.0.1", "[::1]", "example."]
        .iter()
        .any(|h| host.contains(h));
    let weak = [
        "password", "passwd", "pass", "secret", "pwd", "postgres", "guest", "root", "user", "admin", user,
    ];
    if host.is_empty() || local || password.len() < 4 || weak.contains(&password) || placeholder(password) {
        return None;
    }
    let start = at + scheme + "://".len() + user.len() + 1;
    Some(Hit {
        rule: "url-password",
        what: "a password in a URL",
        severity: Severity::High,
        start,
        end: start + password.len(),
    })
}

/// The part of a secret that its format gives away anyway, and that may be shown.
pub fn prefix(secret: &str) -> &str {
    let known = FORMATS.iter().map(|f| f.prefix).find(|p| secret.starts_with(p));
    known.unwrap_or(if secret.starts_with("-----BEGIN ") {
        "-----BEGIN "
    } else {
        ""
    })
}
