;; Copies 64 KiB within memory again and again, the two places overlap.
(module
  (memory (export "memory") 2)
  (func (export "dash_run") (param i32) (result i32)
    (loop $again (memory.copy (i32.const 1) (i32.const 0) (i32.const 65536)) (br $again))
    (i32.const 0)))
