// Names that look like those of popular packages.
import { Hit, MEDIUM } from "./finding";
import { lower } from "./text";
import { Dependency } from "./version";

export const NPM: string[] = [
  "angular", "async", "axios", "babel", "bluebird", "body-parser", "chalk", "cheerio", "color", "colors",
  "commander", "cookie-parser", "cross-env", "debug", "discord.js", "dotenv", "electron", "eslint", "ethers",
  "event-stream", "express", "fs-extra", "inquirer", "jquery", "jsonwebtoken", "lodash", "minimist", "mocha",
  "moment", "mongodb", "mongoose", "mysql", "mysql2", "node-fetch", "nodemailer", "nodemon", "passport", "preact",
  "prettier", "puppeteer", "react", "react-dom", "redux", "request", "rimraf", "rollup", "rxjs", "semver",
  "socket.io", "svelte", "tslib", "typescript", "underscore", "uuid", "webpack", "winston", "yargs",
];

export const PYPI: string[] = [
  "aiohttp", "beautifulsoup4", "boto3", "botocore", "certifi", "click", "colorama", "cryptography", "django",
  "fastapi", "flask", "httpx", "jinja2", "matplotlib", "numpy", "openai", "pandas", "pillow", "psycopg", "psycopg2",
  "pydantic", "pymongo", "pytest", "python-dateutil", "python-dotenv", "pyyaml", "redis", "requests", "scikit-learn",
  "scipy", "selenium", "setuptools", "sqlalchemy", "tensorflow", "torch", "transformers", "urllib3", "virtualenv",
];

export const CRATES: string[] = [
  "actix-web", "anyhow", "axum", "base64", "bytes", "chrono", "clap", "crossbeam", "diesel", "futures", "hyper",
  "itertools", "lazy_static", "log", "once_cell", "parking_lot", "rayon", "regex", "reqwest", "rustls", "serde",
  "serde_json", "serde_yaml", "sqlx", "thiserror", "tokio", "tonic", "tower", "tracing",
];

/** Says so if a new name is one slip away from a popular one and not popular itself. */
export function near(dependencies: Dependency[], popular: string[], hits: Hit[]): void {
  for (let i = 0; i < dependencies.length; i++) {
    const d = dependencies[i];
    const like = alike(d.name, popular);
    if (like.length == 0) continue;
    const message = d.name + " is one slip away from the popular " + like + ": is it the one that is meant?";
    hits.push(new Hit("name-near", MEDIUM, d.line, d.text, message));
  }
}

/** The popular name that a name could be meant for; empty if it is popular itself, or none. */
function alike(name: string, popular: string[]): string {
  if (String.UTF8.byteLength(name) < 5) return "";
  const folded = lower(name).replaceAll("_", "-");
  for (let i = 0; i < popular.length; i++) {
    if (popular[i].replaceAll("_", "-") == folded) return "";
  }
  const plain = letters(name);
  const bytes = Uint8Array.wrap(String.UTF8.encode(folded));
  for (let i = 0; i < popular.length; i++) {
    const p = popular[i];
    if (p.length >= 5 && (letters(p) == plain || oneSlip(bytes, p))) return p;
  }
  return "";
}

/** A name without what people forget. */
function letters(name: string): string {
  return lower(name).replaceAll("-", "").replaceAll("_", "").replaceAll(".", "");
}

/** Whether one byte is added, left out, replaced, or swapped with the next. */
function oneSlip(a: Uint8Array, b: string): bool {
  const short = a.length <= b.length ? a.length : b.length;
  const long = a.length + b.length - short;
  if (long - short > 1) return false;
  let same = 0;
  while (same < short && a[same] == b.charCodeAt(same)) same++;
  if (a.length < b.length) return equal(a, same, b, same + 1);
  if (a.length > b.length) return equal(a, same + 1, b, same);
  if (short - same < 2) return short - same == 1;
  return equal(a, same + 1, b, same + 1) || (a[same] == b.charCodeAt(same + 1) && a[same + 1] == b.charCodeAt(same) && equal(a, same + 2, b, same + 2));
}

/** Whether a from i on is b from j on. */
function equal(a: Uint8Array, i: i32, b: string, j: i32): bool {
  if (a.length - i != b.length - j) return false;
  for (; i < a.length; i++, j++) {
    if (a[i] != b.charCodeAt(j)) return false;
  }
  return true;
}
