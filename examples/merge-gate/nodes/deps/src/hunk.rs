//! The lines of a file's hunks.

use finding::File;

/// One line of a hunk, without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub kind: Kind,
    /// Number in the new file; of a removed line, of the line that follows it.
    pub number: u32,
    /// First line of its hunk: what stands above is not known.
    pub first: bool,
    pub text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Added,
    Removed,
    Kept,
}

/// All lines of all hunks, in order.
pub fn lines<'a>(file: &'a File) -> Vec<Line<'a>> {
    file.hunks
        .iter()
        .flat_map(|hunk| of_hunk(hunk.line, &hunk.text))
        .collect()
}

fn of_hunk(start: u32, text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut number = start;
    text.split('\n').enumerate().map(move |(i, line)| {
        let kind = match line.as_bytes().first() {
            Some(b'+') => Kind::Added,
            Some(b'-') => Kind::Removed,
            _ => Kind::Kept,
        };
        let this = Line {
            kind,
            number,
            first: i == 0,
            text: line.get(1..).unwrap_or_default(),
        };
        if kind != Kind::Removed {
            number = number.saturating_add(1);
        }
        this
    })
}
