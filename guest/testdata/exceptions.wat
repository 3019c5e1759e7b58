;; Throws: only a trusted module may.
(module
  (memory (export "memory") 1)
  (tag $t)
  (func (export "dash_run") (param i32) (result i32) (throw $t)))
