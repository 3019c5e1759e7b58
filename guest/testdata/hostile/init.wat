;; Copies the same data segment to memory again and again.
(module
  (memory (export "memory") 1)
  (data $d "a segment of data that is not long")
  (func (export "dash_run") (param i32) (result i32)
    (loop $again (memory.init $d (i32.const 0) (i32.const 0) (i32.const 34)) (br $again))
    (i32.const 0)))
