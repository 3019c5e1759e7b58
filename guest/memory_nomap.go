//go:build !linux && !darwin

package guest

// reserve returns nil: memories are plain slices here.
func reserve(uint64) []byte { return nil }

func unreserve([]byte) {}
