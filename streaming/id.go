package streaming

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
)

// LifecycleID is the id of a lifecycle event: the first 16 bytes of SHA-256 over
//
//	8 bytes length of store, store, 8 bytes incarnation, 8 bytes length of thread, thread, 8 bytes sequence
//
// with big-endian integers. store is the store's id, incarnation is greater after each restore from a backup, seq is the number of
// the event in its thread. The same event has the same id whoever sends it, however often.
func LifecycleID(store string, incarnation uint64, thread string, seq uint64) [16]byte {
	b := make([]byte, 0, 128)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(store))), store...)
	b = binary.BigEndian.AppendUint64(b, incarnation)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(thread))), thread...)
	b = binary.BigEndian.AppendUint64(b, seq)
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// ids gives out ids that no other publisher gives out: 8 random bytes of its own, then a count.
type ids struct {
	origin [8]byte
	last   atomic.Uint64
}

func (i *ids) start() { rand.Read(i.origin[:]) } // never fails

func (i *ids) next() (id [16]byte) {
	copy(id[:], i.origin[:])
	binary.BigEndian.PutUint64(id[8:], i.last.Add(1))
	return id
}
