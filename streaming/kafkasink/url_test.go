package kafkasink

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestParseURL(t *testing.T) {
	for _, c := range []struct {
		url    string
		getenv func(string) string
		want   Target
		secret string
	}{
		{"kafka://h", nil, Target{Brokers: []string{"h:9092"}, Topic: "dashstream-events"}, ""},
		{"kafka://h:1/t", nil, Target{Brokers: []string{"h:1"}, Topic: "t"}, ""},
		{"kafka://h:1,g,[::1]:2,[::1]/t.a_b-c?", nil, Target{Brokers: []string{"h:1", "g:9092", "[::1]:2", "[::1]:9092"}, Topic: "t.a_b-c"}, ""},
		{"kafka://h?tls=true", nil, Target{Brokers: []string{"h:9092"}, Topic: "dashstream-events", TLS: &TLS{}}, ""},
		{"kafka://h/t?tls=false&client_id=me", nil, Target{Brokers: []string{"h:9092"}, Topic: "t", ClientID: "me"}, ""},
		{"kafka://h/t?ca=/a%26b&cert=c&key=k&server_name=n", nil,
			Target{Brokers: []string{"h:9092"}, Topic: "t", TLS: &TLS{CA: "/a&b", Cert: "c", Key: "k", ServerName: "n"}}, ""},
		{"kafka://u%40x:p%3A%2F%40@h/t?sasl=plain", env(EnvPassword, "no"),
			Target{Brokers: []string{"h:9092"}, Topic: "t", SASL: &SASL{Mechanism: Plain, User: "u@x"}}, "p:/@"},
		{"kafka://u:a:b@h/t?sasl=plain", nil, Target{Brokers: []string{"h:9092"}, Topic: "t", SASL: &SASL{Mechanism: Plain, User: "u"}}, "a:b"},
		{"kafka://u@h/t?sasl=scram-sha-512", env(EnvPassword, "s"), Target{Brokers: []string{"h:9092"}, Topic: "t", SASL: &SASL{Mechanism: ScramSHA512, User: "u"}}, "s"},
		{"kafka://h/t?sasl=oauthbearer", env(EnvToken, "s"), Target{Brokers: []string{"h:9092"}, Topic: "t", SASL: &SASL{Mechanism: OAuthBearer}}, "s"},
	} {
		got, _, err := ParseURL(c.url, c.getenv)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if c.want.SASL != nil {
			if secret, err := got.SASL.Secret(); secret != c.secret || err != nil {
				t.Errorf("%s: secret %q, %v, want %q", c.url, secret, err, c.secret)
			}
			got.SASL.Secret = nil
		}
		if show(got) != show(&c.want) {
			t.Errorf("%s: %s, want %s", c.url, show(got), show(&c.want))
		}
	}
	_, o, err := ParseURL("kafka://h/t?compression=lz4&timeout=3s&records=7&bytes=4194304", nil)
	if err != nil || fmt.Sprint(*o) != fmt.Sprint(Options{Compression: LZ4, Timeout: 3 * time.Second, Records: 7, Bytes: 4 << 20}) {
		t.Errorf("options %+v, %v", o, err)
	}
}

func show(t *Target) string {
	text := fmt.Sprintf("%+v", *t)
	if t.TLS != nil {
		text += fmt.Sprintf(" %+v", *t.TLS)
	}
	if t.SASL != nil {
		text += fmt.Sprintf(" %+v", *t.SASL)
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, fmt.Sprintf("%p", t.TLS), "TLS"), fmt.Sprintf("%p", t.SASL), "SASL")
}

func TestParseURLFaults(t *testing.T) {
	for url, part := range map[string]string{
		"": "scheme", "kafka:": "scheme", "kafka:h/t": "scheme", "http://h": "scheme", "kafka://": "host", "kafka:///t": "host", "kafka://h,,g": "host",
		"kafka://h:0/t": "host", "kafka://h:70000": "host", "kafka://h:x": "host", "kafka://::1/t": "host", "kafka://[::1/t": "host", "kafka://h /t": "host",
		"kafka://h/a/b": "topic", "kafka://h/ä": "topic", "kafka://h/..": "topic", "kafka://h/" + strings.Repeat("x", 250): "topic",
		"kafka://h/t?x=1": "x", "kafka://h/t?tls=maybe": "tls", "kafka://h/t?ca=a&tls=false": "tls", "kafka://h/t?ca=": "ca", "kafka://h/t?ca=1&ca=2": "ca",
		"kafka://h/t?cert=c": "parameters", "kafka://h/t?sasl=gssapi": "sasl", "kafka://h/t?sasl=plain": "sasl", "kafka://u:hunter2@h/t": "sasl",
		"kafka://u:hunter2@h/t?sasl=none": "parameters", "kafka://:hunter2@h/t?sasl=plain": "user", "kafka://u:hunter2%zz@h/t?sasl=plain": "password",
		"kafka://u%zz:hunter2@h/t": "user", "kafka://h/t?password=hunter2": "password", "kafka://h/t?token=hunter2": "token", "kafka://h/t#x": "fragment",
		"kafka://u:hunter2#x@h/t": "fragment", "kafka://u:hunter2/x@h/t": "user", "kafka://u:hunter2?x@h/t": "user", "kafka://u:9/x@h/t": "user", "kafka://h/t?timeout=1ms": "parameters", "kafka://h/t?timeout=x": "timeout",
		"kafka://h/t?records=-1": "parameters", "kafka://h/t?bytes=1": "parameters", "kafka://h/t?compression=gzip": "parameters", "kafka://h/t?a;b": "parameters",
		"kafka://h/t?%zz=1": "parameters", "kafka://h/t?password_file=x": "sasl",
	} {
		_, _, err := ParseURL(url, nil)
		var of *URLError
		if !errors.As(err, &of) || of.Part != part || !errors.Is(err, ErrOptions) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want a fault of %s", url, err, part)
		}
	}
}

func TestRedact(t *testing.T) {
	for url, want := range map[string]string{
		"kafka://h/t": "kafka://h/t", "kafka://u@h/t": "kafka://u@h/t", "kafka://u:p@h/t?x": "kafka://u:xxxxx@h/t?x", "kafka://u:a@b@h,g/t": "kafka://u:xxxxx@h,g/t",
		"kafka://u:a/b@h/t": "kafka://u:xxxxx@h/t", "kafka://u:a?b#c@h/t": "kafka://u:xxxxx@h/t", "postgres://u:p@h/d": "postgres://u:xxxxx@h/d", "file:x": "file:x", "": "",
	} {
		if got := Redact(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// Whatever stands in a URL: no panic, the error is of its type, and a password is in neither the error nor the redacted URL.
func FuzzParseURL(f *testing.F) {
	f.Add("kafka://u:", "", "@h:1/t?sasl=plain&tls=true")
	f.Add("kafka://", "/x?y@z#%zz", "@[::1]:1,x/t?ca=%zz")
	f.Fuzz(func(t *testing.T, before, junk, after string) {
		const password = "hunter2word"
		for _, raw := range []string{before + junk + after, "kafka://u:" + password + junk + "@h:1/t?sasl=plain"} {
			target, o, err := ParseURL(raw, nil)
			if err == nil {
				err = errors.Join(target.Validate(), o.Validate())
			} else if of := (*URLError)(nil); !errors.As(err, &of) {
				t.Errorf("%q: %v", raw, err)
			} else if err = nil; strings.Contains(of.Error()+Redact(raw), password) {
				t.Errorf("%q: %v, redacted %s", raw, of, Redact(raw))
			}
			if err != nil {
				t.Errorf("%q: accepted, but %v", raw, err)
			}
		}
	})
}
