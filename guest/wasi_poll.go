package guest

import (
	"encoding/binary"
	"math"

	"github.com/dashhost/dashhost/abi"
)

// Sizes and places of what poll_oneoff reads and writes, little endian:
//
//	subscription (48): userdata u64 | tag u8 @8 | clock: id u32 @16, timeout u64 ns @24, precision @32,
//	                                              flags u16 @40 (1 = absolute) | fd: descriptor u32 @16
//	event (32):        userdata u64 | errno u16 @8 | tag u8 @10 | fd: bytes u64 @16, flags u16 @24
const (
	subscriptionSize = 48
	eventSize        = 32

	tagClock = 0
	tagRead  = 1
	tagWrite = 2

	absolute = 1
)

// pollOneoff waits for the nearest clock, or not at all if a descriptor is subscribed: the standard ones
// are always ready, there are no others. Two rounds: the wait that is asked for, then who is due.
func pollOneoff(in *instance, word []uint64) uint32 {
	subs := in.table(word[0], word[2], subscriptionSize)
	events := in.table(word[1], word[2], eventSize)
	count := in.u32(word[3])
	in.charge(len(subs) / bytesPerUnit)
	if len(subs) == 0 {
		return abi.WASIInval
	}
	now := in.host.Now()
	wait := int64(math.MaxInt64)
	for s := subs; len(s) > 0; s = s[subscriptionSize:] {
		wait = min(wait, delay(s, now))
		in.halt()
	}
	if wait > 0 {
		// Ended by the deadline, the call ends with it (halt). Any other fault of the host's clock makes
		// the sleep shorter, as a signal would.
		if err := in.host.Sleep(in, wait); err != nil && in.stopped() == running {
			in.pool.rt.log.Error("sleep", "module", in.pool.name, "error", err)
		}
		in.halt()
	}
	n := uint32(0)
	for s := subs; len(s) > 0; s = s[subscriptionSize:] {
		if delay(s, now) <= wait {
			putEvent(events[n*eventSize:], s)
			n++
		}
		in.halt()
	}
	binary.LittleEndian.PutUint32(count, n)
	return abi.WASISuccess
}

// delay is how many microseconds after now a subscription is due, at most those of 100 years; not in the
// past. Anything but a clock is due at once.
func delay(sub []byte, now int64) int64 {
	const century = 100 * 366 * 24 * 3600 * 1_000_000
	if sub[8] != tagClock || !clockKnown(uint64(binary.LittleEndian.Uint32(sub[16:]))) {
		return 0
	}
	ns := binary.LittleEndian.Uint64(sub[24:])
	us := int64(ns / microsecond)
	if ns%microsecond != 0 {
		us++
	}
	if binary.LittleEndian.Uint16(sub[40:])&absolute != 0 {
		us -= now
	}
	return min(max(us, 0), century)
}

func putEvent(event, sub []byte) {
	clear(event[:eventSize])
	copy(event, sub[:8])
	event[10] = sub[8]
	errno := uint16(abi.WASISuccess)
	id := binary.LittleEndian.Uint32(sub[16:])
	switch sub[8] {
	case tagClock:
		if !clockKnown(uint64(id)) {
			errno = abi.WASIInval
		}
	case tagRead:
		if id != stdin {
			errno = abi.WASIBadf
		}
	case tagWrite:
		if id != stdout && id != stderr {
			errno = abi.WASIBadf
		} else {
			binary.LittleEndian.PutUint64(event[16:], 1)
		}
	default:
		errno = abi.WASIInval
	}
	binary.LittleEndian.PutUint16(event[8:], errno)
}
