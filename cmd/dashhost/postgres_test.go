package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dashhost/dashhost/internal/testenv"
)

// TestPostgresScripts are scripts on a server: $OTHER is a second store of it, $ADDR its host and port.
func TestPostgresScripts(t *testing.T) {
	if os.Getenv(testenv.PostgresEnv) == "" {
		t.Skip(testenv.PostgresEnv + " is not set: make integration-postgres sets it")
	}
	base := t.TempDir()
	for dir := base; strings.HasPrefix(dir, os.TempDir()+"/"); dir = dir[:strings.LastIndex(dir, "/")] {
		if err := os.Chmod(dir, 0o711); err != nil { // the server's user goes through
			t.Fatal(err)
		}
	}
	server, err := testenv.StartPostgres(base + "/pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	p := scripts(t.TempDir(), "testdata/postgres")
	setup, n := p.Setup, 0
	p.Setup = func(e *testscript.Env) error {
		n++
		password := strings.ReplaceAll(testenv.PostgresPassword, " ", "%20")
		url := fmt.Sprintf("postgres://test:%s@%s/postgres?sslmode=disable&lease=2s&schema=s%d", password, server.Addr(), n)
		e.Setenv("DASHHOST_STORE", url)
		e.Setenv("OTHER", url+"_other")
		e.Setenv("ADDR", server.Addr())
		return setup(e)
	}
	testscript.Run(t, p)
}
