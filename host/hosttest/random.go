package hosttest

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// Random returns a host.Options.Random that is the same in every run of a test.
// Tasks that run side by side share the stream, in the order that chance gives
// them.
func Random(seed uint64) func(b []byte) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	var mu sync.Mutex
	stream := rand.NewChaCha8(key)
	return func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = stream.Read(b) // never fails
	}
}
