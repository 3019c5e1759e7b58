;; A node that writes back what it reads. It needs no language runtime and no grant.
(module
  (import "dash_v1" "input_read" (func $input_read (param i32 i32) (result i32)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (import "dash_v1" "last_error" (func $last_error (param i32 i32) (result i32)))
  (import "dash_v1" "fail" (func $fail (param i32 i32 i64) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "{\"code\":\"no_memory\",\"message\":\"the input does not fit in memory\"}")

  ;; Give $n bytes at 1024 room. Returns 0 if memory cannot grow that far.
  (func $room (param $n i32) (result i32)
    (local $missing i32)
    (local.set $missing
      (i32.sub
        (i32.shr_u (i32.add (local.get $n) (i32.const 0x103ff)) (i32.const 16))
        (memory.size)))
    (if (result i32) (i32.le_s (local.get $missing) (i32.const 0))
      (then (i32.const 1))
      (else (i32.ne (memory.grow (local.get $missing)) (i32.const -1)))))

  ;; Report the text of the error that a host function has just returned, and end the call.
  (func $report (result i32)
    (local $n i32)
    (local.set $n (call $last_error (i32.const 1024) (i32.const 1024)))
    (if (i32.gt_s (local.get $n) (i32.const 1024))
      (then (local.set $n (i32.const 0))))
    (drop (call $fail (i32.const 1024) (local.get $n) (i64.const 0)))
    (i32.const 1))

  (func (export "dash_run") (param $len i32) (result i32)
    (local $n i32)
    (if (i32.eqz (call $room (local.get $len)))
      (then
        (drop (call $fail (i32.const 0) (i32.const 65) (i64.const -1)))
        (return (i32.const 1))))
    (local.set $n (call $input_read (i32.const 1024) (local.get $len)))
    (if (i32.lt_s (local.get $n) (i32.const 0))
      (then (return (call $report))))
    (if (i32.lt_s (call $output_write (i32.const 1024) (local.get $n)) (i32.const 0))
      (then (return (call $report))))
    (i32.const 0)))
