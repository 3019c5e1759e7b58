package guest

import (
	"bytes"
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

// unknownMemory stands for machines that do not say how much they have.
const unknownMemory = 4 << 30

// machineMemory is how many bytes this process can have: the least of what the system, its control group and
// GOMEMLIMIT say.
func machineMemory() int64 {
	n := int64(math.MaxInt64)
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		n = min(n, memTotal(info))
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if text, err := os.ReadFile(file); err == nil {
			n = min(n, atLeastOne(string(bytes.TrimSpace(text)), 1))
		}
	}
	if n == math.MaxInt64 {
		n = unknownMemory
	}
	return min(n, debug.SetMemoryLimit(-1))
}

// memTotal reads the line "MemTotal: N kB" of /proc/meminfo.
func memTotal(info []byte) int64 {
	for line := range bytes.Lines(info) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "MemTotal:" {
			return atLeastOne(string(f[1]), 1024)
		}
	}
	return math.MaxInt64
}

// atLeastOne reads a number of units; what is none, as "max", is no limit.
func atLeastOne(text string, unit int64) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return math.MaxInt64
	}
	return n * unit
}
