package capability

import "github.com/dashhost/dashhost/abi"

// The functions below are in the table and no version of this host has a backend for them yet. A node
// that holds the grant is told so; one that does not is stopped by Enter.

func unsupported(fn abi.FuncID) error {
	return abi.Errorf(abi.Unsupported, "%v: not in this version of the host", fn)
}

// Metric answers abi.Unsupported.
func (s *Set) Metric(kind int32, name []byte, v float64) error { return unsupported(abi.FnMetric) }

// CheckpointSave answers abi.Unsupported.
func (s *Set) CheckpointSave(b []byte) (int64, error) { return 0, unsupported(abi.FnCheckpointSave) }

// CheckpointLoad answers abi.Unsupported.
func (s *Set) CheckpointLoad() ([]byte, error) { return nil, unsupported(abi.FnCheckpointLoad) }

// KVGet answers abi.Unsupported.
func (s *Set) KVGet(key []byte) (val []byte, version int64, err error) {
	return nil, 0, unsupported(abi.FnKVGet)
}

// KVPut answers abi.Unsupported.
func (s *Set) KVPut(key, val []byte, expect int64) (int64, error) {
	return 0, unsupported(abi.FnKVPut)
}

// KVDelete answers abi.Unsupported.
func (s *Set) KVDelete(key []byte, expect int64) error { return unsupported(abi.FnKVDelete) }

// KVList answers abi.Unsupported.
func (s *Set) KVList(prefix, after []byte, max int) ([]byte, error) {
	return nil, unsupported(abi.FnKVList)
}

// HTTPFetch answers abi.Unsupported.
func (s *Set) HTTPFetch(head, body []byte) (int32, error) { return 0, unsupported(abi.FnHTTPFetch) }

// HTTPHead answers abi.Unsupported.
func (s *Set) HTTPHead(h int32) ([]byte, error) { return nil, unsupported(abi.FnHTTPHead) }

// HTTPBody answers abi.Unsupported.
func (s *Set) HTTPBody(h int32, buf []byte) (int, error) { return 0, unsupported(abi.FnHTTPBody) }

// HTTPClose answers abi.Unsupported.
func (s *Set) HTTPClose(h int32) error { return unsupported(abi.FnHTTPClose) }
