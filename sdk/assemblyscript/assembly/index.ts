// AssemblyScript SDK for nodes of a dashhost workflow. A node is one function from input
// to output; the host reads and writes the channels, keeps the state, enforces the limits
// and decides what the node may reach. README.md shows one.

export { abort } from "./abort";
export { Call, Errno, Level, Status, errnoName } from "./call";
export { Run, Start, dash_run, dash_start, serve } from "./node";
export { Document, Kind, Value, Walk } from "./value";
export { Writer } from "./writer";
