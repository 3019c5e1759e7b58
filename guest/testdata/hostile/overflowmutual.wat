;; Two functions that call each other for ever.
(module
  (memory (export "memory") 1)
  (func $a (param i32) (result i32) (i32.add (call $b (local.get 0)) (i32.const 1)))
  (func $b (param i32) (result i32) (i32.add (call $a (local.get 0)) (i32.const 2)))
  (func (export "dash_run") (param i32) (result i32) (call $a (i32.const 0))))
