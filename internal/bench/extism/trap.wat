;; Writes to its memory, grows it, and traps.
(module
  (memory (export "memory") 2)
  (func (export "dash_run") (param i32) (result i32)
    (drop (memory.grow (i32.const 1)))
    (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536))
    unreachable))
