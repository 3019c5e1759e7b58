package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/internal/testenv"
)

// TestPostgresCrashLoop is TestCrashLoop on a server: a run is killed, and another process goes on with it when the lease has
// ended.
func TestPostgresCrashLoop(t *testing.T) {
	if os.Getenv(testenv.PostgresEnv) == "" {
		t.Skip(testenv.PostgresEnv + " is not set: make integration-postgres sets it")
	}
	base := t.TempDir()
	for dir := base; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil { // the server's user goes through
			t.Fatal(err)
		}
	}
	server, err := testenv.StartPostgres(base + "/pg")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	const kills = 15
	killed, acked := 0, 0
	for n := 0; killed < kills; n++ {
		dir := filepath.Dir(project(t, crashManifest, "echo.wasm"))
		url := fmt.Sprintf("%s&schema=s%d&lease=1s", server.URL(), n)
		if err := os.WriteFile(filepath.Join(dir, "store.url"), []byte(url), 0o600); err != nil {
			t.Fatal(err)
		}
		k, a := crashThreadOnce(t, min(kills-killed, 5), dir)
		killed, acked = killed+k, acked+a
	}
	t.Logf("%d kills: %d acknowledged tasks and steps, 0 lost, 0 run again", killed, acked)
}
