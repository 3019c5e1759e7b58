//! The check of ../README.md in Rust.

use dashhost::{Call, Fail};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    to: String,
}

#[derive(Deserialize)]
struct In<'a> {
    #[serde(borrow, default)]
    files: Vec<File<'a>>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    size: Option<&'a RawValue>,
    #[serde(borrow, default)]
    added: Vec<Run<'a>>,
}

#[derive(Deserialize)]
struct Run<'a> {
    line: i64,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct Finding {
    path: String,
    line: i64,
    column: usize,
    excerpt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Box<RawValue>>,
}

struct Check {
    to: String,
}

impl Check {
    fn new(config: Config) -> Result<Check, Fail> {
        Ok(Check { to: config.to })
    }

    fn run(&self, _: &Call, input: In) -> Result<BTreeMap<String, Vec<Finding>>, Fail> {
        let mut found = Vec::new();
        for file in &input.files {
            for run in &file.added {
                for (number, line) in (run.line..).zip(run.text.split('\n')) {
                    let line = line.strip_suffix('\r').unwrap_or(line);
                    let text = line.trim_end_matches([' ', '\t', '\u{a0}', '\u{3000}']);
                    if text.len() < line.len() {
                        found.push(Finding {
                            path: file.path.to_string(),
                            line: number,
                            column: text.chars().count() + 1,
                            excerpt: last(line, 20).to_string(),
                            size: file.size.map(ToOwned::to_owned),
                        });
                    }
                }
            }
        }
        Ok(BTreeMap::from([(self.to.clone(), found)]))
    }
}

dashhost::node!(Check::run, state: Check = Check::new);

/// The last n characters.
fn last(s: &str, n: usize) -> &str {
    let from = s.char_indices().rev().take(n).last().map_or(s.len(), |(i, _)| i);
    &s[from..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use dashhost::testing::Task;

    #[test]
    fn blanks_are_found() {
        let input = r#"{"files":[{"path":"é","size":9007199254740993,"added":[{"line":7,"text":"x\u3000\t\r\ny\r\n \n"}]}]}"#;
        let want = "{\"found\":[{\"path\":\"é\",\"line\":7,\"column\":2,\"excerpt\":\"x\u{3000}\\t\",\"size\":9007199254740993},\
            {\"path\":\"é\",\"line\":9,\"column\":1,\"excerpt\":\" \",\"size\":9007199254740993}]}";
        let got = Task::new(input).config(r#"{"to":"found"}"#).run(dash_start, dash_run);
        assert_eq!(got.output.as_deref(), Some(want), "{got:?}");
    }
}
