package workflow

import "time"

// RunLimits are the budgets of one run.
type RunLimits struct {
	MaxSteps   int            // supersteps, default 1000
	MaxTasks   int            // tasks of one superstep, default 10000
	Parallel   int            // tasks at once; 0 = GOMAXPROCS
	StateBytes int64          // all channels together, default 1 GiB
	WallTime   time.Duration  // 0 = no bound
	Fuel       uint64         // of all calls together; 0 = no bound
	Places     map[string]Pos // by field ("max_steps"): where it stands, or would stand
}

// The values of Store.Durability.
const (
	DurabilitySync     = "sync"      // each step waits until it is on disk
	DurabilityExit     = "exit"      // the run waits at its end
	DurabilityMaxDelay = "max_delay" // the run goes on, synced at least every MaxDelay
)

// Store says where checkpoints go.
type Store struct {
	URL        string        // as written, see ExpandEnv; "" = default
	Durability string        // DurabilitySync, DurabilityExit or DurabilityMaxDelay
	MaxDelay   time.Duration // with DurabilityMaxDelay
	KeepLast   int           // checkpoints of a thread; 0 = all
	KeepFor    time.Duration // 0 = for ever
	Pos        Pos
}

// Stream says where events go.
type Stream struct {
	URL      string        // as written, see ExpandEnv; "" = none. Of a later version
	Queue    int           // events, default 1024
	Overflow string        // block | reject | drop_oldest
	BlockFor time.Duration // with block, default 2s
	Rate     string        // "1000/s"; "" = no bound
	Burst    int           // events; 0 = one second of Rate
	Pos      Pos
}
