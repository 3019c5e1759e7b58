package abi

// Names of what a guest exports.
const (
	ExportMemory     = "memory"      // its linear memory, defined by itself
	ExportInitialize = "_initialize" // set-up of the toolchain's runtime
	ExportStart      = "dash_start"  // warm-up of the node, once per instance
	ExportRun        = "dash_run"    // one call
	ExportCommand    = "_start"      // what a command has instead: refused for kind node
)

// Export is one function that a guest of kind node exports.
type Export struct {
	Name     string
	Args     []string
	Params   []ValueType
	Results  []ValueType
	Required bool
	Phase    Phase // the phase in which the host calls it
	Doc      string
}

// Signature gives the export as the spec's headings write it.
func (e *Export) Signature() string { return signature(e.Name, e.Args, e.Params, e.Results) }

// Exports gives the functions a guest must or may export, in the order in which they are called. The
// memory is exported beside them.
func Exports() []Export {
	return []Export{
		{Name: ExportInitialize, Phase: PhaseStart, Doc: "set up the language's runtime"},
		{
			Name: ExportStart, Args: []string{"config_len"}, Params: []ValueType{I32}, Results: []ValueType{I32},
			Phase: PhaseStart, Doc: "parse the configuration and warm up",
		},
		{
			Name: ExportRun, Args: []string{"input_len"}, Params: []ValueType{I32}, Results: []ValueType{I32},
			Required: true, Phase: PhaseRun, Doc: "run one task",
		},
	}
}
