package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode"
)

func TestTheCommittedTableIsCurrent(t *testing.T) {
	have, err := os.ReadFile("../chars/unicode.c")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(have), "Unicode "+unicode.Version+";") {
		t.Skipf("the table is of another version of Unicode than %s, which this Go has", unicode.Version)
	}
	var want bytes.Buffer
	write(&want)
	if !bytes.Equal(have, want.Bytes()) {
		t.Error("chars/unicode.c is not what unicodegen writes: run it again")
	}
}
