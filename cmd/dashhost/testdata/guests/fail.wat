;; It says why and fails. The message holds an escape sequence that must not reach a terminal.
(module
  (import "dash_v1" "fail" (func $fail (param i32 i32 i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "{\"code\":\"no_luck\",\"message\":\"dice say \\u001b[31mno\"}")
  (func (export "dash_run") (param $len i32) (result i32)
    (drop (call $fail (i32.const 0) (i32.const 52) (i64.const -1)))
    (i32.const 1)))
