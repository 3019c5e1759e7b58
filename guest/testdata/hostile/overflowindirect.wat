;; A function that calls itself through the table for ever.
(module
  (memory (export "memory") 1)
  (type $t (func (param i32) (result i32)))
  (table 1 funcref)
  (elem (i32.const 0) $a)
  (func $a (type $t) (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))
  (func (export "dash_run") (param i32) (result i32) (call $a (i32.const 0))))
