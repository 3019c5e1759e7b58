;; Moves 256 MiB by a byte, forwards and back.
(module
  (memory (export "memory") 4096)
  (func (export "dash_run") (param i32) (result i32)
    (loop $again
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 0x0fffffff))
      (memory.copy (i32.const 0) (i32.const 1) (i32.const 0x0fffffff))
      (br $again))
    (i32.const 0)))
