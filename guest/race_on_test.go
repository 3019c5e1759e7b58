//go:build race

package guest

// slack is what the race detector keeps of its own for what a process has done, in bytes.
const slack = 24 << 20
