package kafkasink

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Variables of the environment that ParseURL looks at, if the URL holds no secret.
const (
	EnvPassword = "DASHHOST_KAFKA_PASSWORD"
	EnvToken    = "DASHHOST_KAFKA_TOKEN"
)

const defaultPort = "9092"

// ParseURL reads a URL as the package comment describes it. getenv is asked for secrets that the URL does not hold; nil is no
// environment. The error is a *URLError, and shows no secret.
func ParseURL(raw string, getenv func(string) string) (*Target, *Options, error) {
	p := urlParser{t: &Target{}, o: &Options{}, getenv: getenv}
	if getenv == nil {
		p.getenv = func(string) string { return "" }
	}
	if err := p.parse(raw); err != nil {
		return nil, nil, err
	}
	return p.t, p.o, nil
}

// Redact returns a URL with the password in it, if there is one, replaced by "xxxxx". It also does so for a URL that cannot be parsed.
func Redact(raw string) string {
	scheme, rest, found := strings.Cut(raw, "//")
	if !found {
		return raw
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 { // a password with a slash in it that should have been escaped
		at = strings.LastIndexByte(rest, '@')
	}
	user, _, secret := strings.Cut(rest[:max(at, 0)], ":")
	if !secret {
		return raw
	}
	return scheme + "//" + user + ":xxxxx" + rest[at:]
}

type urlParser struct {
	t        *Target
	o        *Options
	getenv   func(string) string
	user     string
	password *string
	file     string // of the secret
}

func (p *urlParser) parse(raw string) error {
	rest, found := strings.CutPrefix(raw, "kafka://")
	if !found {
		return &URLError{Part: "scheme", Text: "expected kafka://host:port/topic"}
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest+query, "#") {
		return &URLError{Part: "fragment", Text: "a \"#\" has no meaning here; inside a name or password it is written %23"}
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		if err := p.userinfo(hosts[:at]); err != nil {
			return err
		}
		hosts = hosts[at+1:]
	}
	for _, h := range strings.Split(hosts, ",") {
		b, err := broker(h)
		if strings.Contains(path, "@") || err != nil && strings.Contains(query, "@") { // it may be a part of a password
			return &URLError{Part: "user", Text: "there is an \"@\" behind a \"/\" or \"?\": inside a password these are written %2F and %3F"}
		}
		if err != nil {
			return err
		}
		p.t.Brokers = append(p.t.Brokers, b)
	}
	if bad := checkTopic(path); path != "" && bad != "" {
		return &URLError{Part: "topic", Text: bad}
	}
	p.t.Topic = cmp.Or(path, DefaultTopic)
	if err := p.query(query); err != nil {
		return err
	}
	return p.identity()
}

// userinfo is "user" or "user:password", escaped. Errors do not show it.
func (p *urlParser) userinfo(s string) error {
	user, password, found := strings.Cut(s, ":")
	var err error
	if p.user, err = url.PathUnescape(user); err != nil || p.user == "" {
		return &URLError{Part: "user", Text: "empty, or a % that is not followed by two hexadecimal digits"}
	}
	if found {
		clear, err := url.PathUnescape(password)
		if err != nil {
			return &URLError{Part: "password", Text: "a % that is not followed by two hexadecimal digits; % itself is written %25"}
		}
		p.password = &clear
	}
	return nil
}

// broker is "host" or "host:port", with brackets around an IPv6 address.
func broker(s string) (string, error) {
	b := s
	if !strings.Contains(s, ":") || strings.HasSuffix(s, "]") {
		b = s + ":" + defaultPort
	}
	if bad := checkBroker(b); bad != "" {
		return "", &URLError{Part: "host", Text: bad}
	}
	return b, nil
}

// checkBroker says what is wrong with "host:port", "" if nothing is.
func checkBroker(s string) string {
	host, port, err := net.SplitHostPort(s)
	if n, bad := strconv.Atoi(port); err != nil || host == "" || bad != nil || n < 1 || n > 65535 || strings.ContainsAny(host, " /\\?#@%") {
		return fmt.Sprintf("%q, expected host:port", s)
	}
	return ""
}

// setters are the parameters.
var setters = map[string]func(p *urlParser, v string) error{
	"tls":           func(p *urlParser, v string) error { return p.tls(v) },
	"ca":            func(p *urlParser, v string) error { p.tlsOn().CA = v; return nil },
	"cert":          func(p *urlParser, v string) error { p.tlsOn().Cert = v; return nil },
	"key":           func(p *urlParser, v string) error { p.tlsOn().Key = v; return nil },
	"server_name":   func(p *urlParser, v string) error { p.tlsOn().ServerName = v; return nil },
	"sasl":          func(p *urlParser, v string) error { p.t.SASL = &SASL{Mechanism: Mechanism(v)}; return nil },
	"password_file": func(p *urlParser, v string) error { p.file = v; return nil },
	"token_file":    func(p *urlParser, v string) error { p.file = v; return nil },
	"client_id":     func(p *urlParser, v string) error { p.t.ClientID = v; return nil },
	"compression":   func(p *urlParser, v string) error { p.o.Compression = Compression(v); return nil },
	"timeout":       func(p *urlParser, v string) (err error) { p.o.Timeout, err = time.ParseDuration(v); return err },
	"records":       func(p *urlParser, v string) (err error) { p.o.Records, err = strconv.Atoi(v); return err },
	"bytes":         func(p *urlParser, v string) (err error) { p.o.Bytes, err = strconv.Atoi(v); return err },
}

func (p *urlParser) query(s string) error {
	values, err := url.ParseQuery(s)
	if err != nil {
		return &URLError{Part: "parameters", Text: "cannot be read: a % is not followed by two hexadecimal digits, or there is a \";\""}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		set := setters[name]
		switch v := values[name]; {
		case name == "password" || name == "token":
			return &URLError{Part: name, Text: "a secret is no parameter: use user:password@host, " + name + "_file=FILE or " + EnvPassword + ", " + EnvToken}
		case set == nil:
			return &URLError{Part: name, Text: "unknown parameter, known are " + strings.Join(slices.Sorted(maps.Keys(setters)), ", ")}
		case len(v) > 1:
			return &URLError{Part: name, Text: "is there more than once"}
		case v[0] == "":
			return &URLError{Part: name, Text: "is empty"}
		default:
			if err := set(p, v[0]); err != nil {
				return &URLError{Part: name, Text: err.Error()}
			}
		}
	}
	if err := p.o.Validate(); err != nil {
		return &URLError{Part: "parameters", Text: err.Error()}
	}
	return nil
}

func (p *urlParser) tlsOn() *TLS {
	if p.t.TLS == nil {
		p.t.TLS = &TLS{}
	}
	return p.t.TLS
}

func (p *urlParser) tls(v string) error {
	on, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("%q, expected true or false", v)
	}
	if on {
		p.tlsOn()
	} else if p.t.TLS != nil {
		return fmt.Errorf("false, and other parameters ask for TLS")
	}
	return nil
}

// identity puts together user, secret and mechanism.
func (p *urlParser) identity() error {
	s := p.t.SASL
	if s == nil {
		if p.user != "" || p.file != "" {
			return &URLError{Part: "sasl", Text: "missing: how is the identity proved? sasl=plain, scram-sha-256, scram-sha-512 or oauthbearer"}
		}
		return p.wrap(p.t.Validate())
	}
	s.User = p.user
	env := EnvPassword
	if s.Mechanism == OAuthBearer {
		env = EnvToken
	}
	switch {
	case p.password != nil:
		s.Secret = Text(*p.password)
	case p.file != "":
		s.Secret = File(p.file)
	case p.getenv(env) != "":
		s.Secret = Text(p.getenv(env))
	default:
		return &URLError{Part: "sasl", Text: "no secret: " + env + " is not set, and the URL names neither a password nor a file"}
	}
	return p.wrap(p.t.Validate())
}

func (p *urlParser) wrap(err error) error {
	if err == nil {
		return nil
	}
	return &URLError{Part: "parameters", Text: err.Error()}
}
