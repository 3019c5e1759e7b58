;; Asks for all the address space there is, again and again.
(module
  (memory (export "memory") 1)
  (func (export "dash_run") (param i32) (result i32)
    (loop $again (drop (memory.grow (i32.const 65535))) (drop (memory.grow (i32.const -1))) (br $again))
    (i32.const 0)))
