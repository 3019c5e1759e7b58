// Package bench measures the whole path, from a manifest to a durable step.
// Its benchmarks stand in its tests and compare with something bare in the
// same run, because machines differ: read the ratios, not the times.
package bench
