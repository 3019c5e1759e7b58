package abi

import "slices"

// WASIFunc is one function of the module wasi_snapshot_preview1.
type WASIFunc struct {
	Name    string
	Params  []ValueType
	Results []ValueType // none or one i32, WASI's own error number
	// Served says that the function does something. The others may be imported and return ENOSYS.
	Served bool
}

// Error numbers of WASI that a host needs to answer the subset.
const (
	WASISuccess = 0
	WASIBadf    = 8  // no such descriptor
	WASIFault   = 21 // pointer outside memory
	WASIInval   = 28 // malformed argument
	WASINosys   = 52 // not served
)

// WASI gives all functions of the first preview of WASI, in alphabetical order. The slice is the caller's.
func WASI() []WASIFunc { return slices.Clone(wasi[:]) }

// LookupWASI gives the function with this name.
func LookupWASI(name string) (*WASIFunc, bool) {
	for i := range wasi {
		if wasi[i].Name == name {
			return &wasi[i], true
		}
	}
	return nil, false
}

var errnoResult = []ValueType{I32}

// wasi is never written to.
var wasi = [...]WASIFunc{
	{"args_get", []ValueType{I32, I32}, errnoResult, true},
	{"args_sizes_get", []ValueType{I32, I32}, errnoResult, true},
	{"clock_res_get", []ValueType{I32, I32}, errnoResult, true},
	{"clock_time_get", []ValueType{I32, I64, I32}, errnoResult, true},
	{"environ_get", []ValueType{I32, I32}, errnoResult, true},
	{"environ_sizes_get", []ValueType{I32, I32}, errnoResult, true},
	{"fd_advise", []ValueType{I32, I64, I64, I32}, errnoResult, false},
	{"fd_allocate", []ValueType{I32, I64, I64}, errnoResult, false},
	{"fd_close", []ValueType{I32}, errnoResult, false},
	{"fd_datasync", []ValueType{I32}, errnoResult, false},
	{"fd_fdstat_get", []ValueType{I32, I32}, errnoResult, true},
	{"fd_fdstat_set_flags", []ValueType{I32, I32}, errnoResult, true},
	{"fd_fdstat_set_rights", []ValueType{I32, I64, I64}, errnoResult, true},
	{"fd_filestat_get", []ValueType{I32, I32}, errnoResult, false},
	{"fd_filestat_set_size", []ValueType{I32, I64}, errnoResult, false},
	{"fd_filestat_set_times", []ValueType{I32, I64, I64, I32}, errnoResult, false},
	{"fd_pread", []ValueType{I32, I32, I32, I64, I32}, errnoResult, false},
	{"fd_prestat_dir_name", []ValueType{I32, I32, I32}, errnoResult, true},
	{"fd_prestat_get", []ValueType{I32, I32}, errnoResult, true},
	{"fd_pwrite", []ValueType{I32, I32, I32, I64, I32}, errnoResult, false},
	{"fd_read", []ValueType{I32, I32, I32, I32}, errnoResult, true},
	{"fd_readdir", []ValueType{I32, I32, I32, I64, I32}, errnoResult, false},
	{"fd_renumber", []ValueType{I32, I32}, errnoResult, false},
	{"fd_seek", []ValueType{I32, I64, I32, I32}, errnoResult, false},
	{"fd_sync", []ValueType{I32}, errnoResult, false},
	{"fd_tell", []ValueType{I32, I32}, errnoResult, false},
	{"fd_write", []ValueType{I32, I32, I32, I32}, errnoResult, true},
	{"path_create_directory", []ValueType{I32, I32, I32}, errnoResult, false},
	{"path_filestat_get", []ValueType{I32, I32, I32, I32, I32}, errnoResult, false},
	{"path_filestat_set_times", []ValueType{I32, I32, I32, I32, I64, I64, I32}, errnoResult, false},
	{"path_link", []ValueType{I32, I32, I32, I32, I32, I32, I32}, errnoResult, false},
	{"path_open", []ValueType{I32, I32, I32, I32, I32, I64, I64, I32, I32}, errnoResult, false},
	{"path_readlink", []ValueType{I32, I32, I32, I32, I32, I32}, errnoResult, false},
	{"path_remove_directory", []ValueType{I32, I32, I32}, errnoResult, false},
	{"path_rename", []ValueType{I32, I32, I32, I32, I32, I32}, errnoResult, false},
	{"path_symlink", []ValueType{I32, I32, I32, I32, I32}, errnoResult, false},
	{"path_unlink_file", []ValueType{I32, I32, I32}, errnoResult, false},
	{"poll_oneoff", []ValueType{I32, I32, I32, I32}, errnoResult, true},
	{"proc_exit", []ValueType{I32}, nil, true},
	{"proc_raise", []ValueType{I32}, errnoResult, false},
	{"random_get", []ValueType{I32, I32}, errnoResult, true},
	{"sched_yield", nil, errnoResult, true},
	{"sock_accept", []ValueType{I32, I32, I32}, errnoResult, false},
	{"sock_recv", []ValueType{I32, I32, I32, I32, I32, I32}, errnoResult, false},
	{"sock_send", []ValueType{I32, I32, I32, I32, I32}, errnoResult, false},
	{"sock_shutdown", []ValueType{I32, I32}, errnoResult, false},
}
