//! A host in memory, so that nodes are tested with `cargo test` and no wasm.
//!
//! [`Task`] holds what a node may see, [`Outcome`] what it did. One host belongs to
//! each thread, so tests may run in parallel. It checks no grants and no limits,
//! except what [`Task::refuse`] names: those are the real host's.

use crate::{Call, Errno, Level};
use serde_json::Value;
use std::cell::RefCell;

/// What a node is given.
#[derive(Debug, Clone)]
pub struct Task {
    input: Vec<u8>,
    config: Vec<u8>,
    meta: Vec<u8>,
    now_us: i64,
    seed: u64,
    answers: Vec<String>,
    refuse: Vec<(&'static str, Errno)>,
}

/// What a node did.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Status of `dash_run`, or of `dash_start` if that failed: 0 done, 1 failed, 2
    /// interrupted.
    pub status: i32,
    /// JSON; `None` when nothing was written.
    pub output: Option<String>,
    /// The argument of `fail`, as JSON; `None` when it was not called.
    pub failure: Option<Value>,
    /// Second argument of `fail`: -1 final, 0 by policy, else microseconds.
    pub retry_us: i64,
    /// Targets of `route_to`, in order.
    pub routes: Vec<String>,
    /// Node and input of `route_send`, in order.
    pub sends: Vec<(String, String)>,
    /// Questions, as JSON, in order.
    pub asked: Vec<String>,
    /// Level (0 trace to 4 error) and text of each line.
    pub log: Vec<(i32, String)>,
}

impl Outcome {
    /// The failure's code; empty when the node did not fail.
    pub fn code(&self) -> &str {
        self.failure
            .as_ref()
            .and_then(|f| f["code"].as_str())
            .unwrap_or_default()
    }

    /// The failure's message; empty when the node did not fail.
    pub fn message(&self) -> &str {
        self.failure
            .as_ref()
            .and_then(|f| f["message"].as_str())
            .unwrap_or_default()
    }
}

impl Task {
    /// A task with the JSON object of the channels it reads, without configuration,
    /// at 2026-01-01 00:00:00 UTC.
    pub fn new(input: impl Into<Vec<u8>>) -> Task {
        Task {
            input: input.into(),
            config: Vec::new(),
            meta: b"{}".to_vec(),
            now_us: 1_767_225_600_000_000,
            seed: 0,
            answers: Vec::new(),
            refuse: Vec::new(),
        }
    }

    /// The node's config in the manifest, as JSON.
    pub fn config(mut self, config: impl Into<Vec<u8>>) -> Task {
        self.config = config.into();
        self
    }

    /// What `meta_read` returns, as JSON.
    pub fn meta(mut self, meta: impl Into<Vec<u8>>) -> Task {
        self.meta = meta.into();
        self
    }

    /// The time the clock starts at, in microseconds since 1970.
    pub fn now_us(mut self, us: i64) -> Task {
        self.now_us = us;
        self
    }

    /// Varies the random stream.
    pub fn seed(mut self, seed: u64) -> Task {
        self.seed = seed;
        self
    }

    /// Answers the next question with JSON. A question beyond the answers has none yet:
    /// the task is interrupted.
    pub fn answer(mut self, answer: impl Into<String>) -> Task {
        self.answers.push(answer.into());
        self
    }

    /// Makes a host function, by its ABI name, return an error.
    pub fn refuse(mut self, func: &'static str, errno: Errno) -> Task {
        self.refuse.push((func, errno));
        self
    }

    /// Runs both phases: the functions that [`node!`](crate::node!) exports. A node
    /// with state keeps it for the process, as an instance does: start it once.
    pub fn run(self, start: extern "C" fn(u32) -> i32, run: extern "C" fn(u32) -> i32) -> Outcome {
        let (config_len, input_len) = (self.config.len() as u32, self.input.len() as u32);
        self.host(|| match start(config_len) {
            0 => run(input_len),
            failed => failed,
        })
    }

    /// Calls a node function directly: `f` gets a [`Call`] that this task answers.
    pub fn call<T>(self, f: impl FnOnce(&Call) -> T) -> (T, Outcome) {
        let mut result = None;
        let outcome = self.host(|| {
            result = Some(f(&Call::new()));
            0
        });
        (result.expect("the host runs its argument once"), outcome)
    }

    fn host(self, f: impl FnOnce() -> i32) -> Outcome {
        HOST.with_borrow_mut(|h| *h = Host::of(self));
        let status = f();
        HOST.with_borrow_mut(|h| {
            h.outcome.status = status;
            std::mem::take(&mut h.outcome)
        })
    }
}

struct Host {
    task: Task,
    outcome: Outcome,
    error: String,
    answer: Option<String>, // to the last question
}

impl Host {
    fn of(task: Task) -> Host {
        Host {
            task,
            outcome: Outcome::default(),
            error: String::new(),
            answer: None,
        }
    }

    fn refused(&mut self, func: &str) -> Option<i32> {
        let (name, errno) = *self.task.refuse.iter().find(|(name, _)| *name == func)?;
        self.error = format!("{name}: refused by the test");
        Some(-(errno as i32))
    }

    fn invalid(&mut self, text: String) -> i32 {
        self.error = text;
        -(Errno::Invalid as i32)
    }
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::of(Task::new("{}")));
}

fn text(b: &[u8]) -> String {
    String::from_utf8_lossy(b).into_owned()
}

/// The functions of `dash_v1` against the host of this thread.
pub(crate) mod sys {
    use super::*;

    fn value(func: &str, buf: &mut [u8], get: impl FnOnce(&Host) -> &[u8]) -> i32 {
        HOST.with_borrow_mut(|h| {
            if let Some(n) = h.refused(func) {
                return n;
            }
            let v = get(h);
            if v.len() <= buf.len() {
                buf[..v.len()].copy_from_slice(v);
            }
            v.len() as i32
        })
    }

    fn effect(func: &str, apply: impl FnOnce(&mut Host) -> Result<(), String>) -> i32 {
        HOST.with_borrow_mut(|h| match h.refused(func) {
            Some(n) => n,
            None => apply(h).map_or_else(|e| h.invalid(e), |()| 0),
        })
    }

    pub fn input_read(buf: &mut [u8]) -> i32 {
        value("input_read", buf, |h| &h.task.input)
    }

    pub fn config_read(buf: &mut [u8]) -> i32 {
        value("config_read", buf, |h| &h.task.config)
    }

    pub fn meta_read(buf: &mut [u8]) -> i32 {
        value("meta_read", buf, |h| &h.task.meta)
    }

    pub fn last_error(buf: &mut [u8]) -> i32 {
        value("last_error", buf, |h| h.error.as_bytes())
    }

    pub fn output_write(b: &[u8]) -> i32 {
        effect("output_write", |h| match serde_json::from_slice::<Value>(b) {
            Ok(Value::Object(_)) => {
                h.outcome.output = Some(text(b));
                Ok(())
            }
            _ => Err("output_write: want a JSON object".to_string()),
        })
    }

    pub fn fail(b: &[u8], retry_us: i64) -> i32 {
        effect("fail", |h| {
            let failure = serde_json::from_slice(b);
            h.outcome.failure = Some(failure.unwrap_or_else(|_| Value::from(text(b))));
            h.outcome.retry_us = retry_us;
            Ok(())
        })
    }

    pub fn route_to(node: &[u8]) -> i32 {
        effect("route_to", |h| {
            h.outcome.routes.push(text(node));
            Ok(())
        })
    }

    pub fn route_send(node: &[u8], input: &[u8]) -> i32 {
        effect("route_send", |h| {
            h.outcome.sends.push((text(node), text(input)));
            Ok(())
        })
    }

    /// The nth question has the nth answer.
    pub fn interrupt(question: &[u8]) -> i32 {
        HOST.with_borrow_mut(|h| {
            if let Some(n) = h.refused("interrupt") {
                return n;
            }
            let n = h.outcome.asked.len();
            h.outcome.asked.push(text(question));
            h.answer = h.task.answers.get(n).cloned();
            match &h.answer {
                Some(answer) => answer.len() as i32,
                None => {
                    h.error = "interrupt: no answer yet".to_string();
                    -(Errno::Pending as i32)
                }
            }
        })
    }

    pub fn answer_read(buf: &mut [u8]) -> i32 {
        value("answer_read", buf, |h| {
            h.answer.as_deref().unwrap_or_default().as_bytes()
        })
    }

    pub fn log(level: i32, msg: &[u8]) {
        HOST.with_borrow_mut(|h| h.outcome.log.push((level, text(msg))));
    }

    pub fn log_enabled(level: i32) -> i32 {
        i32::from(level >= Level::Trace as i32)
    }

    pub fn clock_now() -> i64 {
        HOST.with_borrow_mut(|h| {
            h.task.now_us += 1;
            h.task.now_us
        })
    }

    /// Fills `buf` from a stream made from the seed (splitmix64).
    pub fn random(buf: &mut [u8]) -> i32 {
        HOST.with_borrow_mut(|h| {
            if let Some(n) = h.refused("random") {
                return n;
            }
            for b in buf {
                h.task.seed = h.task.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = h.task.seed;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                *b = (z ^ (z >> 31)) as u8;
            }
            0
        })
    }

    pub fn log_panics() {}
}
