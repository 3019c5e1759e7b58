package signature

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

const (
	magic = "dashhost-signature-1"
	// Suffix makes of a module's file name that of its signatures.
	Suffix = ".sig"
	// MaxFile is how large a signature file may be, in bytes: over 60 signatures.
	MaxFile = 16 << 10
)

// Sign signs the module with this sha256 and gives a line of a signature file, without the line feed.
func (k SecretKey) Sign(digest [32]byte) string {
	said := statement(k.Public().ID(), hex.EncodeToString(digest[:]))
	return said + " " + base64.StdEncoding.EncodeToString(ed25519.Sign(k.key, []byte(said+"\n")))
}

func statement(id, digest string) string {
	return strings.Join([]string{magic, algorithm, id, digest}, " ")
}

// Line is one signature as it is written. That it can be read does not say that it is good.
type Line struct {
	KeyID  string
	SHA256 string // hex
	sum    [ed25519.SignatureSize]byte
}

// Lines gives the signatures of a file as texts, without comments.
func Lines(file string) []string {
	var lines []string
	for l := range strings.Lines(file) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			lines = append(lines, l)
		}
	}
	return lines
}

// Parse reads one line.
func Parse(line string) (*Line, error) {
	words := strings.Fields(line)
	if len(words) != 5 || words[0] != magic {
		return nil, fmt.Errorf("expected %s %s KEYID SHA256 SIGNATURE, found %.40q", magic, algorithm, line)
	}
	if words[1] != algorithm {
		return nil, fmt.Errorf("algorithm %.20q: only %s is known", words[1], algorithm)
	}
	l := &Line{KeyID: words[2], SHA256: words[3]}
	b, err := base64.StdEncoding.Strict().DecodeString(words[4])
	if err != nil || len(b) != len(l.sum) || !isHex(l.KeyID, 16) || !isHex(l.SHA256, 64) {
		return nil, fmt.Errorf("expected 16 and 64 hex digits and %d bytes in base64, found %.40q", len(l.sum), line)
	}
	copy(l.sum[:], b)
	return l, nil
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// By tells whether key made the signature.
func (l *Line) By(key PublicKey) bool {
	return ed25519.Verify(key.key[:], []byte(statement(key.ID(), l.SHA256)+"\n"), l.sum[:]) && l.KeyID == key.ID()
}

// Verify checks that one of lines is a signature of the module with this sha256 by one of keys, and gives that key. It fails
// with an *Error.
func Verify(lines []string, digest [32]byte, keys []PublicKey) (PublicKey, error) {
	want := hex.EncodeToString(digest[:])
	e := &Error{SHA256: want}
	for _, k := range keys {
		e.Keys = append(e.Keys, k.ID())
	}
	for _, text := range lines {
		l, err := Parse(text)
		if err != nil {
			e.Malformed = err
			continue
		}
		e.Signed = append(e.Signed, l.KeyID)
		i := slices.IndexFunc(keys, func(k PublicKey) bool { return k.ID() == l.KeyID })
		switch {
		case i < 0:
		case l.SHA256 != want:
			e.Other = l.SHA256
		case !l.By(keys[i]):
			e.Bad = l.KeyID
		default:
			return keys[i], nil
		}
	}
	return PublicKey{}, e
}

// Error says why no signature of a module counts.
type Error struct {
	SHA256    string   // of the module, hex
	Keys      []string // ids of the keys that count
	Signed    []string // ids of the keys that the signatures name, whether or not they are good
	Other     string   // one by a key that counts is for the module with this digest, "" if there is none
	Bad       string   // one names this key, which counts, and is not by it, "" if there is none
	Malformed error    // why a line could not be read, nil if all could
}

func (e *Error) Error() string {
	want := "expected one by key " + strings.Join(e.Keys, " or ")
	switch {
	case e.Bad != "":
		return "signature: the one by key " + e.Bad + " is wrong: damaged or forged"
	case e.Other != "":
		return fmt.Sprintf("signature: is for a module with sha256 %s, this one has %s: it was changed since it was signed", e.Other, e.SHA256)
	case e.Malformed != nil:
		return "signature: " + e.Malformed.Error()
	case len(e.Signed) == 0:
		return "signature: there is none, " + want
	}
	return "signature: is by key " + strings.Join(e.Signed, " and ") + ", " + want
}

// Unwrap gives Malformed.
func (e *Error) Unwrap() error { return e.Malformed }
