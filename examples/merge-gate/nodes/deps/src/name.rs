//! Names that look like those of popular packages.

use crate::Hit;
use finding::Severity;

pub const NPM: &[&str] = &[
    "angular",
    "async",
    "axios",
    "babel",
    "bluebird",
    "body-parser",
    "chalk",
    "cheerio",
    "color",
    "colors",
    "commander",
    "cookie-parser",
    "cross-env",
    "debug",
    "discord.js",
    "dotenv",
    "electron",
    "eslint",
    "ethers",
    "event-stream",
    "express",
    "fs-extra",
    "inquirer",
    "jquery",
    "jsonwebtoken",
    "lodash",
    "minimist",
    "mocha",
    "moment",
    "mongodb",
    "mongoose",
    "mysql",
    "mysql2",
    "node-fetch",
    "nodemailer",
    "nodemon",
    "passport",
    "preact",
    "prettier",
    "puppeteer",
    "react",
    "react-dom",
    "redux",
    "request",
    "rimraf",
    "rollup",
    "rxjs",
    "semver",
    "socket.io",
    "svelte",
    "tslib",
    "typescript",
    "underscore",
    "uuid",
    "webpack",
    "winston",
    "yargs",
];

pub const PYPI: &[&str] = &[
    "aiohttp",
    "beautifulsoup4",
    "boto3",
    "botocore",
    "certifi",
    "click",
    "colorama",
    "cryptography",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "jinja2",
    "matplotlib",
    "numpy",
    "openai",
    "pandas",
    "pillow",
    "psycopg",
    "psycopg2",
    "pydantic",
    "pymongo",
    "pytest",
    "python-dateutil",
    "python-dotenv",
    "pyyaml",
    "redis",
    "requests",
    "scikit-learn",
    "scipy",
    "selenium",
    "setuptools",
    "sqlalchemy",
    "tensorflow",
    "torch",
    "transformers",
    "urllib3",
    "virtualenv",
];

pub const CRATES: &[&str] = &[
    "actix-web",
    "anyhow",
    "axum",
    "base64",
    "bytes",
    "chrono",
    "clap",
    "crossbeam",
    "diesel",
    "futures",
    "hyper",
    "itertools",
    "lazy_static",
    "log",
    "once_cell",
    "parking_lot",
    "rayon",
    "regex",
    "reqwest",
    "rustls",
    "serde",
    "serde_json",
    "serde_yaml",
    "sqlx",
    "thiserror",
    "tokio",
    "tonic",
    "tower",
    "tracing",
];

/// Says so if a new name is one slip away from a popular one and not popular itself.
pub fn near(name: &str, popular: &[&str], line: u32, text: &str) -> Option<Hit> {
    let plain = |s: &str| s.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let folded = name.to_ascii_lowercase().replace('_', "-");
    if name.len() < 5 || popular.iter().any(|p| p.replace('_', "-") == folded) {
        return None;
    }
    let like = popular
        .iter()
        .filter(|p| p.len() >= 5)
        .find(|p| plain(p) == plain(name) || one_slip(&folded, p))?;
    let message = format!("{name} is one slip away from the popular {like}: is it the one that is meant?");
    Some(Hit::new("name-near", Severity::Medium, line, text, message))
}

/// Whether one character is added, left out, replaced, or swapped with the next.
fn one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    if short.len() < long.len() {
        return short[same..] == long[same + 1..];
    }
    match short.len() - same {
        0 => false,
        1 => true,
        _ => short[same + 1..] == long[same + 1..] || swapped(&short[same..], &long[same..]),
    }
}

fn swapped(a: &[u8], b: &[u8]) -> bool {
    a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..]
}
