;; Fills, copies and writes a table of 1000 elements again and again.
(module
  (memory (export "memory") 1)
  (table $t 1000 1000 funcref)
  (elem declare func $f)
  (elem $e func $f $f $f $f)
  (func $f)
  (func (export "dash_run") (param i32) (result i32)
    (loop $again
      (table.fill $t (i32.const 0) (ref.func $f) (i32.const 1000))
      (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 999))
      (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 4))
      (table.set $t (i32.const 5) (ref.null func))
      (br $again))
    (i32.const 0)))
