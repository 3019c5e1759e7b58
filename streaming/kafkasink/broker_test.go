//go:build unix

package kafkasink

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dashhost/dashhost/streaming"
)

const stopSignal, contSignal = syscall.SIGSTOP, syscall.SIGCONT

// realBroker is Apache Kafka, started by scripts/kafka.sh. Its tests run with DASHHOST_KAFKA=1: make integration-kafka.
type realBroker struct {
	dir  string
	port int
	at   map[string]string // by listener: PLAIN, MTLS, SASL
}

// Each test of a real broker begins one of its own, so that it can be killed.
func startBroker(t testing.TB) *realBroker {
	t.Helper()
	if os.Getenv("DASHHOST_KAFKA") == "" {
		t.Skip("needs Java and jars of Kafka: make integration-kafka")
	}
	b := &realBroker{dir: t.TempDir(), port: 29092}
	if p := os.Getenv("DASHHOST_KAFKA_PORT"); p != "" {
		var err error
		if b.port, err = strconv.Atoi(p); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { b.stop(t, "-9") })
	b.start(t)
	return b
}

func script(t testing.TB, args ...string) string {
	t.Helper()
	c := exec.Command("../../scripts/kafka.sh", args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("scripts/kafka.sh %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

func (b *realBroker) start(t testing.TB) {
	t.Helper()
	b.at = map[string]string{}
	for line := range strings.Lines(script(t, "start", b.dir, strconv.Itoa(b.port))) {
		name, at, _ := strings.Cut(strings.TrimSpace(line), "=")
		b.at[name] = at
	}
}

func (b *realBroker) stop(t testing.TB, how ...string) {
	t.Helper()
	script(t, append([]string{"stop", b.dir}, how...)...)
}

// signal goes to the broker's process.
func (b *realBroker) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// topic makes a topic and returns where it is for anybody.
func (b *realBroker) topic(t testing.TB, name string, partitions int32, maxBytes int) *Target {
	t.Helper()
	at := &Target{Brokers: []string{b.at["PLAIN"]}, Topic: name}
	create(t, at, name, partitions, maxBytes)
	return at
}

// benchBroker starts a broker for a benchmark.
func benchBroker(b *testing.B) []string { return []string{startBroker(b).at["PLAIN"]} }

// cpu is the time of processors that this process has used: on a machine that others use too it says more than the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process, in MiB.
func resident(t testing.TB) int {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "VmRSS:"); found {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("no VmRSS in /proc/self/status")
	return 0
}

// found is what a topic has of numbered events.
type found struct {
	records, repeats uint64
	threads          map[string]uint64 // distinct events
}

func (f *found) distinct() (n uint64) {
	for _, k := range f.threads {
		n += k
	}
	return n
}

// look reads a topic to its end. Of each thread the distinct events must stand there in the order of their numbers; an event is told
// again by its id.
func look(t testing.TB, target *Target) *found {
	t.Helper()
	r, err := NewReader(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	dec := streaming.NewDecoder(0)
	defer dec.Close()
	f := &found{threads: map[string]uint64{}}
	seen, last := map[[16]byte]bool{}, map[string]uint64{}
	for entry, err := range r.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		var e streaming.Event
		if err := dec.Decode(&entry.Record, &e); err != nil {
			t.Fatal(entry.Fault(err))
		}
		f.records++
		if seen[e.ID] {
			f.repeats++
			continue
		}
		seen[e.ID] = true
		f.threads[e.Thread]++
		if e.Seq <= last[e.Thread] {
			t.Errorf("%s: event %d of %s after event %d", target.Topic, e.Seq, e.Thread, last[e.Thread])
		}
		last[e.Thread] = e.Seq
	}
	return f
}

// account prints a row of what became of events, and checks that it adds up with what the topic has.
func account(t testing.TB, fault string, c streaming.Counts, f *found, took time.Duration) {
	t.Helper()
	t.Logf("%-32s produced %8d  delivered %8d  spooled %d  dropped %6d  maybe twice %5d  dropped but maybe there %5d | in the topic %8d, repeats %5d | %5.1f s, %d MiB resident",
		fault, c.Produced, c.Delivered, c.Spooled, c.Dropped, c.Repeated, c.Unsure, f.distinct(), f.repeats, took.Seconds(), resident(t))
	if c.Produced != c.Delivered+c.Spooled+c.Dropped || c.Waiting != 0 {
		t.Errorf("%s: the counts do not add up: %s", fault, c)
	}
	if n := f.distinct(); n < c.Delivered || n > c.Delivered+c.Unsure {
		t.Errorf("%s: %d events in the topic: %s", fault, n, c)
	}
	if f.repeats > c.Repeated+c.Unsure {
		t.Errorf("%s: %d repeats: %s", fault, f.repeats, c)
	}
}
