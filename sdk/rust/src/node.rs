//! The two exports, apart from their names.

use crate::call::{check, value};
use crate::{sys, Call, Fail, Level};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const INTERRUPTED: i32 = 2;

/// Makes a function the node of this module: exports `dash_start` and `dash_run`.
///
/// `node!(run)` takes `fn(&Call, In) -> Result<Out, Fail>`. `In` is decoded from one
/// member per channel read (and `item` under `each` or `route_send`); it may borrow
/// from the input. `Out` is encoded, one member per channel written; what shall not
/// be written must be skipped.
///
/// `node!(run, state: State = start)` builds a state once, in the start phase, from
/// the node's config in the manifest: `start` is `fn(Config) -> Result<State, Fail>`,
/// `run` is `fn(&State, &Call, In) -> Result<Out, Fail>`. Without config, `Config`
/// is decoded from `{}`; use `#[serde(deny_unknown_fields)]` to catch misspellings.
#[macro_export]
macro_rules! node {
    ($run:path) => {
        #[doc(hidden)]
        #[cfg_attr(target_arch = "wasm32", no_mangle)]
        pub extern "C" fn dash_start(config_len: u32) -> i32 {
            $crate::export::start(config_len, $crate::export::no_config)
        }

        #[doc(hidden)]
        #[cfg_attr(target_arch = "wasm32", no_mangle)]
        pub extern "C" fn dash_run(input_len: u32) -> i32 {
            $crate::export::run(input_len, |call, input| {
                $crate::export::encode(&$run(call, $crate::export::decode(input)?)?)
            })
        }
    };
    ($run:path, state: $state:ty = $start:path) => {
        static DASH_STATE: $crate::export::OnceLock<$state> = $crate::export::OnceLock::new();

        #[doc(hidden)]
        #[cfg_attr(target_arch = "wasm32", no_mangle)]
        pub extern "C" fn dash_start(config_len: u32) -> i32 {
            $crate::export::start(config_len, |config| {
                let state = $start($crate::export::config(config)?)?;
                DASH_STATE
                    .set(state)
                    .map_err(|_| $crate::Fail::fatal("started_twice", "dash_start: called before on this instance"))
            })
        }

        #[doc(hidden)]
        #[cfg_attr(target_arch = "wasm32", no_mangle)]
        pub extern "C" fn dash_run(input_len: u32) -> i32 {
            $crate::export::run(input_len, |call, input| {
                let state = DASH_STATE
                    .get()
                    .ok_or_else(|| $crate::Fail::fatal("not_started", "dash_run: called before dash_start"))?;
                $crate::export::encode(&$run(state, call, $crate::export::decode(input)?)?)
            })
        }
    };
}

/// The body of `dash_start`.
pub fn start(config_len: u32, build: impl FnOnce(&[u8]) -> Result<(), Fail>) -> i32 {
    sys::log_panics();
    let started = value("config_read", config_len as usize, sys::config_read)
        .map_err(Fail::from)
        .and_then(|config| build(&config));
    match started {
        Ok(()) => DONE,
        Err(e) => report(&e, false),
    }
}

/// The body of `dash_run`.
pub fn run(input_len: u32, node: impl FnOnce(&Call, &[u8]) -> Result<Vec<u8>, Fail>) -> i32 {
    let call = Call::new();
    let result = value("input_read", input_len as usize, sys::input_read)
        .map_err(Fail::from)
        .and_then(|input| node(&call, &input));
    if call.pending() {
        return INTERRUPTED;
    }
    let mut e = match result.and_then(|output| write(&output)) {
        Ok(()) => return DONE,
        Err(e) => e,
    };
    let Some(output) = e.take_output() else {
        return report(&e, false);
    };
    match write(&output) {
        Ok(()) => report(&e, true),
        Err(w) => {
            call.log(Level::Error, &e.to_string());
            report(&w, false)
        }
    }
}

fn write(output: &[u8]) -> Result<(), Fail> {
    check("output_write", sys::output_write(output))?;
    Ok(())
}

/// Tells the host why. When it refuses even that, the status alone says it.
fn report(e: &Fail, kept: bool) -> i32 {
    let (argument, retry_us) = e.arguments(kept);
    sys::fail(&argument, retry_us);
    FAILED
}

/// Decodes input; a fault is final, the same input would fail again.
pub fn decode<'a, T: Deserialize<'a>>(input: &'a [u8]) -> Result<T, Fail> {
    serde_json::from_slice(input).map_err(|e| Fail::fatal("bad_input", format!("input: {e}")))
}

/// Encodes output.
pub fn encode<T: Serialize>(output: &T) -> Result<Vec<u8>, Fail> {
    serde_json::to_vec(output).map_err(|e| Fail::fatal("bad_output", format!("output: {e}")))
}

/// Decodes configuration; none is `{}`.
pub fn config<T: DeserializeOwned>(config: &[u8]) -> Result<T, Fail> {
    let config = if config.is_empty() { b"{}" } else { config };
    serde_json::from_slice(config).map_err(|e| Fail::fatal("bad_config", format!("config: {e}")))
}

/// Refuses a configuration that nobody reads: a misplaced line in the manifest
/// shall not look as if it worked.
pub fn no_config(config: &[u8]) -> Result<(), Fail> {
    match config.trim_ascii() {
        b"" | b"{}" | b"null" => Ok(()),
        _ => Err(Fail::fatal("bad_config", "config: this node takes none")),
    }
}
