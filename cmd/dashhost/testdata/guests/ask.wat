;; It asks whether to deploy and its output is {"reply": [the answer]}. The question holds an escape sequence that must not
;; reach a terminal.
(module
  (import "dash_v1" "interrupt" (func $interrupt (param i32 i32) (result i32)))
  (import "dash_v1" "answer_read" (func $answer_read (param i32 i32) (result i32)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\"Really \\u001b[31mdeploy?\"")
  (data (i32.const 64) "{\"reply\":[")
  (func (export "dash_run") (param $len i32) (result i32)
    (local $n i32)
    (local.set $n (call $interrupt (i32.const 0) (i32.const 26)))
    (if (i32.eq (local.get $n) (i32.const -14)) (then (return (i32.const 2))))
    (if (i32.lt_s (local.get $n) (i32.const 0)) (then (return (i32.const 1))))
    (drop (call $answer_read (i32.const 74) (local.get $n)))
    (i32.store16 (i32.add (i32.const 74) (local.get $n)) (i32.const 0x7d5d))
    (i32.lt_s (call $output_write (i32.const 64) (i32.add (local.get $n) (i32.const 12))) (i32.const 0))))
