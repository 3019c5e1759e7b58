//go:build !unix

package kafkasink

import (
	"testing"
	"time"
)

func benchBroker(b *testing.B) []string {
	b.Skip("scripts/kafka.sh needs a Unix shell")
	return nil
}

func cpu() time.Duration { return 0 }
