;; Writes its input as output. Grows its memory when the input is larger.
(module
  (import "dash_v1" "input_read" (func $input_read (param i32 i32) (result i32)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "dash_run") (param $n i32) (result i32)
    (local $have i32)
    (local.set $have (i32.mul (memory.size) (i32.const 65536)))
    (if (i32.gt_u (local.get $n) (local.get $have))
      (then
        (if (i32.lt_s
              (memory.grow (i32.div_u
                (i32.add (i32.sub (local.get $n) (local.get $have)) (i32.const 65535))
                (i32.const 65536)))
              (i32.const 0))
          (then (return (i32.const 1))))))
    (if (i32.ne (call $input_read (i32.const 0) (local.get $n)) (local.get $n))
      (then (return (i32.const 1))))
    (i32.ne (call $output_write (i32.const 0) (local.get $n)) (i32.const 0))))
