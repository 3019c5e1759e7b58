use crate::errno::{Errno, Error};
use crate::sys;
use crate::Fail;
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every detail.
    Trace = 0,
    /// For the node's author.
    Debug = 1,
    /// For who runs the workflow.
    Info = 2,
    /// Something was left out or looks wrong.
    Warn = 3,
    /// The task cannot do its work.
    Error = 4,
}

/// Which task this is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Name of the workflow.
    pub workflow: String,
    /// Id of the thread.
    pub thread: String,
    /// Id of the run.
    pub run: String,
    /// Name of the node.
    pub node: String,
    /// Id of the task, in hex; the same in every attempt.
    pub task: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Number of the superstep.
    pub superstep: u64,
    /// When the host ends this call: microseconds since 1970.
    pub deadline_us: i64,
    /// W3C trace context; may be empty.
    pub traceparent: String,
}

/// One running task: what a node may ask the host for.
#[derive(Debug)]
pub struct Call {
    pending: Cell<bool>, // a question waits for its answer
}

impl Call {
    /// The SDK makes the Call of a task; tests make theirs.
    pub(crate) const fn new() -> Call {
        Call {
            pending: Cell::new(false),
        }
    }

    /// Reads the task's description.
    pub fn meta(&self) -> Result<Meta, Fail> {
        let bytes = value("meta_read", 512, sys::meta_read)?;
        let all: serde_json::Value = serde_json::from_slice(&bytes)?;
        let text = |name: &str| all[name].as_str().unwrap_or_default().to_string();
        Ok(Meta {
            workflow: text("workflow"),
            thread: text("thread"),
            run: text("run"),
            node: text("node"),
            task: text("task"),
            attempt: all["attempt"].as_u64().unwrap_or_default() as u32,
            superstep: all["superstep"].as_u64().unwrap_or_default(),
            deadline_us: all["deadline_us"].as_i64().unwrap_or_default(),
            traceparent: text("traceparent"),
        })
    }

    /// Writes one line to the task's log. It never fails: what is over the host's
    /// limit is cut or dropped there, and counted.
    pub fn log(&self, level: Level, msg: &str) {
        sys::log(level as i32, msg.as_bytes());
    }

    /// Whether lines of this level are kept: ask before building a costly one.
    pub fn log_enabled(&self, level: Level) -> bool {
        sys::log_enabled(level as i32) > 0
    }

    /// The host's time: real with the grant `clock`, else a virtual time that
    /// starts at the step's and moves on by a microsecond with each reading.
    pub fn now(&self) -> SystemTime {
        let us = sys::clock_now();
        let distance = Duration::from_micros(us.unsigned_abs());
        if us < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        }
    }

    /// Fills `buf` with random bytes; without the grant `random`, `Denied`.
    pub fn random(&self, buf: &mut [u8]) -> Result<(), Error> {
        if buf.is_empty() {
            return Ok(());
        }
        check("random", sys::random(buf)).map(drop)
    }

    /// Asks a person, and gives what they answered. Question and answer are JSON.
    ///
    /// The first time there is no answer: the failure has the code `pending`, and the
    /// node returns it with `?`, having done nothing else. The task then ends as
    /// interrupted, whatever the node returns, and its output is not written. When
    /// somebody has answered, the task runs again from its beginning and `ask` gives
    /// the answer:
    ///
    /// ```
    /// # use dashhost::{Call, Fail};
    /// # fn node(call: &Call, version: &str) -> Result<bool, Fail> {
    /// let ok: bool = call.ask(&format!("deploy {version}?"))?;
    /// # Ok(ok) }
    /// ```
    ///
    /// A task may ask several times. Each attempt must ask the same questions in the
    /// same order; what a question is made of must so come from the input, earlier
    /// answers, or the host's clock and random, which repeat what they said. An answer
    /// that does not fit fails for good with the code `bad_answer`. Without
    /// `interrupts: true` on the node the code is `denied`.
    pub fn ask<Q: Serialize + ?Sized, A: DeserializeOwned>(&self, question: &Q) -> Result<A, Fail> {
        let question = serde_json::to_vec(question)?;
        let asked = check("interrupt", sys::interrupt(&question));
        if let Err(e) = &asked {
            self.pending.set(self.pending.get() || e.errno == Errno::Pending);
        }
        let answer = value("answer_read", asked?, sys::answer_read)?;
        serde_json::from_slice(&answer).map_err(|e| Fail::fatal("bad_answer", format!("answer: {e}")))
    }

    /// Whether a question of this call waits for its answer.
    pub(crate) fn pending(&self) -> bool {
        self.pending.get()
    }

    /// Names the node that runs next; several calls name several. The graph must
    /// have an edge that allows it.
    pub fn route_to(&self, node: &str) -> Result<(), Error> {
        check("route_to", sys::route_to(node.as_bytes())).map(drop)
    }

    /// Makes a task of `node` with an input of its own, which that task finds in the
    /// member `item`.
    pub fn route_send<T: Serialize>(&self, node: &str, input: &T) -> Result<(), Fail> {
        let input = serde_json::to_vec(input)?;
        check("route_send", sys::route_send(node.as_bytes(), &input))?;
        Ok(())
    }
}

/// Turns a negative result into an [`Error`] with the host's explanation.
pub(crate) fn check(func: &'static str, result: i32) -> Result<usize, Error> {
    if result >= 0 {
        return Ok(result as usize);
    }
    let errno = Errno::from_number(result.wrapping_neg());
    let mut text = vec![0; 256];
    let mut n = sys::last_error(&mut text);
    if n > text.len() as i32 {
        text.resize(n as usize, 0);
        n = sys::last_error(&mut text);
    }
    let fits = usize::try_from(n).ok().filter(|n| *n <= text.len());
    text.truncate(fits.unwrap_or(0));
    let text = String::from_utf8_lossy(&text).into_owned();
    Err(Error { func, errno, text })
}

/// Reads a VALUE result: the host writes only what fits and always returns the
/// full length, so a buffer of the right size needs one call.
pub(crate) fn value(func: &'static str, size: usize, read: impl Fn(&mut [u8]) -> i32) -> Result<Vec<u8>, Error> {
    let mut buf = vec![0; size];
    loop {
        let n = check(func, read(&mut buf))?;
        let fits = n <= buf.len();
        buf.resize(n, 0);
        if fits {
            return Ok(buf);
        }
    }
}
