package langgraph

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
	"github.com/dashhost/dashhost/internal/testenv"
)

// TestPostgres: the model and concurrent clients over a real server.
func TestPostgres(t *testing.T) {
	if os.Getenv(testenv.PostgresEnv) == "" {
		t.Skip(testenv.PostgresEnv + " is not set: make integration-postgres sets it")
	}
	dir, err := os.MkdirTemp("", "langgraph")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	p, err := testenv.StartPostgres(filepath.Join(dir, "pg"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	var schemas atomic.Int64
	fresh := func() func() driver.Driver {
		url := fmt.Sprintf("%s&schema=langgraph%d", p.URL(), schemas.Add(1))
		return func() driver.Driver {
			d, err := pgstore.Open(context.Background(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	t.Run("Model", func(t *testing.T) { checkModel(t, 15, fresh) })
	t.Run("ConcurrentClients", func(t *testing.T) { checkConcurrentClients(t, fresh()) })
}
