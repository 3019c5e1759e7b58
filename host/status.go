package host

import (
	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/engine"
)

// ThreadStatus is running, waiting, stopped, failed, done, cancelled or
// damaged. A run whose process died is stopped.
func ThreadStatus(i *checkpoint.ThreadInfo) string {
	switch status := i.Attrs[engine.AttrStatus]; {
	case i.Damage != nil:
		return "damaged"
	case i.Claimed && i.Alive:
		return engine.StatusRunning
	case status == engine.StatusRunning || status == "":
		return engine.StatusStopped
	default:
		return status
	}
}

// ThreadFinished reports whether nothing is left to do: a resume would be a
// *FinishedError, a start is a new turn.
func ThreadFinished(i *checkpoint.ThreadInfo) bool {
	return i.Attrs[engine.AttrNext] == "0" && !(i.Claimed && i.Alive)
}
