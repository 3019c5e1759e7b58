// A check of merge-gate for changes of dependencies that deserve a second look: code
// that comes from somewhere else, versions that move by themselves, scripts that run
// on installation, names that look like others.
//
//     go.mod              go-replace-fork go-replace-path go-replace-version
//                         go-pseudo-version go-incompatible downgrade
//     package.json        npm-install-script npm-url npm-path npm-alias npm-any-version
//                         npm-registry npm-override name-near downgrade
//     .npmrc              npm-registry
//     Cargo.toml          cargo-git cargo-path cargo-patch cargo-registry
//                         cargo-any-version name-near downgrade
//     requirements*.txt   pip-index pip-trusted-host pip-url pip-path pip-unpinned
//                         name-near downgrade
//     lock files          lock-only lock-registry
//
// It sees hunks, not whole files: where a line belongs to is known only if a line
// above it in the hunk says so. Rules that need to know are silent if it is not.
import { Call, Kind, Status, Value, Writer, serve } from "@dashhost/sdk/assembly";
import { checkCargo } from "./cargo";
import { File } from "./change";
import { Hit, report } from "./finding";
import { checkGoMod } from "./gomod";
import { checkLock } from "./lock";
import { checkPackage, checkSettings } from "./npm";
import { checkRequirements, isRequirements } from "./python";
export { dash_run, dash_start } from "@dashhost/sdk/assembly";

serve((call: Call, input: Value, out: Writer): Status => {
  const files = input.get("item");
  if (files.kind == Kind.Absent) return call.fatal("bad_input", "input: no member item: the node needs each: {over: files, ...}");
  const manifests: string[] = [];
  for (const it = input.get("change").get("context").items(); it.next(); ) manifests.push(it.value.text);
  let open = false;
  out.object();
  for (const it = files.items(); it.next(); ) {
    const file = new File(it.value);
    const hits = judge(file, manifests);
    if (hits.length > 0 && !open) {
      out.key("findings").array();
      open = true;
    }
    for (let i = 0; i < hits.length; i++) report(file, hits[i], out);
  }
  if (open) out.end();
  out.end();
  return Status.Done;
});

function judge(file: File, manifests: string[]): Hit[] {
  const hits: Hit[] = [];
  const base = file.base;
  if (file.status == "deleted") return hits;
  if (base == "go.mod") checkGoMod(file, hits);
  else if (base == "package.json") checkPackage(file, hits);
  else if (base == "Cargo.toml") checkCargo(file, hits);
  else if (base == ".npmrc" || base == ".yarnrc") checkSettings(file, hits);
  else if (isRequirements(base)) checkRequirements(file, hits);
  else checkLock(file, manifests, hits);
  return hits;
}
