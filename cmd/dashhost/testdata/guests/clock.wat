;; Its output is {"now":true} once 50 ms have gone by on its clock: at once when time is virtual and reads are many.
(module
  (import "dash_v1" "clock_now" (func $clock_now (result i64)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "{\"now\":true}")
  (func (export "dash_run") (param $len i32) (result i32)
    (local $end i64)
    (local.set $end (i64.add (call $clock_now) (i64.const 50000)))
    (loop $again (br_if $again (i64.lt_s (call $clock_now) (local.get $end))))
    (i32.lt_s (call $output_write (i32.const 0) (i32.const 12)) (i32.const 0))))
