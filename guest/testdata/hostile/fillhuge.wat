;; Fills 256 MiB at once, again and again.
(module
  (memory (export "memory") 4096)
  (func (export "dash_run") (param i32) (result i32)
    (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x10000000)) (br $again))
    (i32.const 0)))
