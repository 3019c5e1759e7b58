package dash_test

import (
	"fmt"

	dash "github.com/dashhost/dashhost/sdk/go"
	"github.com/dashhost/dashhost/sdk/go/dashtest"
)

func Example() {
	node := dash.Func(greet) // a module says: var node = dash.Serve(dash.Func(greet))
	fmt.Println(dashtest.Run(node, `{"name":"ada"}`, nil).Output)
	fmt.Println(dashtest.Run(node, `{"name":""}`, nil).Failure.Code)
	// Output:
	// {"greeting":"hello <ada>"}
	// no_name
}
