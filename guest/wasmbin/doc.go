// Package wasmbin decodes, checks and encodes WebAssembly binaries. It is the wall between bytes from outside and
// the engine: the engine is given only what Encode wrote.
//
// An engine's decoder may take memory for whatever a count claims, and a module of fifteen bytes can claim four
// billion of anything. Here every count is compared with the bytes that are left and with a bound before memory is
// taken for it.
//
// # What is taken
//
// Core modules of WebAssembly 2.0 (sign extension, saturating conversions, several results, bulk memory, reference
// types, SIMD) with extended constant expressions and, if asked for, exceptions (try_table, throw, throw_ref). All
// other features, and files that are no core modules, are refused by name and with advice: see Feature.
//
//	module  = 00 61 73 6d  01 00 00 00  section*
//	section = id:byte  size:u32  content
//
//	 id  content                                   order
//	  0  custom: name, bytes                       anywhere
//	  1  vec(type)      60 vec(value) vec(value)   1
//	  2  vec(import)    name name kind type        2
//	  3  vec(function)  u32: its type              3
//	  4  vec(table)     reftype limits             4
//	  5  vec(memory)    limits                     5
//	 13  vec(tag)       00 u32: its type           6
//	  6  vec(global)    value mut expr             7
//	  7  vec(export)    name kind u32              8
//	  8  start          u32                        9
//	  9  vec(element)   flags table? expr? items   10
//	 12  data count     u32                        11
//	 10  vec(code)      size:u32 locals body       12
//	 11  vec(data)      flags memory? expr? bytes  13
//
//	vec(x) = n:u32 x*n     u32, s32, s64 = LEB128, as long as the type allows     name = vec(byte), UTF-8
//
// # What a Module keeps
//
// Decode checks all that the specification asks of a valid module: form, order and sizes of sections; every index of
// every index space, against the counts of the input; labels and how blocks nest; the types of operands; constant
// expressions with their types; limits, alignment, lanes; the declaration of functions for ref.func; the data count;
// names. That is what makes rewriting safe: something that is added to a module cannot give a meaning to an index
// that had none. And the engine's validator, which runs on what Encode wrote, is a second wall and not the only one.
//
// Numbers that are longer than they need be are shortened on the way in, so the bytes of bodies and constant
// expressions in a Module are those that Encode writes.
//
// # Bounds
//
// Bounds limits how much a module may have of each thing, and what each function may cost a compiler. All are static.
//
// # Reading bodies
//
// InstrReader walks over a body, and Instr.Append writes an instruction again, with other indices or labels. OpInfo is
// a row of the opcode table: name, operands, form of the immediates, feature.
package wasmbin
