package wasmbin

// The sections by their byte.
const (
	idCustom byte = iota
	idType
	idImport
	idFunction
	idTable
	idMemory
	idGlobal
	idExport
	idStart
	idElement
	idCode
	idData
	idDataCount
	idTag
)

// The names of sections in messages and in Section.Name.
const (
	secHeader    = "header"
	secCustom    = "custom"
	secType      = "type"
	secImport    = "import"
	secFunction  = "function"
	secTable     = "table"
	secMemory    = "memory"
	secTag       = "tag"
	secGlobal    = "global"
	secExport    = "export"
	secStart     = "start"
	secElement   = "element"
	secDataCount = "data count"
	secCode      = "code"
	secData      = "data"
)

// sections has the names of the sections by their byte, and the place of each in the order that is prescribed.
var sections = [...]struct {
	name string
	rank int
}{
	idCustom:    {secCustom, 0},
	idType:      {secType, 1},
	idImport:    {secImport, 2},
	idFunction:  {secFunction, 3},
	idTable:     {secTable, 4},
	idMemory:    {secMemory, 5},
	idTag:       {secTag, 6},
	idGlobal:    {secGlobal, 7},
	idExport:    {secExport, 8},
	idStart:     {secStart, 9},
	idElement:   {secElement, 10},
	idDataCount: {secDataCount, 11},
	idCode:      {secCode, 12},
	idData:      {secData, 13},
}
