package eventpb_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/dashhost/dashhost/streaming/eventpb"
)

// vectors is the folder of frames that another implementation made. They are not part of this repository: DASHHOST_VECTORS says where
// they are, else they are looked for beside it. Without them the golden frames in testdata are what is left.
func vectors(t *testing.T) string {
	t.Helper()
	dir, named := os.LookupEnv("DASHHOST_VECTORS")
	if !named {
		dir = "../../../shared/vectors"
	}
	dir = filepath.Join(dir, "dashstream")
	if _, err := os.Stat(dir); err != nil {
		if named {
			t.Fatalf("DASHHOST_VECTORS: %v", err)
		}
		t.Skipf("LEFT OUT: frames of another implementation, which are not here (%s); set DASHHOST_VECTORS to their folder", dir)
	}
	return dir
}

// table reads a file of tab separated rows with a heading; an empty one fails.
func table(t *testing.T, file string) []map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	heading := strings.Split(lines[0], "\t")
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range strings.Split(line, "\t") {
			row[heading[i]] = cell
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		t.Fatalf("%s: no rows", file)
	}
	return rows
}

func TestVectorsDecodeToTheirJSON(t *testing.T) {
	dir := filepath.Join(vectors(t), "frames")
	c := eventpb.NewCodec(nil)
	defer c.Close()
	rows := table(t, filepath.Join(dir, "index.tsv"))
	for _, row := range rows {
		t.Run(row["file"], func(t *testing.T) { checkVector(t, c, dir, row) })
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.bin"))
	if err != nil || len(files) != len(rows) {
		t.Errorf("%d frames, %d rows in the index, %v", len(files), len(rows), err)
	}
	t.Logf("%d frames", len(rows))
}

func checkVector(t *testing.T, c *eventpb.Codec, dir string, row map[string]string) {
	frame, err := os.ReadFile(filepath.Join(dir, row["file"]))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(row["file"], ".bin")+".json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	if got := toJSON(t, m); !reflect.DeepEqual(jsonValue(t, want), jsonValue(t, got)) {
		t.Errorf("content\n%s\nwant\n%s", got, want)
	}
	if got := map[byte]string{0: "raw", 1: "zstd"}[frame[0]]; got != row["framing"] {
		t.Errorf("framing %s, want %s", got, row["framing"])
	}
	again, err := c.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.Decode(again)
	if err != nil {
		t.Fatal(err)
	}
	if again[0] == eventpb.FrameRaw && !proto.Equal(m, back) {
		t.Errorf("encoded again it is another message: %s", toJSON(t, back))
	}
	if row["multi_entry_map"] != "0" {
		return
	}
	payload, err := c.Payload(nil, frame)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(payload)
	if hex.EncodeToString(sum[:]) != row["payload_sha256"] {
		t.Errorf("payload is not the one of the index")
	}
	if mine, err := c.Payload(nil, again); err != nil || again[0] == frame[0] && !bytes.Equal(mine, payload) {
		t.Errorf("encoded again (%v):\n%x\nwant\n%x", err, mine, payload)
	}
}

func TestVectorsDamagedGetTheirVerdicts(t *testing.T) {
	dir := filepath.Join(vectors(t), "damaged")
	c := eventpb.NewCodec(nil)
	defer c.Close()
	classes := map[string][]error{
		"InvalidFormat":  {eventpb.ErrUnknownCompression, eventpb.ErrBadFrame},
		"Decompression":  {eventpb.ErrBadFrame, eventpb.ErrTooLarge},
		"ProtobufDecode": {eventpb.ErrBadPayload},
	}
	for _, row := range table(t, filepath.Join(dir, "verdicts.tsv")) {
		t.Run(row["file"], func(t *testing.T) {
			frame, err := os.ReadFile(filepath.Join(dir, row["file"]))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Decode(frame)
			if row["verdict"] == "ok" {
				if err != nil {
					t.Errorf("%v, want ok: %s", err, row["what"])
				}
				return
			}
			for _, class := range classes[row["class"]] {
				if errors.Is(err, class) {
					return
				}
			}
			if known := classes[row["class"]] != nil; known || !errors.Is(err, eventpb.ErrTooLarge) {
				t.Errorf("%v, want %s: %s", err, row["class"], row["what"])
			}
		})
	}
}

func toJSON(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// jsonValue reads JSON with numbers as bits, so that -0 is not 0.
func jsonValue(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return numbersAsBits(v)
}

func numbersAsBits(v any) any {
	switch v := v.(type) {
	case float64:
		return math.Float64bits(v)
	case []any:
		for i := range v {
			v[i] = numbersAsBits(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbersAsBits(v[k])
		}
	}
	return v
}
