package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fixed is a key for golden texts: the seed is 1, 2, 3, ...
func fixed(t testing.TB) SecretKey {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i + 1)
	}
	k, err := ParseSecretKey("ed25519-secret:" + base64.StdEncoding.EncodeToString(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestFormat pins what is written in files, made here from the description with nothing but the standard library.
func TestFormat(t *testing.T) {
	k := fixed(t)
	digest := sha256.Sum256([]byte("a module"))
	private := ed25519.NewKeyFromSeed(bytes.Clone(k.key.Seed()))
	public := private.Public().(ed25519.PublicKey)
	sum := sha256.Sum256(public)
	said := fmt.Sprintf("dashhost-signature-1 ed25519 %x %x", sum[:8], digest)
	want := said + " " + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(said+"\n")))
	if got := k.Sign(digest); got != want {
		t.Errorf("line %q\nwant %q", got, want)
	}
	if got, want := k.Public().String(), "ed25519:"+base64.StdEncoding.EncodeToString(public); got != want {
		t.Errorf("public key %q, want %q", got, want)
	}
	const golden = "dashhost-signature-1 ed25519 65b60673d6ed884b f6c0d945dc8a9e01854484f4e9b123945919e553778d4386d1d939451c038a0c a19eWuFkavl8AoadcgrEpWndT2AjWxKs37tzyiCk+Xd2WdNVDN51+1sVdVQctICznO7zJ9uAuc9ysw2hdOdQCA=="
	if want != golden || k.Public().ID() != "65b60673d6ed884b" || k.Public().String() != "ed25519:ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ=" {
		t.Errorf("files that were written before do not count any more: %s", want)
	}
}

func TestVerify(t *testing.T) {
	k, other, stranger := fixed(t), NewSecretKey(), NewSecretKey()
	digest, changed := sha256.Sum256([]byte("a module")), sha256.Sum256([]byte("another"))
	keys := []PublicKey{other.Public(), k.Public()}
	forged := k.Sign(digest)
	forged = forged[:len(forged)-6] + "AAAA" + forged[len(forged)-2:]
	renamed := strings.Replace(stranger.Sign(digest), stranger.Public().ID(), k.Public().ID(), 1)
	for name, c := range map[string]struct {
		lines []string
		want  string // in the error, "" for none
	}{
		"good":                 {[]string{k.Sign(digest)}, ""},
		"second of two":        {[]string{stranger.Sign(digest), k.Sign(digest)}, ""},
		"good among bad":       {[]string{"x", forged, k.Sign(changed), k.Sign(digest)}, ""},
		"none":                 {nil, "there is none, expected one by key " + other.Public().ID() + " or " + k.Public().ID()},
		"stranger":             {[]string{stranger.Sign(digest)}, "is by key " + stranger.Public().ID() + ", expected one by"},
		"of another module":    {[]string{k.Sign(changed)}, "changed since it was signed"},
		"forged":               {[]string{forged}, "damaged or forged"},
		"under another's name": {[]string{renamed}, "damaged or forged"},
		"no line":              {[]string{"hello"}, "expected dashhost-signature-1"},
		"other algorithm":      {[]string{strings.Replace(k.Sign(digest), " ed25519 ", " rsa ", 1)}, "algorithm \"rsa\""},
	} {
		by, err := Verify(c.lines, digest, keys)
		var e *Error
		switch {
		case c.want == "" && (err != nil || by != k.Public()):
			t.Errorf("%s: %v, %v", name, by.ID(), err)
		case c.want != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Verify([]string{k.Sign(digest)}, digest, nil); err == nil {
		t.Error("without keys something is verified")
	}
}

// TestEveryBitOfALine: no change of a signature, of the digest or of the key makes another good one.
func TestEveryBitOfALine(t *testing.T) {
	k := fixed(t)
	digest := sha256.Sum256([]byte("a module"))
	line := k.Sign(digest)
	for i := range line {
		for bit := range 8 {
			b := []byte(line)
			b[i] ^= 1 << bit
			if strings.Join(strings.Fields(string(b)), " ") == line {
				continue // other space
			}
			if _, err := Verify([]string{string(b)}, digest, []PublicKey{k.Public()}); err == nil {
				t.Errorf("bit %d of byte %d: taken: %q", bit, i, b)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	k := NewSecretKey()
	again, err := ParseSecretKey("  " + k.Text() + "\n")
	if err != nil || again.Text() != k.Text() {
		t.Errorf("%v", err)
	}
	public, err := ParsePublicKey(k.Public().String() + "\n")
	if err != nil || public != k.Public() {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "ed25519:", "ed25519:AAAA", k.Text(), "rsa:" + k.Public().String()[8:], k.Public().String() + "A"} {
		if _, err := ParsePublicKey(text); err == nil || strings.Contains(err.Error(), k.Text()[len(secretPrefix):]) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseSecretKey(k.Public().String()); err == nil {
		t.Error("a public key is taken for a secret one")
	}
	if _, err := ParsePublicKeys([]string{k.Public().String(), "x"}); err == nil {
		t.Error("a wrong key among others is taken")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(format, k); strings.Contains(got, fmt.Sprintf("%x", k.key.Seed()[:4])) || !strings.Contains(got, k.Public().ID()) {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func TestLines(t *testing.T) {
	got := Lines("# signed on Monday\r\n\n  a b \r\n\t\nc\n#d")
	if strings.Join(got, "|") != "a b|c" {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	k := fixed(f)
	f.Add(k.Sign([32]byte{1}))
	f.Add("dashhost-signature-1 ed25519 a b c")
	f.Fuzz(func(t *testing.T, line string) {
		l, err := Parse(line)
		if err == nil && l.By(k.Public()) && strings.Join(strings.Fields(line), " ") != k.Sign([32]byte{1}) {
			t.Errorf("%q counts", line)
		}
	})
}
