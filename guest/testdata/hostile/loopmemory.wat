;; A loop that reads and writes memory: the code a compiler optimizes best.
(module
  (memory (export "memory") 1)
  (func (export "dash_run") (param i32) (result i32)
    (local $i i32)
    (loop $again
      (i32.store (i32.and (local.get $i) (i32.const 0xfffc))
        (i32.add (i32.load (i32.and (local.get $i) (i32.const 0xfffc))) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br $again))
    (i32.const 0)))
