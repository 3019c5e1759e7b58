//go:build unix

package kafkasink

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dashhost/dashhost/streaming/driver"
)

// admin is a client that may do everything.
func (b *realBroker) admin(t testing.TB) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.at["PLAIN"]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func (b *realBroker) pem(name string) string { return filepath.Join(b.dir, "tls", name) }

// token is one of OAuth that nobody signed, which the test's broker takes.
func token(subject string, lasts time.Duration) string {
	part := base64.RawURLEncoding.EncodeToString
	now := time.Now()
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, subject, now.Add(-time.Minute).Unix(), now.Add(lasts).Unix())
	return part([]byte(`{"alg":"none"}`)) + "." + part([]byte(claims)) + "."
}

// Every way to connect, by URL: events are written and read back, or the error says what is wrong, soon, and without the secret.
func TestRealAccess(t *testing.T) {
	b := startBroker(t)
	b.topic(t, "access", 3, 1<<20)
	ca := "ca=" + b.pem("ca.pem")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("alice-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, url string
		env       map[string]string
		want      error // nil: it works
	}{
		{"nothing", "PLAIN/access", nil, nil},
		{"certificate", "MTLS/access?" + ca + "&cert=" + b.pem("client.pem") + "&key=" + b.pem("client.key"), nil, nil},
		{"plain", "alice:alice-secret@SASL/access?sasl=plain&" + ca, nil, nil},
		{"scram-sha-256", "alice@SASL/access?sasl=scram-sha-256&" + ca, map[string]string{EnvPassword: "alice-secret"}, nil},
		{"scram-sha-512", "alice@SASL/access?sasl=scram-sha-512&password_file=" + secret + "&" + ca, nil, nil},
		{"oauthbearer", "SASL/access?sasl=oauthbearer&" + ca, map[string]string{EnvToken: token("alice", time.Hour)}, nil},
		{"several brokers, one there", "127.0.0.1:1,PLAIN/access", nil, nil},

		{"topic missing", "PLAIN/missing", nil, ErrTopic},
		{"wrong password, plain", "alice:hidden-word@SASL/access?sasl=plain&" + ca, nil, ErrDenied},
		{"wrong password, scram", "alice:hidden-word@SASL/access?sasl=scram-sha-256&" + ca, nil, ErrDenied},
		{"unknown user", "mallory:hidden-word@SASL/access?sasl=scram-sha-512&" + ca, nil, ErrDenied},
		{"token expired", "SASL/access?sasl=oauthbearer&" + ca, map[string]string{EnvToken: token("alice", -time.Second)}, ErrDenied},
		{"no identity", "SASL/access?" + ca, nil, ErrConnect},
		{"no certificate", "MTLS/access?" + ca, nil, ErrConnect},
		{"authority unknown", "MTLS/access?ca=" + b.pem("stranger.pem"), nil, ErrConnect},
		{"other name", "MTLS/access?server_name=elsewhere&" + ca, nil, ErrConnect},
		{"TLS missing", "MTLS/access", nil, ErrConnect},
		{"TLS too much", "PLAIN/access?tls=true", nil, ErrConnect},
		{"no such host", "nohost.invalid:9092/access", nil, ErrConnect},
		{"nobody listens", "127.0.0.1:1/access", nil, ErrUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := "kafka://" + strings.NewReplacer("PLAIN", b.at["PLAIN"], "MTLS", b.at["MTLS"], "SASL", b.at["SASL"]).Replace(c.url)
			target, o, err := ParseURL(url, func(name string) string { return c.env[name] })
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewReader(target, nil)
			if err != nil {
				t.Fatal(err)
			}
			o.Timeout = time.Second
			began := time.Now()
			s, err := Open(t.Context(), target, o)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				writeAndRead(t, s, r)
				return
			}
			if errors.Is(c.want, ErrUnreachable) {
				if err != nil {
					t.Fatalf("%v: a sink waits for brokers that are away", err)
				}
				wantClass(t, s, driver.Unavailable)
				shut(t, s)
			} else if !errors.Is(err, c.want) || strings.Contains(err.Error(), "hidden-word") {
				t.Errorf("sink: %v, want %v", err, c.want)
			}
			_, err = r.Partitions(t.Context())
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "hidden-word") {
				t.Errorf("reader: %v, want %v", err, c.want)
			}
			t.Logf("%v: %v", time.Since(began).Round(time.Millisecond), err)
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func writeAndRead(t *testing.T, s *Sink, r *Reader) {
	t.Helper()
	want := driver.Record{ID: [16]byte{1}, Time: time.Now().UnixMilli() * 1000, Key: []byte("é"), Value: []byte("\x00" + t.Name())}
	want.Headers = []driver.Header{{Key: "traceparent", Value: []byte("1")}, {Key: "traceparent", Value: []byte("2")}, {Key: "tenant_id"}}
	if n, err := s.Write(t.Context(), "s", []driver.Record{want}); n != 1 || err != nil {
		t.Fatalf("%d taken, %v", n, err)
	}
	shut(t, s)
	for e, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Record; string(got.Value) == string(want.Value) {
			want.ID = got.ID
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("read %v, wrote %v", got, want)
			}
			return
		}
	}
	t.Error("the record is not there")
}

// wantClass writes a record that must fail.
func wantClass(t *testing.T, s *Sink, want driver.Class) {
	t.Helper()
	n, err := s.Write(t.Context(), "s", []driver.Record{{Time: 1, Key: []byte("k"), Value: []byte{0}}})
	if n != 0 || err == nil || driver.ClassOf(err) != want {
		t.Errorf("%d taken, %v, want %v", n, err, want)
	}
}

// Permission to write may be taken away and given back: events wait.
func TestRealPermissionIsTakenAway(t *testing.T) {
	b := startBroker(t)
	b.topic(t, "access", 3, 1<<20)
	target := &Target{
		Brokers: []string{b.at["SASL"]}, Topic: "access", TLS: &TLS{CA: b.pem("ca.pem")},
		SASL: &SASL{Mechanism: Plain, User: "bob", Secret: Text("bob-secret")},
	}
	s := openSink(t, target, &Options{Timeout: 5 * time.Second})
	defer shut(t, s)
	one := []driver.Record{{Time: 1, Key: []byte("k"), Value: []byte{0}}}
	if n, err := s.Write(t.Context(), "s", one); n != 1 || err != nil {
		t.Fatalf("%d taken, %v", n, err)
	}
	deny := kadm.NewACLs().Topics("access").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpWrite).Deny("User:bob").DenyHosts("*")
	if _, err := b.admin(t).CreateACLs(t.Context(), deny); err != nil {
		t.Fatal(err)
	}
	until(t, "writing is refused", func() bool {
		n, err := s.Write(t.Context(), "s", one)
		if err != nil && (driver.ClassOf(err) != driver.Unavailable || !errors.Is(err, ErrDenied)) {
			t.Errorf("%v, want unavailable and ErrDenied", err)
		}
		return n == 0
	})
	if _, err := b.admin(t).DeleteACLs(t.Context(), deny); err != nil {
		t.Fatal(err)
	}
	until(t, "writing is allowed", func() bool { n, _ := s.Write(t.Context(), "s", one); return n == 1 })
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a minute, and not yet: %s", what)
		}
	}
}

// A topic may be deleted, and made again, while events flow.
func TestRealTopicIsDeleted(t *testing.T) {
	b := startBroker(t)
	target := b.topic(t, "gone", 3, 1<<20)
	s := openSink(t, target, &Options{Timeout: 5 * time.Second})
	defer shut(t, s)
	one := []driver.Record{{Time: 1, Key: []byte("k"), Value: []byte{0}}}
	if n, err := s.Write(t.Context(), "s", one); n != 1 || err != nil {
		t.Fatalf("%d taken, %v", n, err)
	}
	if _, err := b.admin(t).DeleteTopic(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	until(t, "the topic is missed", func() bool {
		n, err := s.Write(t.Context(), "s", one)
		if err != nil {
			if c := driver.ClassOf(err); c != driver.Unavailable && c != driver.Unknown {
				t.Errorf("%v, want unavailable or unknown", err)
			}
		}
		return n == 0 && errors.Is(err, ErrTopic)
	})
	create(t, target, "gone", 3, 1<<20)
	until(t, "the new topic is found", func() bool { n, _ := s.Write(t.Context(), "s", one); return n == 1 })
	if n := len(readAll(t, target)); n < 1 {
		t.Errorf("%d records in the new topic", n)
	}
}

// What is too large is told exactly, also when the topic's limit is lowered later, and the others of its batch arrive.
func TestRealRecordTooLarge(t *testing.T) {
	b := startBroker(t)
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("limit lowered later: %v", late), func(t *testing.T) {
			limit := 64 << 10
			if late {
				limit = 1 << 20
			}
			target := b.topic(t, fmt.Sprint("large-", late), 2, limit)
			s := openSink(t, target, nil)
			before := 0
			if late {
				less := fmt.Sprint(64 << 10)
				if _, err := b.admin(t).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &less}}, target.Topic); err != nil {
					t.Fatal(err)
				}
				until(t, "the broker knows the new limit", func() bool {
					n, err := s.Write(t.Context(), "s", []driver.Record{{Time: 1, Key: []byte("k"), Value: noise(100_000)}})
					before += n
					return driver.ClassOf(err) == driver.TooLarge
				})
			}
			var batch []driver.Record
			for i := range 40 {
				size := 100
				if i == 7 || i == 30 {
					size = 100_000
				}
				batch = append(batch, driver.Record{ID: [16]byte{byte(i + 1)}, Time: 1, Key: fmt.Append(nil, i%5), Value: noise(size)})
			}
			var large []int
			at := 0
			for at < len(batch) {
				n, err := s.Write(t.Context(), "s", batch[at:])
				if at += n; err == nil {
					continue
				}
				if driver.ClassOf(err) != driver.TooLarge {
					t.Fatalf("record %d: %v", at, err)
				}
				large = append(large, at)
				at++
			}
			shut(t, s)
			if fmt.Sprint(large) != "[7 30]" {
				t.Errorf("too large are %v, want 7 and 30", large)
			}
			if n := len(readAll(t, target)); n != before+38 {
				t.Errorf("%d records in the topic, want %d", n, before+38)
			}
		})
	}
}

// A quota makes brokers slow clients down: the sink says so, and nothing is lost.
func TestRealThrottled(t *testing.T) {
	b := startBroker(t)
	target := b.topic(t, "slow", 3, 1<<20)
	id := "dashhost"
	_, err := b.admin(t).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: &id}}, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 200_000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := openSink(t, target, &Options{Compression: None})
	sent := 0
	until(t, "the sink is slowed down", func() bool {
		n, err := s.Write(t.Context(), "s", []driver.Record{{Time: 1, Key: []byte("k"), Value: noise(300_000)}})
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		return s.Stats().Throttled > 0
	})
	t.Logf("%+v", s.Stats())
	shut(t, s)
	if n := len(readAll(t, target)); n != sent {
		t.Errorf("%d records in the topic, wrote %d", n, sent)
	}
}
