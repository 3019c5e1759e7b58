//! A node with a state built from its configuration. One test: the state belongs
//! to the process, as it belongs to the instance in a host.

use dashhost::testing::Task;
use dashhost::{Call, Fail};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    greeting: String,
}

struct Greeter {
    prefix: String,
}

#[derive(Deserialize)]
struct In {
    name: String,
}

#[derive(Serialize)]
struct Out {
    greeting: String,
}

impl Greeter {
    fn new(config: Config) -> Result<Greeter, Fail> {
        if config.greeting.is_empty() {
            return Err(Fail::fatal("bad_config", "greeting: empty"));
        }
        Ok(Greeter {
            prefix: config.greeting + " ",
        })
    }

    fn greet(&self, _: &Call, input: In) -> Result<Out, Fail> {
        Ok(Out {
            greeting: format!("{}{}", self.prefix, input.name),
        })
    }
}

dashhost::node!(Greeter::greet, state: Greeter = Greeter::new);

#[test]
fn state_is_built_once_from_strict_configuration() {
    let task = || Task::new(r#"{"name":"ada"}"#);
    for (config, want) in [
        ("", "missing field `greeting`"),
        (r#"{"greting":"hi"}"#, "unknown field `greting`"),
        (r#"{"greeting":""}"#, "greeting: empty"),
    ] {
        let got = task().config(config).run(dash_start, dash_run);
        assert_eq!((got.status, got.code()), (1, "bad_config"), "{config}");
        assert!(got.message().contains(want), "{config}: {}", got.message());
    }
    assert_eq!(task().call(|_| dash_run(14)).1.code(), "not_started");

    let got = task().config(r#"{"greeting":"hi"}"#).run(dash_start, dash_run);
    assert_eq!(got.output.as_deref(), Some(r#"{"greeting":"hi ada"}"#));
    let again = task().config(r#"{"greeting":"hi"}"#).run(dash_start, dash_run);
    assert_eq!(again.code(), "started_twice");
}
