;; Makes a call that may be refused and writes the text of the last error as output.
(module
  (import "dash_v1" "route_to" (func $route_to (param i32 i32) (result i32)))
  (import "dash_v1" "last_error" (func $last_error (param i32 i32) (result i32)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 4096) "nowhere")
  (func (export "dash_run") (param i32) (result i32)
    (drop (call $route_to (i32.const 4096) (i32.const 7)))
    (call $output_write (i32.const 0) (call $last_error (i32.const 0) (i32.const 1024)))))
