import { log } from "./v1";

/**
 * What a failed assertion, `throw` or an index out of range calls: its text goes to the
 * log, the task fails with the code `trap`, the instance is not used again. Compile with
 * `--use abort=~lib/@dashhost/sdk/assembly/abort/abort`.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = String.UTF8.encode(
    (message === null ? "abort" : message) + " (" + (file === null ? "" : file) + ":" + line.toString() + ":" + column.toString() + ")",
  );
  log(4, changetype<usize>(text), <u32>text.byteLength);
  unreachable();
}
