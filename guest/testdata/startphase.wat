;; Reads the configuration in dash_start, tries to write an output there, and shows both in dash_run:
;; the configuration, behind it what output_write returned, as one byte.
(module
  (import "dash_v1" "config_read" (func $config_read (param i32 i32) (result i32)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $n (mut i32) (i32.const 0))
  (func (export "_initialize") (i32.store8 (i32.const 100) (i32.const 33)))
  (func (export "dash_start") (param $len i32) (result i32)
    (global.set $n (call $config_read (i32.const 0) (local.get $len)))
    (i32.store8 (global.get $n) (call $output_write (i32.const 0) (i32.const 1)))
    (i32.const 0))
  (func (export "dash_run") (param i32) (result i32)
    (call $output_write (i32.const 0) (i32.add (global.get $n) (i32.const 1)))))
