;; A machine that jumps by a table for ever, as compilers make of goto: 24 blocks, each goes to the next.
(module
  (memory (export "memory") 1)
  (func (export "dash_run") (param i32) (result i32)
    (local $pc i32)
    (loop $again
      (block $b23
      (block $b22
      (block $b21
      (block $b20
      (block $b19
      (block $b18
      (block $b17
      (block $b16
      (block $b15
      (block $b14
      (block $b13
      (block $b12
      (block $b11
      (block $b10
      (block $b9
      (block $b8
      (block $b7
      (block $b6
      (block $b5
      (block $b4
      (block $b3
      (block $b2
      (block $b1
      (block $b0
      (br_table $b0 $b1 $b2 $b3 $b4 $b5 $b6 $b7 $b8 $b9 $b10 $b11 $b12 $b13 $b14 $b15 $b16 $b17 $b18 $b19 $b20 $b21 $b22 $b23 $b0 (local.get $pc)))
      (local.set $pc (i32.const 1)) (br $again))
      (local.set $pc (i32.const 2)) (br $again))
      (local.set $pc (i32.const 3)) (br $again))
      (local.set $pc (i32.const 4)) (br $again))
      (local.set $pc (i32.const 5)) (br $again))
      (local.set $pc (i32.const 6)) (br $again))
      (local.set $pc (i32.const 7)) (br $again))
      (local.set $pc (i32.const 8)) (br $again))
      (local.set $pc (i32.const 9)) (br $again))
      (local.set $pc (i32.const 10)) (br $again))
      (local.set $pc (i32.const 11)) (br $again))
      (local.set $pc (i32.const 12)) (br $again))
      (local.set $pc (i32.const 13)) (br $again))
      (local.set $pc (i32.const 14)) (br $again))
      (local.set $pc (i32.const 15)) (br $again))
      (local.set $pc (i32.const 16)) (br $again))
      (local.set $pc (i32.const 17)) (br $again))
      (local.set $pc (i32.const 18)) (br $again))
      (local.set $pc (i32.const 19)) (br $again))
      (local.set $pc (i32.const 20)) (br $again))
      (local.set $pc (i32.const 21)) (br $again))
      (local.set $pc (i32.const 22)) (br $again))
      (local.set $pc (i32.const 23)) (br $again))
      (local.set $pc (i32.const 0)) (br $again))
    (i32.const 0)))
