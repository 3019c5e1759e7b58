package hosttest_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/hosttest"
)

// TestGrantsShowTheFakes: a node that is granted clock and randomness gets those of the test, and without the grants
// neither.
func TestGrantsShowTheFakes(t *testing.T) {
	node := func(task *host.Task) error {
		token := make([]byte, 8)
		if err := task.Random(token); err != nil {
			return err
		}
		return task.Write(fmt.Appendf(nil, "%s %x", task.Now().UTC().Format(time.TimeOnly), token))
	}
	want := make([]byte, 8)
	hosttest.Random(1)(want)
	for range 2 {
		out := hosttest.RunNode(t, node, "", &hosttest.NodeOptions{Fields: "grants: {clock: true, random: true}"})
		out.Check(t, &hosttest.Want{Output: fmt.Sprintf("04:05:06 %x", want)})
	}
	hosttest.RunNode(t, node, "", nil).Check(t, &hosttest.Want{Code: "denied"})
}

func TestRandomIsOneStream(t *testing.T) {
	whole, parts, other := make([]byte, 64), make([]byte, 64), make([]byte, 64)
	hosttest.Random(7)(whole)
	r := hosttest.Random(7)
	r(parts[:9])
	r(parts[9:])
	hosttest.Random(8)(other)
	if !bytes.Equal(whole, parts) || bytes.Equal(whole, other) {
		t.Errorf("%x\n%x\n%x", whole, parts, other)
	}
}
