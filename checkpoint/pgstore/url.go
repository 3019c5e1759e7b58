package pgstore

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// URLError is a store URL that says nothing useful. Its text has no part of the URL, which may hold a password.
type URLError struct{ Reason string }

func (e *URLError) Error() string { return "postgres URL: " + e.Reason }

// defaults for what neither the URL nor the environment says.
const (
	defaultSchema   = "dashhost"
	defaultLease    = 15 * time.Second
	defaultTimeout  = 30 * time.Second
	defaultPatience = 10 * time.Second
	defaultConns    = 16
	lockTimeout     = "10000" // ms that an append waits for another one of its thread
	idleTimeout     = "10000" // ms after which the server ends a client that stopped with a thread locked
)

// settings are what the driver takes out of a URL before pgx sees it.
type settings struct {
	schema   string
	lease    time.Duration
	timeout  time.Duration
	patience time.Duration
}

// schemaName is what needs no quotes and no care in SQL.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// parseURL splits a URL into what the driver wants and what pgx does.
func parseURL(raw string) (settings, *pgxpool.Config, error) {
	set := settings{schema: defaultSchema, lease: defaultLease, timeout: defaultTimeout, patience: defaultPatience}
	scheme, rest, _ := strings.Cut(raw, ":")
	if scheme != "postgres" && scheme != "postgresql" {
		return set, nil, &URLError{"must begin with postgres://"}
	}
	if !strings.HasPrefix(rest, "//") {
		rest = "//" + rest
	}
	base, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndex(base, "@"); at > 2+strings.IndexAny(base[2:]+"/", "/") {
		return set, nil, &URLError{unreadable} // a slash in front of an @ is one of the password
	}
	query, err := set.take(query)
	if err != nil {
		return set, nil, err
	}
	cfg, err := pgxpool.ParseConfig("postgres:" + base + "?" + query)
	if err != nil {
		return set, nil, &URLError{parseReason(base, err)}
	}
	if !strings.Contains("&"+query, "&pool_max_conns=") {
		cfg.MaxConns = defaultConns
	}
	for name, value := range map[string]string{
		"application_name": "dashhost", "lock_timeout": lockTimeout, "idle_in_transaction_session_timeout": idleTimeout,
	} {
		if _, ok := cfg.ConnConfig.RuntimeParams[name]; !ok {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = set.patience
	}
	return set, cfg, nil
}

// take reads the driver's own parameters and returns the others as they are.
func (set *settings) take(query string) (rest string, err error) {
	var others []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "schema":
			if !schemaName.MatchString(value) {
				return "", &URLError{fmt.Sprintf("schema %q: want at most 63 of a-z 0-9 _, not beginning with a digit", value)}
			}
			set.schema = value
		case "lease":
			err = take(name, value, time.Second, &set.lease)
		case "timeout":
			err = take(name, value, 100*time.Millisecond, &set.timeout)
		case "patience":
			err = take(name, value, 0, &set.patience)
		default:
			others = append(others, part)
		}
		if err != nil {
			return "", err
		}
	}
	return strings.Join(others, "&"), nil
}

// take reads a time.
func take(name, value string, least time.Duration, to *time.Duration) error {
	v, err := time.ParseDuration(value)
	if err != nil || v < least || v > 24*time.Hour {
		return &URLError{fmt.Sprintf("%s %q: want a time from %v to 24h, such as 15s", name, value, least)}
	}
	*to = v
	return nil
}

const unreadable = "user, password, host or port cannot be read: in these, characters such as : / ? # @ % are written as %3A %2F %3F %23 %40 %25"

// parseReason is what pgx found wrong, without what it quotes.
func parseReason(base string, err error) string {
	if _, e := url.Parse("postgres:" + base); e != nil {
		return unreadable
	}
	text := err.Error()
	var bad *pgconn.ParseConfigError
	if errors.As(err, &bad) {
		text = strings.Replace(text, bad.ConnString, "", 1)
	}
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+3:]
	}
	if u, e := url.Parse("postgres:" + base); e == nil && u.User != nil {
		if pw, ok := u.User.Password(); ok && pw != "" {
			text = strings.ReplaceAll(text, pw, hidden)
		}
	}
	return text
}

// Redact returns a URL of a store without its password, for people to read. Where the password ends cannot be said of a URL that
// breaks the rules; then more than it is left out.
func Redact(raw string) string {
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || !strings.HasPrefix(rest, "//") && !strings.HasPrefix(scheme, "postgres") {
		return raw
	}
	slashes := rest[:len(rest)-len(strings.TrimLeft(rest, "/"))]
	base, query, asked := strings.Cut(rest[len(slashes):], "?")
	if strings.Contains(query, "@") {
		return scheme + ":" + slashes + hidden
	}
	if at := strings.LastIndex(base, "@"); at >= 0 {
		user, _, secret := strings.Cut(base[:at], ":")
		if secret {
			user += ":" + hidden
		}
		base = user + base[at:]
	}
	if asked {
		parts := strings.Split(query, "&")
		for i, p := range parts {
			name, _, _ := strings.Cut(p, "=")
			if plain, err := url.QueryUnescape(name); err != nil || strings.HasSuffix(plain, "password") {
				parts[i] = name + "=" + hidden
			}
		}
		base += "?" + strings.Join(parts, "&")
	}
	return scheme + ":" + slashes + base
}

const hidden = "xxxxx"
