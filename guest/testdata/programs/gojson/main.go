// Command gojson is a guest of the Go toolchain: it reads JSON into values, sorts and counts, and writes it again.
package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"sort"
	"strings"
)

type item struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Tags  []string          `json:"tags"`
	Score float64           `json:"score"`
	More  map[string]string `json:"more,omitempty"`
}

func document() []byte {
	items := make([]item, 200)
	for i := range items {
		items[i] = item{
			ID: i * 7919 % 1000, Name: fmt.Sprintf("member %d", i), Tags: []string{"a", "bc", strings.Repeat("d", i%20)},
			Score: float64(i) / 3, More: map[string]string{"k": "v", "n": fmt.Sprint(i)},
		}
	}
	b, err := json.Marshal(items)
	if err != nil {
		panic(err)
	}
	return b
}

// run works n times and gives a number that depends on all of it.
//
//go:wasmexport run
func run(n uint32) uint64 {
	text := document()
	sum := fnv.New64a()
	for range n {
		var items []item
		if err := json.Unmarshal(text, &items); err != nil {
			panic(err)
		}
		sort.Slice(items, func(i, j int) bool { return items[i].ID < items[j].ID })
		words := map[string]int{}
		for _, it := range items {
			for _, w := range strings.Fields(it.Name) {
				words[w]++
			}
		}
		b, err := json.Marshal(items)
		if err != nil {
			panic(err)
		}
		sum.Write(b)
		fmt.Fprint(sum, len(words))
	}
	return sum.Sum64()
}

// dashRun makes it a guest, which works once for every call.
//
//go:wasmexport dash_run
func dashRun(uint32) int32 {
	if run(1) == 0 {
		return 1
	}
	return 0
}

func main() {}
