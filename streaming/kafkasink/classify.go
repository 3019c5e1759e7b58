package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dashhost/dashhost/streaming/driver"
)

// classify says what a failed record means. reached is false if no broker was connected since the record was handed over: then it
// was certainly not written.
func classify(err error, reached bool) driver.Class {
	var answer *kerr.Error
	switch {
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return driver.TooLarge
	case errors.Is(err, kerr.InvalidRecord), errors.Is(err, kerr.InvalidTimestamp), errors.Is(err, kerr.PolicyViolation):
		return driver.Permanent // it is about this record, and the same tomorrow
	case errors.Is(err, kgo.ErrMaxBuffered):
		return driver.Unavailable
	case errors.As(err, &answer) && !answer.Retriable || errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID):
		return driver.Unavailable // it refuses everything: topic, identity or permission can be mended
	case !reached:
		return driver.Unavailable
	}
	return driver.Unknown
}

// explain puts our own error around one of the client's, so that callers need not know the library.
func explain(err error, topic string, timeout time.Duration, last error) error {
	switch {
	case isTopic(err):
		return fmt.Errorf("topic %s: %w: %w", topic, ErrTopic, err)
	case isDenied(err), isDenied(last):
		return denied(topic, firstOf(err, last, isDenied))
	case isEnd(err) && last != nil:
		return fmt.Errorf("topic %s: %w after %v: %w", topic, ErrTimeout, timeout, last)
	case isEnd(err):
		return fmt.Errorf("topic %s: %w after %v", topic, ErrTimeout, timeout)
	}
	return fmt.Errorf("topic %s: %w", topic, err)
}

func denied(topic string, err error) error {
	if errors.Is(err, ErrDenied) {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return fmt.Errorf("topic %s: %w: %w", topic, ErrDenied, err)
}

func firstOf(a, b error, is func(error) bool) error {
	if is(a) {
		return a
	}
	return b
}

func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrRecordTimeout)
}

func isTopic(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

func isDenied(err error) bool {
	for _, e := range [...]error{
		ErrDenied, kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState, kerr.TopicAuthorizationFailed,
		kerr.ClusterAuthorizationFailed, kerr.GroupAuthorizationFailed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isAway is true for errors that say that nobody is there now, or cannot answer yet. All others say that somebody is, with whom there is
// no talking: no broker, other settings for TLS or SASL, a certificate that nobody known has signed.
func isAway(err error) bool {
	var (
		op     *net.OpError
		lookup *net.DNSError
		first  *kgo.ErrFirstReadEOF
	)
	switch {
	case errors.As(err, &lookup):
		return !lookup.IsNotFound
	case errors.As(err, &op):
		return op.Op != "remote error" // an alert of TLS
	case errors.As(err, &first):
		return false
	}
	return isEnd(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || kerr.IsRetriable(err)
}
