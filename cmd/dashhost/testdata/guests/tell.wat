;; It tells an event "scan.found" and a piece of text labelled "notes", and has no output. The text holds an escape sequence that
;; must not reach a terminal.
(module
  (import "dash_v1" "event_emit" (func $event_emit (param i32 i32 i32 i32) (result i32)))
  (import "dash_v1" "stream_write" (func $stream_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "scan.found{\"n\": 9007199254740993}notesa \1b[31mred note")
  (func (export "dash_run") (param $len i32) (result i32)
    (i32.or
      (i32.lt_s (call $event_emit (i32.const 0) (i32.const 10) (i32.const 10) (i32.const 23)) (i32.const 0))
      (i32.lt_s (call $stream_write (i32.const 33) (i32.const 5) (i32.const 38) (i32.const 15)) (i32.const 0)))))
