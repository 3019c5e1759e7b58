package mergegate

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/host"
)

// TestReview: high findings stop the run, waivers let them pass and stay in the
// thread, what is below the level fails the run behind the report, and a
// rejection stands once.
func TestReview(t *testing.T) {
	h, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	g, err := h.Load(ctx, "review.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	wait := func(r *host.Run, err error) *host.Result {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		res, err := r.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	push := func(patch []byte) *host.Result {
		return wait(h.Start(ctx, g, patch, &host.RunOptions{Thread: "pr-42"}))
	}
	answer := func(waivers map[string]string) *host.Result {
		value, _ := json.Marshal(waivers)
		return wait(h.Resume(ctx, "pr-42", &host.ResumeOptions{Graph: g, Answers: []host.Answer{{Value: value}}}))
	}

	res := push(nil)
	if res.Status != "waiting" || len(res.Questions) != 1 || res.Questions[0].Node != "report" || res.Output != nil {
		t.Fatalf("%+v", res)
	}
	high := highFindings(t, h, "pr-42")
	if len(high) < 5 {
		t.Fatalf("high findings %v", high)
	}
	waivers := map[string]string{}
	for _, id := range high[1:] {
		waivers[id] = "looked at it"
	}
	if res = answer(waivers); res.Status != "waiting" {
		t.Fatalf("one high finding is left: %+v", res)
	}
	res = answer(map[string]string{high[0]: "a key | of the test account"})
	if res.Status != "failed" || res.Err.Code != "findings" || !strings.Contains(string(res.Output), "0 high") ||
		!strings.Contains(string(res.Output), `a key \| of the test account`) {
		t.Fatalf("%+v %v\n%s", res, res.Err, res.Output)
	}
	// The next push of the same change asks nothing.
	if res = push(nil); res.Status != "failed" || res.Err.Code != "findings" {
		t.Errorf("second push: %+v", res)
	}
	// One more secret asks again, and only about that one.
	sample, err := os.ReadFile("sample.patch")
	if err != nil {
		t.Fatal(err)
	}
	more := string(sample) + "diff --git a/new.py b/new.py\nnew file mode 100644\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+TOKEN = \"ghp_" +
		strings.Repeat("a1B2c3D4e5F6", 3) + "\"\n"
	if res = push([]byte(more)); res.Status != "waiting" {
		t.Fatalf("a new secret does not ask: %+v\n%s", res, res.Output)
	}
	res = answer(map[string]string{"reject": "rotate it first"})
	if res.Status != "failed" || res.Err.Code != "rejected" || !strings.Contains(res.Err.Message, "rotate it first") || !strings.Contains(string(res.Output), "1 high") {
		t.Fatalf("rejected: %+v %v\n%s", res, res.Err, res.Output)
	}
	// The rejection stood once, the waivers stay.
	if res = push(nil); res.Status != "failed" || res.Err.Code != "findings" {
		t.Errorf("push after the rejection: %+v %v", res, res.Err)
	}
}

// highFindings reads the ids of the high findings that the thread holds.
func highFindings(t *testing.T, h *host.Host, thread string) []string {
	t.Helper()
	s, err := h.Store(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, st, err := s.State(context.Background(), thread, "", "")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := st.Get("findings")
	var findings []struct{ ID, Severity string }
	if err := json.Unmarshal(raw, &findings); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range findings {
		if f.Severity == "high" {
			ids = append(ids, f.ID)
		}
	}
	return ids
}
