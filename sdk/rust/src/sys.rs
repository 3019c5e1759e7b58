//! The functions of `dash_v1`, with slices where the ABI has pointer and length.
//! Results are those of the ABI: negative is `-errno`.

#[cfg(target_arch = "wasm32")]
mod guest {
    #[link(wasm_import_module = "dash_v1")]
    extern "C" {
        fn input_read(buf: *mut u8, cap: usize) -> i32;
        fn config_read(buf: *mut u8, cap: usize) -> i32;
        fn meta_read(buf: *mut u8, cap: usize) -> i32;
        fn output_write(ptr: *const u8, len: usize) -> i32;
        fn fail(ptr: *const u8, len: usize, retry_us: i64) -> i32;
        fn last_error(buf: *mut u8, cap: usize) -> i32;
        fn route_to(ptr: *const u8, len: usize) -> i32;
        fn route_send(node: *const u8, node_len: usize, input: *const u8, input_len: usize) -> i32;
        fn interrupt(ptr: *const u8, len: usize) -> i32;
        fn answer_read(buf: *mut u8, cap: usize) -> i32;
        fn log(level: i32, ptr: *const u8, len: usize);
        fn log_enabled(level: i32) -> i32;
        fn clock_now() -> i64;
        fn random(buf: *mut u8, len: usize) -> i32;
    }

    // SAFETY, for all: the host reads or writes only within the pointer and length
    // it is given, during the call, and both come from one live slice.
    pub mod call {
        pub fn input_read(buf: &mut [u8]) -> i32 {
            unsafe { super::input_read(buf.as_mut_ptr(), buf.len()) }
        }
        pub fn config_read(buf: &mut [u8]) -> i32 {
            unsafe { super::config_read(buf.as_mut_ptr(), buf.len()) }
        }
        pub fn meta_read(buf: &mut [u8]) -> i32 {
            unsafe { super::meta_read(buf.as_mut_ptr(), buf.len()) }
        }
        pub fn output_write(b: &[u8]) -> i32 {
            unsafe { super::output_write(b.as_ptr(), b.len()) }
        }
        pub fn fail(b: &[u8], retry_us: i64) -> i32 {
            unsafe { super::fail(b.as_ptr(), b.len(), retry_us) }
        }
        pub fn last_error(buf: &mut [u8]) -> i32 {
            unsafe { super::last_error(buf.as_mut_ptr(), buf.len()) }
        }
        pub fn route_to(node: &[u8]) -> i32 {
            unsafe { super::route_to(node.as_ptr(), node.len()) }
        }
        pub fn route_send(node: &[u8], input: &[u8]) -> i32 {
            unsafe { super::route_send(node.as_ptr(), node.len(), input.as_ptr(), input.len()) }
        }
        pub fn interrupt(question: &[u8]) -> i32 {
            unsafe { super::interrupt(question.as_ptr(), question.len()) }
        }
        pub fn answer_read(buf: &mut [u8]) -> i32 {
            unsafe { super::answer_read(buf.as_mut_ptr(), buf.len()) }
        }
        pub fn log(level: i32, msg: &[u8]) {
            unsafe { super::log(level, msg.as_ptr(), msg.len()) }
        }
        pub fn log_enabled(level: i32) -> i32 {
            unsafe { super::log_enabled(level) }
        }
        pub fn clock_now() -> i64 {
            unsafe { super::clock_now() }
        }
        pub fn random(buf: &mut [u8]) -> i32 {
            unsafe { super::random(buf.as_mut_ptr(), buf.len()) }
        }

        /// A panic traps; its text would be lost without this.
        pub fn log_panics() {
            std::panic::set_hook(Box::new(|info| log(4, info.to_string().as_bytes())));
        }
    }
}

#[cfg(target_arch = "wasm32")]
pub use guest::call::*;

#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::sys::*;
