// Package meter rewrites a decoded module so that its code counts what it does and how deep it is, and asks the host
// whether it may go on.
//
// # Fuel
//
// Every function and every loop head takes what the code behind it costs from a counter, a global. When the counter
// falls below zero the code calls the host's function refuel, which settles the account, looks at deadline and
// cancellation and gives the next slice, or does not return. So guest code cannot outlive a deadline by more than a
// slice, whether it loops, recurses, or calls a function that calls two; it comes back to Go code often enough for the
// garbage collector; and the sum of all charges is the same however they are cut into slices.
//
// A check takes nothing from the operand stack and leaves nothing there, so it types everywhere, in dead code too:
//
//	counter = counter - COST
//	if counter < 0 { counter = refuel(counter) }
//
// The shape decides what it costs. A call inside a loop makes the compiler move values out of registers, so the call
// stands outside of most loops (see body.loop and plan.outside); a counter in a local is faster than
// one in a global, but must be written back before others can look, so only functions that loop and call nothing have
// one (see plan.private).
//
// COST is the number of instructions: of a function those outside its loops, of a loop those outside its inner loops.
// Code that is jumped over counts. A loop that dispatches over a br_table of more than 16 targets, as compilers make
// for a machine's whole control flow, costs 1/32 of that, and at least 16, because one turn runs a small part of it.
// Functions of up to 32 instructions that neither loop nor call are not metered: direct callers pay for them. A
// function that reaches a loop before anything else can happen takes its cost without a check, and that loop checks.
//
// Instructions whose work depends on an operand pay for that (see bulk.go): memory.fill, copy and init one unit for
// 16 bytes, table.fill, copy, init and grow one for an element, memory.grow 4096 for a page, if it has succeeded.
// Above 1 KiB they are done by functions that are added (see helper.go), in pieces of 1 MiB or 65,536 elements, each
// with a check, and with the meaning of the whole: what is out of bounds traps and nothing is written, and pieces are
// moved in the direction that overlapping ranges want.
//
// # Depth
//
// A second global holds how much stack is left, in bytes as frame.go estimates them. A function that calls takes its
// frame from it, into a local, before its first call that matters, and ends the call by the host's function deepen if
// that is too much; before each such call it sets the global to that local. So nothing must be put back after a call,
// on whatever way it ended: by returning, or by an exception. Whoever is called finds what its caller left it. The
// place is outside of all loops and as late as possible: paths that call nothing do not pay.
//
// A call matters if it may lead to a recursion (see graph.go), or to a chain of calls that takes more than 32 KiB.
// Shorter chains that end are found when a module is rewritten, and added to the frames of those who call them; a
// function that has not come to its first call that matters may be 64 KiB over, itself and such a chain.
//
// # Indices
//
// The two imported functions stand behind the guest's imports, so that its own functions move by two; helpers, globals
// and types stand behind all others. So what the guest's code can name is what it could name before: package wasmbin
// has checked every index against the original module. Labels move by the blocks that are put around loops.
//
// Rewrite is a pure function of the module; Version names what it does and is part of the keys of caches.
package meter
