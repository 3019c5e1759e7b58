//go:build linux || darwin

package main

import (
	"fmt"
	"syscall"
	"time"
)

// limitProcess makes the kernel end this process over its limits. RLIMIT_DATA counts what is written to, not what is only
// reserved, of which a Go program has much. Systems other than Linux do not count what is mapped.
func limitProcess(limit time.Duration, memory int64) error {
	seconds := uint64((limit + time.Second - 1) / time.Second)
	for _, l := range []struct {
		name  string
		which int
		max   uint64
	}{
		{"core", syscall.RLIMIT_CORE, 0},
		{"processor time", syscall.RLIMIT_CPU, seconds},
		{"data", syscall.RLIMIT_DATA, uint64(memory)},
	} {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(l.which, &r); err != nil {
			return fmt.Errorf("limit of %s: %w", l.name, err)
		}
		r.Cur, r.Max = min(r.Cur, l.max), min(r.Max, l.max)
		if err := syscall.Setrlimit(l.which, &r); err != nil {
			return fmt.Errorf("limit of %s: %w", l.name, err)
		}
	}
	return nil
}
