package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/internal/seal"
)

func TestSealedTextsOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := seal.NewVault()
		for range rapid.IntRange(0, 3).Draw(t, "rotations") {
			older := v.Seal(nil, []byte("older"), nil)
			v = v.Rotated()
			if text, err := v.Open(nil, older, nil); string(text) != "older" || err != nil {
				t.Fatalf("after a rotation: %q, %v", text, err)
			}
		}
		text, ad := rapid.SliceOf(rapid.Byte()).Draw(t, "text"), rapid.SliceOf(rapid.Byte()).Draw(t, "ad")
		sealed := v.Seal([]byte("before"), text, ad)[6:]
		if len(sealed) != len(text)+seal.Overhead {
			t.Fatalf("%d bytes for %d", len(sealed), len(text))
		}
		got, err := v.Open(nil, sealed, ad)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q, %v", got, err)
		}
		bit := rapid.IntRange(0, len(sealed)*8-1).Draw(t, "bit")
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := v.Open(nil, sealed, ad); err == nil {
			t.Fatal("a changed bit was not noticed")
		}
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := v.Open(nil, sealed, append(ad, 0)); !errors.Is(err, seal.ErrForged) {
			t.Fatalf("other associated data: %v", err)
		}
		if _, err := v.Open(nil, sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "cut")], ad); err == nil {
			t.Fatal("a cut text was not noticed")
		}
	})
}

func TestTokens(t *testing.T) {
	n := seal.NewVault().Names()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		token := n.Token("x", a)
		if name, err := n.Name("x", token); name != a || err != nil {
			t.Fatalf("%q became %q, %v", a, name, err)
		}
		if (token == n.Token("x", b)) != (a == b) {
			t.Fatalf("%q and %q", a, b)
		}
		if a == "" {
			return
		}
		if len(a) > 3 && strings.Contains(token, a) {
			t.Fatal("the name is in its token")
		}
		if _, err := n.Name("y", token); !errors.Is(err, seal.ErrForged) {
			t.Fatalf("in another domain: %v", err)
		}
		if _, err := n.Name("x", token[:len(token)-1]); err == nil {
			t.Fatal("a cut token was taken")
		}
	})
}

func TestVault(t *testing.T) {
	one, two := seal.NewKey(), seal.NewKey()
	v := seal.NewVault().Rotated()
	sealed, err := v.SealWith(one)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.OpenVault(sealed, two, one)
	if err != nil || again.Current() != v.Current() || again.Keys() != 2 || again.Names().Token("x", "y") != v.Names().Token("x", "y") {
		t.Fatalf("%v, %v", again, err)
	}
	var missing *seal.KeyError
	if _, err := seal.OpenVault(sealed, two); !errors.As(err, &missing) || missing.ID != one.ID() {
		t.Errorf("another key: %v", err)
	}
	for name, b := range map[string][]byte{"empty": nil, "cut": sealed[:40], "huge": make([]byte, 2<<20)} {
		if _, err := seal.OpenVault(b, one); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, text := range []string{"", "{}", `{"format":2}`, `{"format":1,"names":"","data":[]}`, `{"format":1,"more":1}`, "null"} {
		if _, err := seal.OpenVault(one.Seal(nil, []byte(text), []byte("dashhost vault 1")), one); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestKeysAreNotShown(t *testing.T) {
	k := seal.NewKey()
	text := k.Text()
	if back, err := seal.ParseKey(" " + text + "\n"); back != k || err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimPrefix(text, "dashhost-key-1:")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if s := fmt.Sprintf(verb, struct{ K seal.Key }{k}); strings.Contains(s, secret) || !strings.Contains(s, k.ID().String()) {
			t.Errorf("%s: %s", verb, s)
		}
	}
	if b, err := json.Marshal(k); err == nil {
		t.Errorf("as JSON: %s", b)
	}
	for _, bad := range []string{"", secret, text[:len(text)-1], text + "A", strings.ToUpper(text), "dashhost-key-2:" + secret} {
		if _, err := seal.ParseKey(bad); !errors.Is(err, seal.ErrKey) || len(bad) > 20 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Golden: what was sealed by an earlier version opens.
func TestFormat(t *testing.T) {
	k, err := seal.ParseKey("dashhost-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	if err != nil {
		t.Fatal(err)
	}
	if id := k.ID().String(); id != goldenID {
		t.Errorf("id %s", id)
	}
	text, err := k.Open(nil, []byte(goldenSealed), []byte("ad"))
	if err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	v, err := seal.OpenVault([]byte(goldenVault), k)
	if err != nil {
		t.Fatal(err)
	}
	if token := v.Names().Token("thread", "name"); token != goldenToken {
		t.Errorf("token %s", token)
	}
}

func FuzzOpen(f *testing.F) {
	v := seal.NewVault()
	f.Add(v.Seal(nil, []byte("text"), nil), "token")
	f.Add([]byte(goldenVault), v.Names().Token("x", "name"))
	f.Fuzz(func(t *testing.T, sealed []byte, token string) {
		if text, err := v.Open(nil, sealed, nil); err == nil && len(text)+seal.Overhead != len(sealed) {
			t.Errorf("%d bytes from %d", len(text), len(sealed))
		}
		if name, err := v.Names().Name("x", token); err == nil && v.Names().Token("x", name) != token {
			t.Errorf("%q is not the token of %q", token, name)
		}
		if _, err := seal.OpenVault(sealed, seal.NewKey()); err == nil {
			t.Error("opened with a new key")
		}
	})
}
