// The functions of dash_v1 that the SDK uses: pointers and lengths in bytes, a
// negative result is -errno. abi/spec/v1.md says what each one does.

// @ts-ignore: decorator
@external("dash_v1", "input_read")
export declare function inputRead(buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "config_read")
export declare function configRead(buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "meta_read")
export declare function metaRead(buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "output_write")
export declare function outputWrite(ptr: usize, len: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "fail")
export declare function fail(ptr: usize, len: u32, retryUS: i64): i32;
// @ts-ignore: decorator
@external("dash_v1", "last_error")
export declare function lastError(buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "route_to")
export declare function routeTo(ptr: usize, len: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "route_send")
export declare function routeSend(node: usize, nodeLen: u32, item: usize, itemLen: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "interrupt")
export declare function interrupt(ptr: usize, len: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "answer_read")
export declare function answerRead(buf: usize, cap: u32): i32;
// @ts-ignore: decorator
@external("dash_v1", "log")
export declare function log(level: i32, ptr: usize, len: u32): void;
// @ts-ignore: decorator
@external("dash_v1", "log_enabled")
export declare function logEnabled(level: i32): i32;
// @ts-ignore: decorator
@external("dash_v1", "clock_now")
export declare function clockNow(): i64;
// @ts-ignore: decorator
@external("dash_v1", "random")
export declare function random(buf: usize, len: u32): i32;
