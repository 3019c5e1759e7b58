;; dash_start says why it fails and returns 7.
(module
  (import "dash_v1" "fail" (func $fail (param i32 i32 i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "no entropy in the configuration")
  (func (export "dash_start") (param i32) (result i32)
    (drop (call $fail (i32.const 8) (i32.const 31) (i64.const -1)))
    (i32.const 7))
  (func (export "dash_run") (param i32) (result i32) (i32.const 0)))
