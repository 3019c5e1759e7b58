;; Takes all the memory it can have and fills it, again and again.
(module
  (memory (export "memory") 1)
  (func (export "dash_run") (param i32) (result i32)
    (loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 64)) (i32.const 0))))
    (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.shl (memory.size) (i32.const 16))) (br $again))
    (i32.const 0)))
