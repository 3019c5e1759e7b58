;; Valid, but a data segment lies outside the memory: refused when it is instantiated.
(module
  (memory (export "memory") 1)
  (data (i32.const 65535) "xx")
  (func (export "dash_run") (param i32) (result i32) (i32.const 0)))
