module github.com/dashhost/dashhost/sdk/go

go 1.24
