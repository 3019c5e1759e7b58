//! Rust SDK for nodes of a dashhost workflow. A node is one function from input
//! to output; the host reads and writes the channels, keeps the state, enforces
//! the limits and decides what the node may reach.
//!
//! ```
//! use dashhost::{Call, Fail};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct In<'a> {
//!     name: &'a str, // a channel of the manifest's "reads"
//! }
//!
//! #[derive(Serialize)]
//! struct Out {
//!     greeting: String, // a channel of "writes"
//! }
//!
//! fn greet(_: &Call, input: In) -> Result<Out, Fail> {
//!     if input.name.is_empty() {
//!         return Err(Fail::new("no_name", "channel name: empty, want a name"));
//!     }
//!     Ok(Out { greeting: format!("hello {}", input.name) })
//! }
//!
//! dashhost::node!(greet);
//!
//! # fn main() {
//! let out = dashhost::testing::Task::new(r#"{"name":"ada"}"#).run(dash_start, dash_run);
//! assert_eq!(out.output.as_deref(), Some(r#"{"greeting":"hello ada"}"#));
//! # }
//! ```
//!
//! Build with `crate-type = ["cdylib"]` for `wasm32-unknown-unknown`; a small stack
//! (`-Clink-arg=-zstack-size=65536`) keeps an instance at two or three pages.
//!
//! # Phases
//!
//! ```text
//! dash_start   once per instance: configuration is decoded, the state built. May
//!              log, read the (fixed) clock and fail; nothing else
//! dash_run     once per task: input is decoded, the function runs, its output is
//!              written or its failure reported
//! ```
//!
//! # Failure
//!
//! A function returns `Result<Out, Fail>`. [`Fail`] says with which code the task
//! fails, whether a retry makes sense and whether output is kept; `?` turns any
//! other error into one with the code `failed`. A panic traps: its text is in the
//! log, the instance is not used again.
//!
//! # People
//!
//! [`Call::ask`] asks a question and ends the task; it runs again once somebody
//! answered.
//!
//! # Tests
//!
//! On other targets than wasm32 the host is [`testing`]: `cargo test` needs no wasm.

mod call;
mod errno;
mod fail;
mod node;
mod sys;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use call::{Call, Level, Meta};
pub use errno::{Errno, Error};
pub use fail::{Fail, Retry};

/// What the macro [`node!`](crate::node!) expands to; not for direct use.
#[doc(hidden)]
pub mod export {
    pub use crate::node::{config, decode, encode, no_config, run, start};
    pub use std::sync::OnceLock;
}
