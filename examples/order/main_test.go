package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	if err := check(context.Background(), `{"country":"XX","price":250}`, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// step 1: price
	// step 1: country
	// step 2: decide
	// done: "ask a person"
}

// An order that the schema of its channel refuses never becomes a run.
func TestBadOrder(t *testing.T) {
	var out bytes.Buffer
	err := check(t.Context(), `{"price":250}`, &out)
	var bad *host.Error
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "country") {
		t.Errorf("error %v, want a *host.Error that names country", err)
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", &out)
	}
}
