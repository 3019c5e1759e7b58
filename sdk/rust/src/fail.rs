use crate::errno::Error;
use serde::Serialize;
use serde_json::value::{to_raw_value, RawValue};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// How a task fails: what a node function returns as its error.
///
/// Like `anyhow::Error` it is not a `std::error::Error` itself, so that `?` can
/// turn every error into one: code `failed`, or the errno's name for a refused
/// host call, so that `on: [unavailable]` in a retry policy does what it says.
#[derive(Debug)]
pub struct Fail {
    code: Cow<'static, str>,
    message: String,
    details: Option<Box<RawValue>>,
    retry: Retry,
    output: Option<Vec<u8>>,
}

/// Whether a failed task may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// As the node's retry policy says.
    #[default]
    ByPolicy,
    /// Never: the input itself is wrong.
    Never,
    /// By policy, but not before this time has passed.
    After(Duration),
}

impl Fail {
    /// A failure with a code, which retry policies and `on_error` edges match, and
    /// a message for people: subject, cause, what to do.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Fail {
        Fail {
            code: code.into(),
            message: message.into(),
            details: None,
            retry: Retry::ByPolicy,
            output: None,
        }
    }

    /// A failure that is never retried.
    pub fn fatal(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Fail {
        Fail::new(code, message).retry(Retry::Never)
    }

    /// Says whether a retry makes sense.
    pub fn retry(mut self, retry: Retry) -> Fail {
        self.retry = retry;
        self
    }

    /// Adds data for programs. A value that cannot be JSON is left out, and said so
    /// in the message.
    pub fn details<T: Serialize>(mut self, details: &T) -> Fail {
        match to_raw_value(details) {
            Ok(raw) => self.details = Some(raw),
            Err(e) => self.message = format!("{} (details: {e})", self.message),
        }
        self
    }

    /// Fails and yet writes `output`: its writes count. A value that cannot be JSON
    /// is left out, and said so in the message.
    pub fn keep_output<T: Serialize>(mut self, output: &T) -> Fail {
        match serde_json::to_vec(output) {
            Ok(bytes) => self.output = Some(bytes),
            Err(e) => self.message = format!("{} (output: {e})", self.message),
        }
        self
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn take_output(&mut self) -> Option<Vec<u8>> {
        self.output.take()
    }

    /// The arguments of the host function `fail`.
    pub(crate) fn arguments(&self, kept: bool) -> (Vec<u8>, i64) {
        #[derive(Serialize)]
        struct Argument<'a> {
            code: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            details: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            keep_output: bool,
        }
        let argument = Argument {
            code: &self.code,
            message: &self.message,
            details: self.details.as_deref(),
            keep_output: kept,
        };
        let bytes = serde_json::to_vec(&argument).unwrap_or_else(|_| self.message.clone().into_bytes());
        let retry_us = match self.retry {
            Retry::ByPolicy => 0,
            Retry::Never => -1,
            Retry::After(d) => i64::try_from(d.as_micros()).unwrap_or(i64::MAX).max(1),
        };
        (bytes, retry_us)
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl<E: std::error::Error + 'static> From<E> for Fail {
    fn from(e: E) -> Fail {
        let refused = (&e as &(dyn std::error::Error + 'static)).downcast_ref::<Error>();
        let code = refused.map_or("failed", |r| r.errno.name());
        Fail::new(code, e.to_string())
    }
}
