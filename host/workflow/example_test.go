package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"

	"github.com/dashhost/dashhost/host/workflow"
)

const review = `version: 1
name: review
input:    {channel: text}
channels: {text: {}, score: {}, answer: {}}
nodes:
  score:  {native: score, reads: [text], writes: [score]}
  refuse: {native: say, writes: [answer]}
  accept: {native: say, writes: [answer]}
edges:
  - {from: START, to: score}
  - {from: score, when: [{if: "score < 3", to: refuse}, {to: accept}]}
`

// Parse takes the text of a manifest; Load reads it from a file.
func ExampleParse() {
	g, warnings, err := workflow.Parse(context.Background(), "review.yaml", []byte(review), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Name, len(g.Nodes), "nodes,", len(warnings), "warnings")
	fmt.Print(g.Mermaid())
	// Output:
	// review 3 nodes, 0 warnings
	// flowchart TD
	//     start(["START"])
	//     n0["score<br/>native score"]
	//     n1["refuse<br/>native say"]
	//     n2["accept<br/>native say"]
	//     start --> n0
	//     n0 -->|"score #60; 3"| n1
	//     n0 -->|"else"| n2
}

func ExampleLoad() {
	_, _, err := workflow.Load(context.Background(), "nowhere.yaml", nil)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}

// Every fault is found in one pass, each with its place and what to do.
func ExampleInvalid() {
	const text = `version: 1
name: review
channels: {text: {}}
nodes:
  score: {native: score, writes: [txt], deadline: 5}
edges:
  - {from: START, to: skore}
`
	_, _, err := workflow.Parse(context.Background(), "review.yaml", []byte(text), nil)
	var invalid *workflow.Invalid
	if errors.As(err, &invalid) {
		for _, f := range invalid.Faults {
			fmt.Println(f)
		}
	}
	// Output:
	// review.yaml:5:35: nodes.score.writes[0]: expected a channel, found "txt"
	//     hint: did you mean "text"?
	// review.yaml:5:51: nodes.score.deadline: expected a duration such as 5s, found the number 5
	//     hint: say which unit: 5s, 5ms
	// review.yaml:7:23: edges[0].to: expected a node or END, found "skore"
	//     hint: did you mean "score"?
}
