;; A start section that does not end.
(module
  (memory (export "memory") 1)
  (func $start (loop $again (br $again)))
  (start $start)
  (func (export "dash_run") (param i32) (result i32) (i32.const 0)))
