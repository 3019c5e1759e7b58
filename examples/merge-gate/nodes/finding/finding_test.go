package finding

import "testing"

// The Rust crate has the same table: ids must not depend on the language.
func TestIDIsTheSameInEveryLanguage(t *testing.T) {
	cases := []struct{ rule, path, content, want string }{
		{"aws-access-key", "a/b.go", "x", "e458f55458f1070c"},
		{"bidi-control", "päth", "é\u202e", "f31cf500d1ac3593"},
		{"", "", "", "709e80c88487a241"},
	}
	for _, c := range cases {
		if got := ID(c.rule, c.path, c.content); got != c.want {
			t.Errorf("ID(%q, %q, %q) = %s, want %s", c.rule, c.path, c.content, got, c.want)
		}
	}
	if ID("ab", "c", "") == ID("a", "bc", "") {
		t.Error("parts run into each other")
	}
}

func TestFixture(t *testing.T) {
	for name, want := range map[string]bool{
		"testdata/x": true, "a/Fixtures/x.go": true, "a/b_test.go": true, "web/x.spec.ts": true, "tests/a.py": true,
		"contest/x.go": false, "a/latest.go": false, "main.go": false, "testdata": false,
	} {
		if got := Fixture(name); got != want {
			t.Errorf("Fixture(%q) = %v, want %v", name, got, want)
		}
	}
}
