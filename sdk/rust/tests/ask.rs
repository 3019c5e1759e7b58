//! A node that asks people: the task ends until they have answered.

use dashhost::testing::{Outcome, Task};
use dashhost::{Call, Errno, Fail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct In {
    ask: String,
}

#[derive(Deserialize)]
struct Approval {
    by: String,
    ok: bool,
}

#[derive(Serialize)]
struct Out {
    answer: String,
}

/// Asks twice, the second time about the first answer.
fn node(call: &Call, input: In) -> Result<Out, Fail> {
    match input.ask.as_str() {
        "swallow" => {
            let asked: Result<bool, Fail> = call.ask("?");
            assert_eq!(asked.unwrap_err().code(), "pending");
            Ok(Out { answer: "lost".into() })
        }
        "fail" => {
            let _ = call.ask::<_, bool>("?");
            Err(Fail::new("x", "y").keep_output(&Out { answer: "lost".into() }))
        }
        name => {
            let first: Approval = call.ask(&BTreeMap::from([("deploy", name)]))?;
            let second: u64 = call.ask(&format!("really, {}?", first.by))?;
            let answer = format!("{} {second}", first.ok);
            Ok(Out { answer })
        }
    }
}

dashhost::node!(node);

const FIRST: &str = r#"{"by":"ada","ok":true}"#;

fn task(name: &str) -> Task {
    Task::new(format!(r#"{{"ask":"{name}"}}"#))
}

fn run(task: Task) -> Outcome {
    task.run(dash_start, dash_run)
}

#[test]
fn questions_end_the_task_until_they_are_answered() {
    let none = run(task("x"));
    assert_eq!((none.status, none.output, none.failure), (2, None, None));
    assert_eq!(none.asked, [r#"{"deploy":"x"}"#]);

    let one = run(task("x").answer(FIRST));
    assert_eq!((one.status, one.output, one.failure), (2, None, None));
    assert_eq!(one.asked, [r#"{"deploy":"x"}"#, r#""really, ada?""#]);

    let both = run(task("x").answer(FIRST).answer("9007199254740993"));
    assert_eq!(both.status, 0);
    assert_eq!(both.output.as_deref(), Some(r#"{"answer":"true 9007199254740993"}"#));
}

#[test]
fn an_unanswered_task_is_interrupted_whatever_it_returns() {
    for name in ["swallow", "fail"] {
        let got = run(task(name));
        assert_eq!((got.status, got.output, got.failure), (2, None, None), "{name}");
    }
}

#[test]
fn questions_that_cannot_be_asked() {
    let denied = run(task("x").refuse("interrupt", Errno::Denied));
    assert_eq!((denied.status, denied.code()), (1, "denied"));
    let wrong = run(task("x").answer("true"));
    assert_eq!((wrong.status, wrong.code(), wrong.retry_us), (1, "bad_answer", -1));
    let gone = run(task("x").answer(FIRST).refuse("answer_read", Errno::NotFound));
    assert_eq!((gone.status, gone.code()), (1, "not_found"));
}
