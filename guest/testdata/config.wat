;; Reads its configuration in dash_start, a mebibyte into a memory that has something else around it; dash_run writes
;; it as output, and then overwrites it.
(module
  (import "dash_v1" "config_read" (func $config_read (param i32 i32) (result i32)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (memory (export "memory") 20)
  (global $n (mut i32) (i32.const 0))
  (func (export "dash_start") (param $len i32) (result i32)
    (memory.fill (i32.const 1040000) (i32.const 46) (i32.const 270720))
    (global.set $n (call $config_read (i32.const 1048576) (local.get $len)))
    (i32.const 0))
  (func (export "dash_run") (param i32) (result i32)
    (drop (call $output_write (i32.const 1048576) (global.get $n)))
    (memory.fill (i32.const 1040000) (i32.const 45) (i32.const 100000))
    (global.set $n (i32.const 3))
    (i32.const 0)))
