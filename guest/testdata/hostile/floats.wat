;; A loop of slow instructions: divisions and square roots.
(module
  (memory (export "memory") 1)
  (func (export "dash_run") (param i32) (result i32)
    (local $x f64)
    (local.set $x (f64.const 1e300))
    (loop $again
      (local.set $x (f64.sqrt (f64.div (f64.const 3) (f64.sqrt (f64.div (local.get $x) (f64.const 7))))))
      (local.set $x (f64.nearest (f64.sqrt (f64.div (local.get $x) (f64.const 1.1)))))
      (br $again))
    (i32.const 0)))
