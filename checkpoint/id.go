package checkpoint

import (
	"crypto/rand"
	"time"

	"github.com/oklog/ulid/v2"
)

// NewID returns a ULID that is greater by bytes than after, if after is a ULID or "". Its time is the later of now and one
// millisecond past after's, so ids keep their order when the clock does not, or when two are made in one millisecond.
func NewID(now time.Time, after string) string {
	ms := uint64(0)
	if n := now.UnixMilli(); n > 0 {
		ms = uint64(n)
	}
	if a, err := ulid.ParseStrict(after); err == nil {
		ms = max(ms, a.Time()+1)
	}
	var id ulid.ULID
	if err := id.SetTime(min(ms, ulid.MaxTime())); err != nil {
		panic("BUG: " + err.Error())
	}
	rand.Read(id[6:]) // never fails: it ends the process instead
	return id.String()
}
