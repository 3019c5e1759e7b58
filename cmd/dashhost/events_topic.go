package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/kafkasink"
)

// isTopic says whether a URL names a topic of Kafka.
func isTopic(url string) bool { return strings.HasPrefix(url, "kafka:") }

// topicEvents prints the events of a topic, or how far it was read.
func (a *app) topicEvents(ctx context.Context, url string, f *eventFlags) error {
	target, _, err := kafkasink.ParseURL(url, a.Getenv)
	if err != nil {
		return err
	}
	o := kafkasink.ReaderOptions{Follow: f.follow, Group: f.group, Logger: a.logger().Named("kafka")}
	if o.Start = (kafkasink.Start{End: f.start.now, Offset: f.start.offset}); !f.start.now {
		o.Start.Time = f.start.time
	}
	r, err := kafkasink.NewReader(target, &o)
	if err != nil {
		return err
	}
	if f.lag {
		return a.topicLag(ctx, r, f.group)
	}
	log := topicLog{app: a, reader: r, sequences: streaming.NewSequences(0), began: time.Now()}
	told, err := a.printRows(ctx, log.rows(ctx), f)
	a.talk.clear()
	if f.follow && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	if told == 0 && err == nil && log.bad == 0 {
		a.talk.linef("no events match in topic %s", target.Topic)
	}
	log.sum()
	if err == nil && log.bad > 0 {
		err = &unreadableError{Records: log.bad, First: log.first}
	}
	return err
}

// topicLag prints a row for each partition.
func (a *app) topicLag(ctx context.Context, r *kafkasink.Reader, group string) error {
	list, err := r.Partitions(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"PARTITION", "FIRST", "NEXT", "COMMITTED", "LAG"}}
	total := int64(0)
	for _, p := range list {
		committed := "-"
		if p.Committed >= 0 {
			committed = fmt.Sprint(p.Committed)
		}
		if a.flags.json {
			a.printJSON(&lagRow{p.Partition, p.First, p.Next, group, p.Committed, p.Lag})
		}
		rows = append(rows, []string{fmt.Sprint(p.Partition), fmt.Sprint(p.First), fmt.Sprint(p.Next), committed, fmt.Sprint(p.Lag)})
		total += p.Lag
	}
	if !a.flags.json {
		a.table(append(rows, []string{"all", "", "", "", fmt.Sprint(total)}))
	}
	return nil
}

// lagRow is a partition as `events --lag --json` prints it.
type lagRow struct {
	Partition int32  `json:"partition"`
	First     int64  `json:"first"`
	Next      int64  `json:"next"`
	Group     string `json:"group,omitempty"`
	Committed int64  `json:"committed"` // -1: the group has said nothing, or there is none
	Lag       int64  `json:"lag"`
}

// topicLog reads a topic, and tells what is not as it should be.
type topicLog struct {
	app       *app
	reader    *kafkasink.Reader
	sequences *streaming.Sequences
	began     time.Time
	shown     time.Time
	bad       int // records that cannot be read
	first     error
	warned    int // gaps that were told one by one
}

const maxWarnings = 20 // of a kind that are told one by one

// rows yields the events; what cannot be read is told and counted.
func (l *topicLog) rows(ctx context.Context) iter.Seq2[*eventRow, error] {
	return func(yield func(*eventRow, error) bool) {
		dec := streaming.NewDecoder(0)
		defer dec.Close()
		var e streaming.Event
		for entry, err := range l.reader.All(ctx) {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			l.progress()
			if err := dec.Decode(&entry.Record, &e); err != nil {
				l.unreadable(entry.Fault(err))
				continue
			}
			if !yield(l.row(entry, &e), nil) {
				return
			}
		}
	}
}

// row is an event with its place, and its order in its thread. What a group gave others in between is no gap.
func (l *topicLog) row(entry *kafkasink.Entry, e *streaming.Event) *eventRow {
	r := rowOfStream(e)
	r.Partition, r.Offset = &entry.Partition, &entry.Offset
	order, missing := l.sequences.See(uint64(entry.Turn)<<32|uint64(uint32(entry.Partition)), e.Thread, e.Seq)
	switch order {
	case streaming.Repeated:
		r.Order = "repeated"
	case streaming.Late:
		r.Order = "late"
	case streaming.AfterGap:
		r.Order = "after_gap"
		if l.warned++; l.warned <= maxWarnings {
			l.app.talk.linef("%s thread %s: %s missing before number %d (partition %d, offset %d)", l.app.talk.paint(yellow, "warning:"),
				visible(e.Thread), count(int(missing), "event"), e.Seq, entry.Partition, entry.Offset)
		}
	}
	return r
}

func (l *topicLog) unreadable(err error) {
	if l.bad++; l.bad == 1 {
		l.first = err
	}
	if l.bad <= maxWarnings {
		l.app.talk.print(l.app.talk.paint(red, "unreadable:") + " " + visible(oneLine(err)) + "\n")
	}
}

// progress shows how far a long reading is.
func (l *topicLog) progress() {
	read, _ := l.reader.Progress()
	if read%512 != 0 {
		return
	}
	now := time.Now()
	if now.Sub(l.began) < slow || now.Sub(l.shown) < slow/5 {
		return
	}
	l.shown = now
	_, left := l.reader.Progress()
	l.app.talk.progressf("read %d of %d records, %d a second", read, read+left, int(float64(read)/now.Sub(l.began).Seconds()))
}

// sum says what was noticed, if anything was.
func (l *topicLog) sum() {
	t := l.sequences.Totals()
	var words []string
	for _, n := range [...]struct {
		n    uint64
		what string
	}{{t.Repeated, "repeated"}, {t.Late, "late"}, {t.Missing, "missing"}} {
		if n.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	if len(words) > 0 {
		l.app.talk.linef("order     %s", strings.Join(words, ", "))
	}
}

// unreadableError says that records of a topic were left out.
type unreadableError struct {
	Records int
	First   error
}

// Error implements error.
func (e *unreadableError) Error() string {
	if e.Records == 1 {
		return "1 record cannot be read: " + e.First.Error()
	}
	return fmt.Sprintf("%d records cannot be read, the first is: %v", e.Records, e.First)
}

// explainTopic knows what is wrong with a topic, or with the way to it.
func explainTopic(f *fault, err error) bool {
	var unreadable *unreadableError
	switch {
	case errors.As(err, &unreadable):
		f.Exit = exitDamaged
		f.hint("the other records were read; what is there was perhaps not written by dashhost")
	case errors.Is(err, kafkasink.ErrOptions):
		f.Exit = exitUsage
		f.hint("kafka://[USER@]HOST[:PORT][,HOST...]/TOPIC[?tls=true&ca=FILE&cert=FILE&key=FILE&sasl=MECHANISM...]")
		f.hint("secrets come from %s or %s", kafkasink.EnvPassword, kafkasink.EnvToken)
	case errors.Is(err, kafkasink.ErrTopic):
		f.hint("topics are not made by themselves: kafka-topics.sh --bootstrap-server HOST:PORT --create --topic NAME --partitions N")
	case errors.Is(err, kafkasink.ErrDenied):
		f.hint("look at user, password and sasl of the URL, and at what the broker permits that user")
	case errors.Is(err, kafkasink.ErrConnect):
		f.hint("look at host, port, tls, ca and sasl of the URL: broker and client must agree on them")
	case errors.Is(err, kafkasink.ErrUnreachable), errors.Is(err, kafkasink.ErrTimeout):
		f.hint("is a broker running there? kafka://HOST:PORT/TOPIC names one")
	default:
		return false
	}
	return true
}
