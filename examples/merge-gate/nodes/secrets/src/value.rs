//! What a value looks like.

/// Shannon entropy in bits per byte.
pub fn entropy(s: &str) -> f64 {
    let mut counts = [0u32; 256];
    for b in s.bytes() {
        counts[b as usize] += 1;
    }
    let n = s.len() as f64;
    counts
        .iter()
        .filter(|c| **c > 0)
        .map(|c| {
            let p = f64::from(*c) / n;
            -p * p.log2()
        })
        .sum()
}

/// Words that say: not a real one.
const PLACEHOLDERS: [&str; 24] = [
    "example",
    "sample",
    "dummy",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "your_",
    "your-",
    "yourkey",
    "replace",
    "redacted",
    "insert",
    "fixme",
    "todo",
    "foobar",
    "xxxx",
    "****",
    "....",
    "0000000",
    "1234567",
    "abcdefg",
    "not-a-real",
    "not_a_real",
];

/// Whether a value stands for one: a placeholder, a variable, a repetition.
pub fn placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|p| lower.contains(p))
        || value.contains("${")
        || value.contains("{{")
        || value.contains("$(")
        || value.starts_with(['$', '<', '%', '@', '#'])
        || distinct(value) < 5
}

fn distinct(value: &str) -> usize {
    let mut seen = [false; 256];
    value.bytes().for_each(|b| seen[b as usize] = true);
    seen.iter().filter(|s| **s).count()
}

/// 8-4-4-4-12 hex digits.
pub fn uuid(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|p| p.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Only hex digits, as many as a common digest has.
pub fn digest(value: &str) -> bool {
    matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128) && value.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a value mixes kinds of characters as random ones do and words do not:
/// digits and letters, both spread.
pub fn mixed(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let upper = value.bytes().filter(u8::is_ascii_uppercase).count();
    let lower = value.bytes().filter(u8::is_ascii_lowercase).count();
    let other = value.len() - digits - upper - lower;
    let kinds = [digits, upper, lower, other].iter().filter(|n| **n > 0).count();
    digits > 0 && upper + lower > 0 && (kinds >= 3 || digits * 6 >= value.len())
}
