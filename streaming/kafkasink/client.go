package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

const (
	dialTimeout    = 5 * time.Second
	requestTimeout = 5 * time.Second  // beside what a broker may take by agreement
	openTimeout    = 10 * time.Second // until a broker has said something about the topic
	metadataAge    = time.Second      // how soon the client may look again where partitions are
	metadataOld    = 30 * time.Second // when it does so without a reason, and finds new partitions
)

// options are those that every client has.
func (t *Target) options(w *watch, log hclog.Logger) ([]kgo.Opt, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	id := t.ClientID
	if id == "" {
		id = "dashhost"
	}
	o := []kgo.Opt{
		kgo.SeedBrokers(t.Brokers...), kgo.ClientID(id), kgo.WithLogger(adaptor{log}), kgo.WithHooks(w),
		kgo.DialTimeout(dialTimeout), kgo.RequestTimeoutOverhead(requestTimeout), kgo.MetadataMinAge(metadataAge),
		kgo.MetadataMaxAge(metadataOld), kgo.DisableClientMetrics(),
	}
	if t.TLS != nil {
		c, err := t.TLS.config()
		if err != nil {
			return nil, err
		}
		o = append(o, kgo.DialTLSConfig(c))
	}
	if t.SASL != nil {
		if _, err := t.SASL.Secret(); err != nil {
			return nil, fmt.Errorf("%w: SASL.Secret: %w", ErrOptions, err)
		}
		o = append(o, kgo.SASL(t.SASL.mechanism()))
	}
	return o, nil
}

// mechanism asks for the secret at every authentication.
func (s *SASL) mechanism() sasl.Mechanism {
	scrammed := func(context.Context) (scram.Auth, error) {
		p, err := s.Secret()
		return scram.Auth{User: s.User, Pass: p}, err
	}
	switch s.Mechanism {
	case ScramSHA256:
		return scram.Sha256(scrammed)
	case ScramSHA512:
		return scram.Sha512(scrammed)
	case OAuthBearer:
		return bearer{oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			p, err := s.Secret()
			return oauth.Auth{Zid: s.User, Token: p}, err
		})}
	}
	return plain.Plain(func(context.Context) (plain.Auth, error) {
		p, err := s.Secret()
		return plain.Auth{User: s.User, Pass: p}, err
	})
}

// bearer says what a broker has against a token, which the library does not.
type bearer struct{ sasl.Mechanism }

// Authenticate implements sasl.Mechanism.
func (b bearer) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := b.Mechanism.Authenticate(ctx, host)
	return bearerSession{session}, first, err
}

type bearerSession struct{ sasl.Session }

// Challenge implements sasl.Session. A broker that takes the token says nothing.
func (b bearerSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) > 0 {
		return false, nil, fmt.Errorf("%w: oauthbearer: the broker answers %.200q", ErrDenied, answer)
	}
	return b.Session.Challenge(answer)
}

// lookAt asks for the topic. The error is ErrTopic, ErrDenied, ErrConnect or ErrUnreachable.
func lookAt(ctx context.Context, cl *kgo.Client, topic string, w *watch) (kadm.TopicDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	details, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	d := details[topic]
	if err == nil {
		err = d.Err
	}
	if last := w.lastError(); isEnd(err) && last != nil {
		err = last
	}
	switch {
	case err == nil:
		return d, nil
	case isTopic(err):
		return d, fmt.Errorf("topic %s: %w: %w", topic, ErrTopic, err)
	case isDenied(err):
		return d, denied(topic, err)
	case isAway(err):
		return d, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return d, fmt.Errorf("%w: %w", ErrConnect, err)
}

// patiently asks again while brokers say that they cannot answer yet, as they do when a group is new to them.
func patiently(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for {
		err := ask()
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// lasting says whether an error of lookAt is one that waiting does not mend.
func lasting(err error) bool { return err != nil && !errors.Is(err, ErrUnreachable) }
