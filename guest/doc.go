// Package guest is the host's view of a guest: it loads a WebAssembly module, checks it against the ABI,
// compiles it once, keeps a bounded pool of instances and calls them. It is the only package that knows
// the WebAssembly runtime (wazero); whatever a guest asks for is answered by a [Host], which lives
// elsewhere.
//
//	bytes --Load--> size cap, sha256, decode (package wasmbin), imports and exports against package abi,
//	                encode, compile                                 -> *Module
//	Module.NewPool(PoolConfig)                                      -> *Pool, one per node of a graph
//	Pool.Call(ctx, host, inputLen)                                  -> Result, or a typed error
//
// The runtime never decodes bytes from outside: its decoder allocates what counts claim. It gets what
// package wasmbin encoded from a module that was decoded, bounded and checked.
//
// # An instance
//
// An instance lives in two phases. In the start phase the start section, _initialize and dash_start run
// against the Host that PoolConfig.Start makes; in the run phase dash_run runs against the Host of the
// call. What happens in a host function is always the same, see hostfunc.go:
//
//	deadline and cancellation -> every (ptr,len) and (buf,cap) inside memory, else trap
//	  -> sizes -> Host.Enter (grant, phase, effects) -> the Host's method -> deadline again -> result
//
// An instance that trapped, exited, broke the ABI, passed a bad pointer or met its deadline is retired:
// no code of it runs again. Policies say what becomes of the others: [PolicyReset] puts them back to what they
// were after the start phase, so that the next call cannot tell them from new ones; [PolicyFresh] gives every
// call a new instance; [PolicyReuse] hands a used one, with the memory it has, to the next call. Putting back
// and closing happen after the call has its result. See image.go for how, queue.go for what follows what.
//
// All instances of a Runtime share one quota of memory (quota.go). A call for which there is none waits, after
// instances that other pools keep for later have been retired.
//
// # Limits
//
// Breaking a limit that ends the call is a *[LimitError]; it names the limit, its value and what was
// asked for. Limits on arguments of host functions are -too_large to the guest, and its memory cannot
// grow over the limit. See [Limits] for all of them with their defaults.
//
// Guest code is stopped where it must ask for more to do: at function entries, at loop heads and in host
// functions (package meter puts the asking into the code, see refuel.go). What is charged is its fuel: see
// [Limits] and [Result].
//
// # Files
//
//	host.go      what a guest may ask        limits.go, errors.go  limits and typed errors
//	runtime.go   Open, Close                 cache.go              compiled code on disk
//	load.go      Load, Inspect               check.go, names.go    imports and exports against the ABI
//	compile.go   in another process          entry.go, cachelist.go  entries of the cache
//	refuel.go    where guest code stops      meter/                the rewriting that makes it ask
//	code.go      compile once                info.go               what can be said without running
//	pool.go      policies, Call, Close       queue.go              who waits for an instance
//	start.go     start phase, clones, Warm   instance.go           run phase
//	image*.go    what reset puts back        backoff.go            modules that fail to start
//	quota.go     memory of all instances     stats.go              numbers, why instances end
//	signature/   who vouches for a module
//	deadline.go  when a call must stop       outcome.go            how a call ended
//	hostfunc.go  dash_v1: the common path    dash.go               dash_v1: one function each
//	wasi*.go     the subset of WASI          memory*.go            linear memory, mapped if large
package guest
