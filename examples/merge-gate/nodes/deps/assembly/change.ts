// What split writes and checks read: files of a change.
import { Value } from "@dashhost/sdk/assembly";

/** Added, or removed, or standing around it. */
export enum Side {
  Kept,
  Added,
  Removed,
}

/** One line of a hunk, without its prefix. */
export class Line {
  constructor(
    public side: Side,
    /** In the new file; of a removed line, of the line that follows it. */
    public number: i64,
    /** First line of its hunk: what stands above is not known. */
    public first: bool,
    public text: string,
  ) {}
}

/** One file of a change. */
export class File {
  path: string;
  status: string;

  constructor(private value: Value) {
    this.path = value.get("path").text;
    this.status = value.get("status").text;
  }

  /** The path's last component. */
  get base(): string {
    return this.path.substring(this.path.lastIndexOf("/") + 1);
  }

  /** Lines that the change adds. */
  added(): Line[] {
    const lines: Line[] = [];
    for (const it = this.value.get("added").items(); it.next(); ) {
      const pieces = it.value.get("text").text.split("\n");
      const number = it.value.get("line").int;
      for (let i = 0; i < pieces.length; i++) lines.push(new Line(Side.Added, number + i, i == 0, pieces[i]));
    }
    return lines;
  }

  /** All lines of all hunks, in order. */
  lines(): Line[] {
    const lines: Line[] = [];
    for (const it = this.value.get("hunks").items(); it.next(); ) {
      const pieces = it.value.get("text").text.split("\n");
      let number = it.value.get("line").int;
      for (let i = 0; i < pieces.length; i++) {
        const prefix = pieces[i].length > 0 ? pieces[i].charCodeAt(0) : 0x20;
        const side = prefix == 0x2b ? Side.Added : prefix == 0x2d ? Side.Removed : Side.Kept;
        lines.push(new Line(side, number, i == 0, prefix < 0x80 ? pieces[i].substring(1) : ""));
        if (side != Side.Removed) number++;
      }
    }
    return lines;
  }
}

/** Whether a path belongs to test data, where odd content is often meant: findings there are low. */
export function isFixture(path: string): bool {
  const folders = ["testdata", "fixtures", "fixture", "__fixtures__", "__tests__", "test", "tests", "spec", "specs", "mocks", "__mocks__"];
  const parts = path.split("/");
  const base = parts.pop();
  for (let i = 0; i < parts.length; i++) {
    if (folders.includes(parts[i])) return true;
  }
  return base.includes("_test.") || base.includes(".test.") || base.includes(".spec.");
}
