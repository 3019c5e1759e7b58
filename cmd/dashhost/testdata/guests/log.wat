;; It logs a line at level info. The line holds an escape sequence that must not reach a terminal.
(module
  (import "dash_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "hello from\1b[31m inside")
  (func (export "dash_run") (param $len i32) (result i32)
    (call $log (i32.const 2) (i32.const 0) (i32.const 22))
    (i32.const 0)))
