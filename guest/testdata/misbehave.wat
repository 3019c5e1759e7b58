;; Does what the first byte of its input says; see the cases in misbehave_test.go.
(module
  (import "dash_v1" "input_read" (func $input_read (param i32 i32) (result i32)))
  (import "dash_v1" "output_write" (func $output_write (param i32 i32) (result i32)))
  (import "dash_v1" "log_enabled" (func $log_enabled (param i32) (result i32)))
  (import "dash_v1" "log" (func $log (param i32 i32 i32)))
  (import "dash_v1" "interrupt" (func $interrupt (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
  (memory (export "memory") 1)
  (table 1 funcref)
  (type $void (func))
  (func $recurse (param i32) (result i32)
    (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func (export "dash_run") (param i32) (result i32)
    (local $i i32)
    (drop (call $input_read (i32.const 0) (i32.const 16)))
    (block $m (block $l (block $k (block $j (block $i9 (block $h (block $g (block $f (block $e (block $d (block $c (block $b (block $a (block $z
      (br_table $z $a $b $c $d $e $f $g $h $i9 $j $k $l $m (i32.load8_u (i32.const 0))))
      ;; 0: return the second byte as status, sign extended
      (return (i32.load8_s (i32.const 1))))
      ;; 1: loop for ever
      (loop $again (br $again)))
      ;; 2: recurse for ever
      (return (call $recurse (i32.const 0))))
      ;; 3: unreachable
      (unreachable))
      ;; 4: load outside memory
      (return (i32.load (i32.const 0x7ffffff0))))
      ;; 5: divide by zero
      (return (i32.div_u (i32.const 1) (i32.const 0))))
      ;; 6: exit with the second byte as code
      (call $proc_exit (i32.load8_u (i32.const 1))))
      ;; 7: ask the host for ever
      (loop $again (drop (call $log_enabled (i32.const 2))) (br $again)))
      ;; 8: call through an empty table entry
      (call_indirect (type $void) (i32.const 0)))
      ;; 9: grow the memory page by page until refused, return 0 if the refusal is -1, then touch the last byte
      (loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
      (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 7))
      (return (i32.const 0)))
      ;; 10: as 9, then trap
      (loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
      (unreachable))
      ;; 11: write an output of as many bytes as the second byte says, times 1024, return what the host said
      (drop (memory.grow (i32.const 4)))
      (return (call $output_write (i32.const 0) (i32.mul (i32.load8_u (i32.const 1)) (i32.const 1024)))))
      ;; 12: log 1000 bytes as often as the second byte says
      (loop $again
        (call $log (i32.const 2) (i32.const 16) (i32.const 1000))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.load8_u (i32.const 1)))))
      (return (i32.const 0)))
      ;; 13: ask a question, return the second byte whatever the answer
      (drop (call $interrupt (i32.const 0) (i32.const 2)))
      (i32.load8_s (i32.const 1))))
