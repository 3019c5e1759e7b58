package workflow

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

var envForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}`) })

// ExpandEnv replaces each ${env:X} in the URL of a store or stream by what
// lookup returns for X. The error names a variable that is not set. Print the
// URL as written, never the result: it may hold a password.
func ExpandEnv(text string, lookup func(string) (value string, ok bool)) (string, error) {
	var missing string
	out := envForm().ReplaceAllStringFunc(text, func(m string) string {
		name := envForm().FindStringSubmatch(m)[1]
		val, ok := lookup(name)
		if !ok && missing == "" {
			missing = name
		}
		return val
	})
	if missing != "" {
		return "", fmt.Errorf("environment variable %s is not set", missing)
	}
	return out, nil
}

// checkURL says what is wrong with the URL of a store or stream, without
// repeating it.
func checkURL(text string) string {
	const stand = "dashhost-env"
	plain := envForm().ReplaceAllString(text, stand)
	if strings.Contains(plain, "${") {
		return "expected ${env:NAME}, found another placeholder"
	}
	u, err := url.Parse(plain)
	if err != nil {
		return "expected a URL, found something that cannot be taken apart"
	}
	if pw, ok := u.User.Password(); ok && pw != "" && strings.ReplaceAll(pw, stand, "") != "" {
		return "expected no password, found one"
	}
	for key, vals := range u.Query() {
		if !secretKey(key) {
			continue
		}
		for _, val := range vals {
			if strings.ReplaceAll(val, stand, "") != "" {
				return fmt.Sprintf("expected no literal %s, found one", key)
			}
		}
	}
	return ""
}

// secretKey reports whether a query parameter of that name holds a secret.
func secretKey(key string) bool {
	key = strings.ToLower(key)
	for _, part := range []string{"password", "passwd", "secret", "token", "api_key", "apikey"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	return false
}
