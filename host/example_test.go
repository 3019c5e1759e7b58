package host_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

type named struct {
	Name string `json:"name"`
}

type greeting struct {
	Greeting string `json:"greeting"`
}

// greeters are the nodes of testdata/greet.yaml.
func greeters() host.Nodes {
	return host.Nodes{
		"greet": host.Func(func(_ *host.Task, in named) (greeting, error) { return greeting{"hello " + in.Name}, nil }),
		"shout": host.Func(func(_ *host.Task, in greeting) (greeting, error) {
			return greeting{strings.ToUpper(in.Greeting) + "!"}, nil
		}),
	}
}

// From a manifest and two Go functions to a result, in memory.
func Example() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)

	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: greeters()})
	if err != nil {
		log.Fatal(err)
	}
	run, err := h.Start(ctx, g, []byte("Ada"), nil)
	if err != nil {
		log.Fatal(err)
	}
	res, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, string(res.Output))
	// Output: done HELLO ADA!
}

// A host whose runs are kept in a folder, which other processes may use too.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	h, err := host.New(&host.Options{
		Store:    "file:" + filepath.Join(dir, "store"),
		CacheDir: filepath.Join(dir, "cache"),
		OpenStore: func(ctx context.Context, url string) (*checkpoint.Store, error) {
			return openurl.Store(ctx, url, &openurl.Options{Owner: "example"})
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	s, err := h.Store(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = s.Thread(ctx, "nobody")
	fmt.Println(errors.Is(err, checkpoint.ErrNotFound))
	fmt.Println(h.Close(ctx))
	// Output:
	// true
	// <nil>
}

func ExampleHost_Load() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)

	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: greeters()})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range g.Workflow().Nodes {
		fmt.Println(n.Name, n.Reads, n.Writes)
	}
	// Output:
	// greet [name] [greeting]
	// shout [greeting] [greeting]
}

// The same thread again is a new turn on its state; with IfExists a start can be repeated safely.
func ExampleHost_Start() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: greeters()})
	if err != nil {
		log.Fatal(err)
	}

	for _, how := range []string{"", host.IfExistsSkip, host.IfExistsFail} {
		run, err := h.Start(ctx, g, []byte("Ada"), &host.RunOptions{Thread: "ada", IfExists: how})
		if err != nil {
			fmt.Println(err)
			continue
		}
		res, err := run.Wait(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s skipped=%v\n", res.Status, res.Output, res.Skipped)
	}
	// Output:
	// done HELLO ADA! skipped=false
	// done HELLO ADA! skipped=true
	// thread "ada": exists and is done
}

// A run that failed goes on with the task that failed: what was acknowledged does not run again. The store has the
// graph; Go functions come from the program.
func ExampleHost_Resume() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	nodes := greeters()
	works := nodes["shout"]
	nodes["shout"] = func(*host.Task) error { return &host.Error{Code: "hoarse", Message: "lost my voice"} }
	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: nodes})
	if err != nil {
		log.Fatal(err)
	}
	run, err := h.Start(ctx, g, []byte("Ada"), &host.RunOptions{Thread: "ada"})
	if err != nil {
		log.Fatal(err)
	}
	res, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, res.Err)

	nodes["shout"] = works
	run, err = h.Resume(ctx, "ada", &host.ResumeOptions{Nodes: nodes})
	if err != nil {
		log.Fatal(err)
	}
	for ev := range run.Events() {
		fmt.Printf("%s(%s)\n", ev.Type, ev.Node)
	}
	res, err = run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, string(res.Output))
	// Output:
	// failed node shout: hoarse: lost my voice
	// node_end(shout)
	// step()
	// run_end()
	// done HELLO ADA!
}

// A run that waits for an answer is resumed with it.
func ExampleHost_Resume_answer() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	g, err := h.Load(ctx, "testdata/deploy.yaml", &host.LoadOptions{Nodes: host.Nodes{"deploy": func(t *host.Task) error {
		answer, err := t.Ask([]byte(`"really?"`))
		if err != nil {
			return err // ErrPending: the task runs again when the answer is there
		}
		return t.Write([]byte(`{"said":` + string(answer) + `}`))
	}}})
	if err != nil {
		log.Fatal(err)
	}
	run, err := h.Start(ctx, g, []byte(`"1.4"`), &host.RunOptions{Thread: "deploy-1.4"})
	if err != nil {
		log.Fatal(err)
	}
	res, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, string(res.Questions[0].Text))

	run, err = h.Resume(ctx, "deploy-1.4", &host.ResumeOptions{Graph: g, Answers: []host.Answer{{Value: []byte(`"on Monday"`)}}})
	if err != nil {
		log.Fatal(err)
	}
	if res, err = run.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, string(res.Output))
	// Output:
	// waiting "really?"
	// done "on Monday"
}

func ExampleRun_Events() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: greeters()})
	if err != nil {
		log.Fatal(err)
	}
	run, err := h.Start(ctx, g, []byte("Ada"), nil)
	if err != nil {
		log.Fatal(err)
	}
	for ev := range run.Events() { // ends with the run
		fmt.Printf("%d %s(%s)\n", ev.Step, ev.Type, ev.Node)
	}
	// Output:
	// 0 run_start()
	// 1 node_start(greet)
	// 1 node_end(greet)
	// 1 step()
	// 2 node_start(shout)
	// 2 node_end(shout)
	// 2 step()
	// 2 run_end()
}

// Drain lets the tasks that run end, and starts no other; the thread can be resumed.
func ExampleRun_Drain() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	nodes := greeters()
	greet, running, goOn := nodes["greet"], make(chan struct{}), make(chan struct{})
	nodes["greet"] = func(t *host.Task) error {
		close(running)
		<-goOn
		return greet(t)
	}
	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: nodes})
	if err != nil {
		log.Fatal(err)
	}
	run, err := h.Start(ctx, g, []byte("Ada"), &host.RunOptions{Thread: "ada"})
	if err != nil {
		log.Fatal(err)
	}
	<-running
	soon, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	fmt.Println(run.Drain(soon)) // asked, and not there yet
	close(goOn)
	fmt.Println(run.Drain(ctx))
	res, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status, "after step", res.Steps)
	// Output:
	// context deadline exceeded
	// <nil>
	// stopped after step 1
}

// Close stops the runs that still go on; what they finished is kept.
func ExampleHost_Close() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	nodes := greeters()
	nodes["greet"] = func(t *host.Task) error {
		<-t.Context().Done()
		return t.Context().Err()
	}
	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: nodes})
	if err != nil {
		log.Fatal(err)
	}
	run, err := h.Start(ctx, g, []byte("Ada"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Close(ctx))
	res, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status)
	_, err = h.Start(ctx, g, []byte("Ada"), nil)
	fmt.Println(errors.Is(err, host.ErrClosed))
	// Output:
	// <nil>
	// stopped
	// true
}
