;; A function that calls itself through the table, twice: no direct call and no loop.
(module
  (memory (export "memory") 1)
  (type $t (func (param i32)))
  (table 2 funcref)
  (elem (i32.const 0) $a $a)
  (func $a (type $t) (if (local.get 0) (then
    (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
    (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))))
  (func (export "dash_run") (param i32) (result i32)
    (call_indirect (type $t) (i32.const 60) (i32.const 0))
    (i32.const 0)))
