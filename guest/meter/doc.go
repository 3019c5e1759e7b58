// Package meter rewrites a decoded module so that its code asks the host, again
// and again, whether it may go on.
//
// Every function and every loop head takes what the code behind it costs from a
// counter. When the counter falls below zero the code calls the host, which
// looks at deadline and cancellation and gives the next slice, or does not
// return. So guest code cannot outlive a deadline by more than a slice,
// whether it loops, recurses, or calls a function that calls two; and it comes
// back to Go code often enough for the garbage collector.
//
// The injected code, at the entry of a function and behind each loop:
//
//	global.get $counter
//	i32.const COST
//	i32.sub
//	global.set $counter
//	global.get $counter
//	i32.const 0
//	i32.lt_s
//	if
//	  global.get $counter
//	  call $refuel        ;; (i32) -> i32: what is left, negative; the next slice
//	  global.set $counter
//	end
//
// It takes nothing from the operand stack and leaves nothing there, so it types
// everywhere, in dead code too, and no label changes. The function $refuel is
// imported behind all other imports, so indices of defined functions grow by
// one; $counter is a global behind all others, out of the reach of the guest's
// code, whose indices package wasmbin has checked against the original module.
//
// COST counts instructions: of a function those outside its loops, of a loop
// those outside its inner loops. A loop that dispatches over a large br_table,
// as compilers make for a machine's whole control flow, costs a part of that,
// because one turn runs a small part of it. Functions that are short and
// neither loop nor call are not metered: their callers are. A function that
// reaches a loop before anything else could happen is metered there.
//
// Rewrite is a pure function of the module; Version names what it does and is
// part of the keys of caches.
package meter
