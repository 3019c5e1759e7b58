(module
  (memory (export "memory") 1)
  (func (export "dash_run") (param i32) (result i32) (i32.const 0))
  (func $start unreachable)
  (start $start))
