package dash

// served is the node of this module. Exports are plain functions, so what they
// call has to be reachable from the package: this is its only variable, written
// once while package variables are initialised, before any export can run.
var served *Node

// Serve makes n the node of this module and returns it, for tests:
//
//	var node = dash.Serve(dash.Func(greet))
//
// A module has one node; a second call panics.
func Serve(n *Node) *Node {
	if n == nil {
		panic("dash: Serve(nil)")
	}
	if served != nil {
		panic("dash: Serve called twice: a module has one node")
	}
	served = n
	return n
}
