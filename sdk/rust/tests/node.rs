//! A node without configuration: what reaches the host, and how failures look.

use dashhost::testing::Task;
use dashhost::{Call, Errno, Error, Fail, Level, Retry};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Deserialize)]
struct In<'a> {
    ask: &'a str,
}

#[derive(Serialize)]
struct Out {
    #[serde(skip_serializing_if = "String::is_empty")]
    answer: String,
}

fn node(call: &Call, input: In) -> Result<Out, Fail> {
    let answer = match input.ask {
        "plain" => return Err("x".parse::<i32>().unwrap_err().into()),
        "fatal" => return Err(Fail::fatal("bad", "m")),
        "later" => return Err(Fail::new("busy", "m").retry(Retry::After(Duration::from_millis(1500)))),
        "details" => return Err(Fail::new("bad", "m").details(&[1, 2])),
        "keep" => return Err(Fail::new("findings", "3 high").keep_output(&Out { answer: "kept".into() })),
        "random" => {
            let mut b = [0; 4];
            call.random(&mut b)?;
            String::new()
        }
        "meta" => call.meta()?.node,
        "routes" => {
            call.route_to("b")?;
            call.route_send("c", &[1])?;
            call.log(Level::Info, "routed");
            String::new()
        }
        "clock" => format!("{}", call.now() < call.now()),
        other => other.to_string(),
    };
    Ok(Out { answer })
}

dashhost::node!(node);

fn ask(what: &str) -> Task {
    Task::new(format!(r#"{{"ask":"{what}"}}"#))
}

#[test]
fn output_is_written() {
    let got = ask("echo").run(dash_start, dash_run);
    assert_eq!(got.status, 0);
    assert_eq!(got.output.as_deref(), Some(r#"{"answer":"echo"}"#));
    assert!(got.failure.is_none());
}

#[test]
fn failures_reach_the_host() {
    let cases = [
        (
            "plain",
            r#"{"code":"failed","message":"invalid digit found in string"}"#,
            0,
        ),
        ("fatal", r#"{"code":"bad","message":"m"}"#, -1),
        ("later", r#"{"code":"busy","message":"m"}"#, 1_500_000),
        ("details", r#"{"code":"bad","message":"m","details":[1,2]}"#, 0),
    ];
    for (what, want, retry_us) in cases {
        let got = ask(what).run(dash_start, dash_run);
        let want: serde_json::Value = serde_json::from_str(want).unwrap();
        assert_eq!(
            (got.status, got.failure, got.retry_us),
            (1, Some(want), retry_us),
            "{what}"
        );
        assert_eq!(got.output, None, "{what}");
    }
}

#[test]
fn keep_output_writes_and_fails() {
    let got = ask("keep").run(dash_start, dash_run);
    assert_eq!(got.output.as_deref(), Some(r#"{"answer":"kept"}"#));
    assert_eq!(got.failure.unwrap()["keep_output"], true);

    let refused = ask("keep")
        .refuse("output_write", Errno::TooLarge)
        .run(dash_start, dash_run);
    assert_eq!(refused.code(), "too_large");
    assert_eq!(refused.log[0].1, "findings: 3 high");
}

#[test]
fn bad_input_is_final() {
    for input in ["", "[]", r#"{"ask":1}"#, r#"{"ask":"x""#] {
        let got = Task::new(input).run(dash_start, dash_run);
        assert_eq!((got.code(), got.retry_us), ("bad_input", -1), "{input}");
    }
}

#[test]
fn refusals_keep_their_name_and_text() {
    let got = ask("random").refuse("random", Errno::Denied).run(dash_start, dash_run);
    assert_eq!(got.code(), "denied");
    assert_eq!(got.message(), "random: denied: random: refused by the test");

    let (result, _) = Task::new("{}")
        .refuse("route_to", Errno::NotFound)
        .call(|call| call.route_to("nowhere"));
    let want = Error {
        func: "route_to",
        errno: Errno::NotFound,
        text: "route_to: refused by the test".into(),
    };
    assert_eq!(result, Err(want));

    let got = ask("echo")
        .refuse("output_write", Errno::TooLarge)
        .run(dash_start, dash_run);
    assert_eq!((got.status, got.code()), (1, "too_large"));
}

#[test]
fn a_call_asks_the_host() {
    let meta = format!(r#"{{"node":"{}"}}"#, "long".repeat(500));
    let got = ask("meta").meta(meta).run(dash_start, dash_run);
    assert_eq!(got.output.unwrap().len(), 2000 + r#"{"answer":""}"#.len());

    let got = ask("routes").run(dash_start, dash_run);
    assert_eq!(got.output.as_deref(), Some("{}"));
    assert_eq!(got.routes, ["b"]);
    assert_eq!(got.sends, [("c".to_string(), "[1]".to_string())]);
    assert_eq!(got.log, [(2, "routed".to_string())]);

    let got = ask("clock").run(dash_start, dash_run);
    assert_eq!(got.output.as_deref(), Some(r#"{"answer":"true"}"#));
}

#[test]
fn configuration_that_nobody_reads_is_refused() {
    let got = ask("echo").config(r#"{"entropy":4}"#).run(dash_start, dash_run);
    assert_eq!((got.status, got.code()), (1, "bad_config"));
    assert_eq!(ask("echo").config(" {} ").run(dash_start, dash_run).status, 0);
}
