;; Grows its table as far as it may and writes the size as output, four bytes.
(module
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func (export "dash_run") (param i32) (result i32)
    (loop $again (br_if $again (i32.ge_s (table.grow $t (ref.null func) (i32.const 10)) (i32.const 0))))
    (i32.store (i32.const 0) (table.size $t))
    (call $output_write (i32.const 0) (i32.const 4))))
