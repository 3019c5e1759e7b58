;; Grows its table to 100,000 elements and fills and moves all of them.
(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (elem declare func $f)
  (func $f)
  (func (export "dash_run") (param i32) (result i32)
    (drop (table.grow $t (ref.null func) (i32.const 99999)))
    (loop $again
      (table.fill $t (i32.const 0) (ref.func $f) (i32.const 100000))
      (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 99999))
      (br $again))
    (i32.const 0)))
