;; Three functions that call each other, each twice: never deeper than 60, and no end.
(module
  (memory (export "memory") 1)
  (func $a (param $n i32) (if (local.get $n) (then
    (call $b (i32.sub (local.get $n) (i32.const 1))) (call $c (i32.sub (local.get $n) (i32.const 1))))))
  (func $b (param $n i32) (if (local.get $n) (then
    (call $c (i32.sub (local.get $n) (i32.const 1))) (call $a (i32.sub (local.get $n) (i32.const 1))))))
  (func $c (param $n i32) (if (local.get $n) (then
    (call $a (i32.sub (local.get $n) (i32.const 1))) (call $b (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "dash_run") (param i32) (result i32) (call $a (i32.const 60)) (i32.const 0)))
