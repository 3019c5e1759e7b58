module github.com/dashhost/dashhost/examples/merge-gate/nodes

go 1.24

require github.com/dashhost/dashhost/sdk/go v0.0.0

replace github.com/dashhost/dashhost/sdk/go => ../../../sdk/go
