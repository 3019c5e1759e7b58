package kafkasink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// DefaultTopic is where events go when nobody says otherwise.
const DefaultTopic = "dashstream-events"

// Target is a topic of a cluster, and who asks for it. It holds no secret that printing it would show.
type Target struct {
	Brokers  []string // "host:port" of some brokers, required; the others are found over them
	Topic    string   // default DefaultTopic
	ClientID string   // what brokers call this client in their logs, default "dashhost"
	TLS      *TLS     // nil: no encryption
	SASL     *SASL    // nil: no identity, or that of the certificate
}

// TLS says how connections are encrypted, 1.2 at least. Files are PEM.
type TLS struct {
	CA         string // file of authorities that brokers must be signed by; default those of the system
	Cert, Key  string // files of the client's certificate and key, read for every connection; both or none
	ServerName string // that brokers must prove to be; default the host of each
}

// Mechanism is a way of SASL to prove an identity.
type Mechanism string

// Mechanisms.
const (
	Plain       Mechanism = "plain"
	ScramSHA256 Mechanism = "scram-sha-256"
	ScramSHA512 Mechanism = "scram-sha-512"
	OAuthBearer Mechanism = "oauthbearer"
)

// Secret gives a password or token each time one is needed, so that it may change while the program runs.
type Secret func() (string, error)

// SASL is an identity.
type SASL struct {
	Mechanism Mechanism // required
	User      string    // required but for OAuthBearer
	Secret    Secret    // password or token, required
}

// Text is a secret that does not change.
func Text(s string) Secret { return func() (string, error) { return s, nil } }

// File is a secret that stands in a file, without white space around it.
func File(path string) Secret {
	return func() (string, error) {
		b, err := os.ReadFile(path)
		return strings.TrimSpace(string(b)), err
	}
}

// Validate returns all that is wrong, an error of several lines that is ErrOptions, or nil.
func (t *Target) Validate() error {
	var errs []error
	bad := func(wrong bool, field, text string) {
		if wrong {
			errs = append(errs, fmt.Errorf("%w: %s: %s", ErrOptions, field, text))
		}
	}
	bad(len(t.Brokers) == 0, "Brokers", "none, expected host:port of one or more")
	for _, b := range t.Brokers {
		bad(checkBroker(b) != "", "Brokers", checkBroker(b))
	}
	bad(t.Topic != "" && checkTopic(t.Topic) != "", "Topic", checkTopic(t.Topic))
	if t.TLS != nil {
		bad((t.TLS.Cert == "") != (t.TLS.Key == ""), "TLS", "Cert and Key belong together, and one is missing")
	}
	if s := t.SASL; s != nil {
		known := s.Mechanism == Plain || s.Mechanism == ScramSHA256 || s.Mechanism == ScramSHA512 || s.Mechanism == OAuthBearer
		bad(!known, "SASL.Mechanism", fmt.Sprintf("%q, expected plain, scram-sha-256, scram-sha-512 or oauthbearer", string(s.Mechanism)))
		bad(s.User == "" && s.Mechanism != OAuthBearer, "SASL.User", "empty")
		bad(s.Secret == nil, "SASL.Secret", "none: a password or token is needed")
	}
	return errors.Join(errs...)
}

// topic is the topic with its default.
func (t *Target) topic() string {
	if t.Topic == "" {
		return DefaultTopic
	}
	return t.Topic
}

// checkTopic says what is wrong with the name of a topic, "" if nothing is. The rules are Kafka's.
func checkTopic(name string) string {
	wrong := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	})
	switch {
	case len(name) > 249:
		return fmt.Sprintf("%d characters, at most 249 are allowed", len(name))
	case wrong >= 0 || name == "." || name == "..":
		return fmt.Sprintf("%q, expected letters, digits, \".\", \"_\" and \"-\"", name)
	}
	return ""
}

// config reads the files. An error is ErrOptions and names the file.
func (t *TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("%w: TLS.CA: %w", ErrOptions, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: TLS.CA: %s: no certificate in it, expected PEM", ErrOptions, t.CA)
		}
	}
	if t.Cert == "" {
		return c, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		return &pair, err
	}
	if _, err := load(); err != nil {
		return nil, fmt.Errorf("%w: TLS.Cert, TLS.Key: %w", ErrOptions, err)
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, nil
}
