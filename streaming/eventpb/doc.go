// Package eventpb is the wire format dashstream.v1: its messages (generated from dashstream.proto), the frame around a message, and
// one strict decoder. Package streaming turns its events into these bytes; programs that read a topic or a file in Go use Codec.
//
// A frame is the value of one record:
//
//	0  compression  1   00 none, 01 zstd; anything else is no frame
//	1  payload          one DashStreamMessage in protobuf; for zstd, one or more zstd frames of it, and nothing after them
//
// The encoder compresses payloads of more than 512 bytes at level 3 and keeps the result only if it is smaller; it writes zstd's
// checksum. A payload inside zstd says so in header.compression, and so does every event of a batch.
//
// # Strict
//
// There is one way to decode. The size of the payload is limited before anything is allocated for it, for zstd inside the
// decompressor, by one number: exactly that many bytes are accepted, one more is ErrTooLarge. Then the whole payload is checked
// against the schema without making anything: wire types, lengths, varints over 64 bits, UTF-8, and messages nested more than 100
// deep, groups and map entries included. Unknown fields, unknown enum numbers, repeated numbers that are not packed, and a message
// that is given twice (it is merged) are accepted, as protobuf wants it. A payload without any field is a message without a
// variant.
//
// What the decoder does not look at is what a consumer does with a message: whether it has a header, and whether
// header.schema_version is 1 (0 counts as 1).
package eventpb

// The path in the descriptor names this repository, so that a program may link other generated code for the same messages only if
// it sets protobuf's conflict policy: the runtime allows each full name once.
//
//go:generate sh -c "go build -o ../../bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go && protoc --plugin=../../bin/protoc-gen-go -I../.. --go_out=../.. --go_opt=paths=source_relative streaming/eventpb/dashstream.proto"
