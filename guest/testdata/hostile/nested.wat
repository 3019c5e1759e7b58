;; Loops in loops that never end: the inner ones are short, so the outer heads count as well.
(module
  (memory (export "memory") 1)
  (func (export "dash_run") (param i32) (result i32)
    (local $i i32) (local $j i32)
    (loop $a
      (local.set $i (i32.const 3))
      (loop $b
        (local.set $j (i32.const 2))
        (loop $c (br_if $c (local.tee $j (i32.sub (local.get $j) (i32.const 1)))))
        (br_if $b (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (br $a))
    (i32.const 0)))
