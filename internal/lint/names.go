package lint

import (
	"path"
	"slices"
	"strings"
)

// deviceNames are files that Windows has in every folder. Go refuses a module that holds one, so that nobody could install it.
var deviceNames = []string{
	"con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
}

// Names wants every file of the root module to have a path that a module zip may hold: go install, from anywhere, checks them all.
func Names(t *Tree) []Fault {
	var faults []Fault
	lower := map[string]string{}
	for _, name := range t.Files {
		if t.moduleOf(path.Dir(name)) != "." {
			continue
		}
		for elem := range strings.SplitSeq(name, "/") {
			if why := badName(elem); why != "" {
				faults = append(faults, Fault{File: name, Text: elem + " " + why + ": go install would refuse the module"})
			}
		}
		if other := lower[strings.ToLower(name)]; other != "" {
			faults = append(faults, Fault{File: name, Text: "differs from " + other + " by case only: go install would refuse the module"})
		}
		lower[strings.ToLower(name)] = name
	}
	return faults
}

// badName says why an element of a path cannot be in a module, "" if it can.
func badName(elem string) string {
	short, _, _ := strings.Cut(elem, ".")
	switch {
	case slices.Contains(deviceNames, strings.ToLower(short)):
		return "is a device on Windows"
	case strings.HasSuffix(elem, "."):
		return "ends in a dot"
	case strings.ContainsAny(elem, "\"'*<>?`|\\:;/\x00") || strings.ContainsFunc(elem, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has a character that is not allowed in modules"
	}
	return ""
}
