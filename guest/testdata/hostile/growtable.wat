;; Asks for a larger table, and goes on asking when it is refused.
(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func (export "dash_run") (param i32) (result i32)
    (loop $again
      (drop (table.grow $t (ref.null func) (i32.const 1)))
      (drop (table.grow $t (ref.null func) (i32.const 0x7fffffff)))
      (br $again))
    (i32.const 0)))
