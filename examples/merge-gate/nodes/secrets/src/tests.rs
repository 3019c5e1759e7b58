use super::*;
use dashhost::testing::Task;
use std::borrow::Cow;

// Secrets are put together here, so that this file holds none a scanner would find.
const BODY: &str = "q7Zk2LmX9vTb4RwY8nHs3JdF6gPc5AeQ1uVi0oKx7Zk2LmX9vTb4RwY8nHs3JdF6gPc5AeQ1uVi0oKx7Zk2LmX9";

fn of(prefix: &str, n: usize) -> String {
    format!("{prefix}{}", &BODY[..n])
}

fn file<'a>(path: &'a str, text: &'a str) -> File<'a> {
    File {
        path: Cow::Borrowed(path),
        status: Cow::Borrowed("modified"),
        added: vec![finding::Run {
            line: 7,
            text: Cow::Borrowed(text),
        }],
    }
}

fn check(path: &str, text: &str) -> Vec<Finding> {
    Secrets::new(Config::default()).unwrap().file(&file(path, text))
}

#[test]
fn formats_are_found_and_never_shown() {
    let upper = "Q7ZK2LMX9VTB4RWY";
    let jwt = format!("{}.{}.{}", "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJhZGEifQ", &BODY[..32]);
    let cases = [
        ("aws-access-key", format!("AKIA{upper}")),
        ("aws-access-key", format!("ASIA{upper}")),
        ("github-token", of("ghp_", 36)),
        ("github-token", of("github_pat_", 82)),
        ("gitlab-token", of("glpat-", 20)),
        ("slack-token", of("xoxb-", 40)),
        (
            "slack-webhook",
            format!(
                "{}{}",
                "hooks.slack.com/services/", "T0AB1CD2E/B3FG4HI5J/k6LmN7oPqR8sTuV9wXyZ"
            ),
        ),
        ("stripe-key", of("sk_live_", 24)),
        ("google-api-key", of("AIza", 35)),
        ("npm-token", of("npm_", 36)),
        ("pypi-token", of("pypi-AgEIcHlwaS5vcmc", 60)),
        (
            "digitalocean-token",
            format!("dop_v1_{}", "0f9e8d7c6b5a4132".repeat(4).replace("a4", "3c")),
        ),
        ("jwt", jwt),
    ];
    for (rule, secret) in cases {
        for line in [
            format!("key = \"{secret}\""),
            secret.clone(),
            format!("curl -H 'Authorization: Bearer {secret}' # do"),
        ] {
            let got = check("src/main.go", &line);
            assert_eq!(got.len(), 1, "{line}: {got:?}");
            assert_eq!((got[0].rule, got[0].line), (rule, 7), "{line}");
            let written = format!("{:?}", got[0]);
            assert!(!written.contains(&secret[secret.len() - 12..]), "{written}");
        }
    }
}

#[test]
fn private_keys_and_url_passwords() {
    for label in [
        "RSA PRIVATE KEY",
        "PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "EC PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
    ] {
        let line = format!("-----{} {label}-----", "BEGIN");
        assert_eq!(check("id", &line)[0].rule, "private-key", "{line}");
    }
    let line = format!("url: postgres://app:{}@db.internal:5432/x", "Tr0ub4dor&3");
    let got = check("a.yaml", &line);
    assert_eq!((got[0].rule, got[0].severity), ("url-password", Severity::High));
    assert_eq!(got[0].excerpt, "app:[11 characters cut]");
    for fine in [
        format!("-----{} PUBLIC KEY-----", "BEGIN"),
        format!("-----{} CERTIFICATE-----", "BEGIN"),
        "postgres://app:${DB_PASSWORD}@db/x".into(),
        "postgres://postgres:postgres@db/x".into(),
        "redis://user:s3cr3tvalue@localhost:6379".into(),
        "https://example.org/a:b@c".into(),
        "git@github.com:a/b.git".into(),
    ] {
        assert_eq!(check("a.yaml", &fine), [], "{fine}");
    }
}

#[test]
fn generic_assignments_need_entropy() {
    let value = &BODY[..24];
    for line in [
        format!("password = \"{value}\""),
        format!("DB_PASSWORD={value}"),
        format!("  api_key: '{value}'"),
        format!("\"clientSecret\": \"{value}\","),
        format!("const authToken = `{value}`"),
        format!("x.access_key := \"{value}\""),
        format!("'secret' => '{value}',"),
        format!("auth_token := \"{}\"", "hK3vq8Zt+Lw0/xR5yN2=="),
    ] {
        let got = check("a.go", &line);
        assert_eq!(got.len(), 1, "{line}");
        assert_eq!(
            (got[0].rule, got[0].severity),
            ("generic-secret", Severity::Medium),
            "{line}"
        );
        assert!(!got[0].excerpt.contains(&value[4..10]), "{}", got[0].excerpt);
    }
}

#[test]
fn what_is_not_a_secret_is_left_alone() {
    for line in [
        "password = os.environ[\"DB_PASSWORD_2_PRODUCTION\"]",
        "token := getToken(ctx, \"user1234567890abc\")",
        "password: ${DB_PASSWORD_FOR_42_USERS}",
        "password: {{ .Values.password1234abc }}",
        "api_key = \"your_api_key_here_1234\"",
        "secret: \"changeme-please-9x8y7z\"",
        "api_key = <insert key 1 here>",
        "token = \"xxxxxxxxxxxxxxxxxxxx\"",
        "secret_id = \"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
        "token_sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
        "// the password must have at least 12 characters and 1 digit",
        "password_field = \"user_password_input\"",
        "tokenizer = \"bert-base-uncased-v2-2024\"",
        "token_url = \"https://auth.example.org/oauth2/v1/token\"",
        "passwordHash := \"$2a$10$N9qo8uLOickgx2ZMRZoMye\"",
        "secretName: my-app-tls-cert-prod-1",
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAXXXXXXXXXXXXXXXX",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "xAKIAQ7ZK2LMX9VTB4RWY is inside a word",
        "AKIAQ7ZK2LMX9VTB4RWYQ7 is too long",
        "the eyJ prefix of eyJhbGciOiJIUzI1NiJ9.only-two",
        "password: the quick brown fox 42",
        "secret = \"/run/secrets/db_password_1\"",
        "пароль = \"не секрет\" # password",
        "password",
        "password=",
        "password = \"",
        "",
    ] {
        assert_eq!(check("src/a.py", line), [], "{line}");
    }
    let hash = format!("secret-pkg v1.2.3 h1:token={}", &BODY[..43]);
    assert_eq!(check("go.sum", &hash), []);
    assert_eq!(
        check("package-lock.json", &format!("\"token\": \"{}\"", &BODY[..40])),
        []
    );
}

#[test]
fn test_data_is_low_and_ids_ignore_lines() {
    let line = of("ghp_", 36);
    let got = check("pkg/testdata/x.yml", &line);
    assert_eq!(got[0].severity, Severity::Low);
    assert!(got[0].message.contains("in test data"));
    let moved = check("pkg/testdata/x.yml", &format!("\n\n  {line}"));
    assert_eq!((moved[0].line, &moved[0].id), (9, &got[0].id));
    let elsewhere = check("pkg/testdata/y.yml", &line);
    assert_ne!(elsewhere[0].id, got[0].id);
}

#[test]
fn several_in_a_line_and_a_flood() {
    let two = format!("{} {}", of("ghp_", 36), of("npm_", 36));
    let got = check("a", &two);
    assert_eq!(
        got.iter().map(|f| f.rule).collect::<Vec<_>>(),
        ["github-token", "npm-token"]
    );
    assert!(!got[1].excerpt.contains(&BODY[..10]), "{}", got[1].excerpt);

    let flood = (of("ghp_", 36) + "\n").repeat(80);
    assert_eq!(check("a", &flood).len(), 50);
    let long = "é".repeat(20_000) + &of("ghp_", 36);
    assert_eq!(check("a", &long), []);
}

#[test]
fn odd_text_does_not_panic() {
    for line in [
        "é-----BEGIN é",
        "postgres://é:é@é",
        "password=é",
        "secret é = \"é",
        "eyJ..",
        "ghp_é",
        "token=>=>=>x",
        "://@:",
        "a://:@",
        "\u{130}password=\u{130}abc",
    ] {
        check("é", line);
        for (i, _) in line.char_indices() {
            check("é", &line[i..]);
        }
    }
}

#[test]
fn entropy_is_a_setting() {
    let start = |config: &str| {
        Secrets::new(serde_from(config)).map(|s| s.file(&file("a", &format!("token = \"{}\"", &BODY[..24]))).len())
    };
    assert_eq!(start("{}").unwrap(), 1);
    assert_eq!(start(r#"{"entropy":4.9}"#).unwrap(), 0);
    assert_eq!(start(r#"{"entropy":9}"#).unwrap_err().code(), "bad_config");
}

fn serde_from(config: &str) -> Config {
    serde_json::from_str(config).unwrap()
}

#[test]
fn the_node_reads_a_batch_and_writes_findings() {
    let text = of("ghp_", 36);
    let input = format!(
        r#"{{"item":[{{"path":"a","status":"added","mode":"100644","added":[{{"line":3,"text":"x\n{text}"}}]}},{{"path":"b","binary":true,"size":3}}]}}"#
    );
    let got = Task::new(input).config(r#"{"entropy":4.2}"#).run(dash_start, dash_run);
    let id = id("github-token", "a", &text);
    let want = format!(
        r#"{{"findings":[{{"id":"{id}","rule":"github-token","severity":"high","path":"a","line":4,"message":"a GitHub personal access token: revoke it, then keep it out of the repository","excerpt":"ghp_[36 characters cut]"}}]}}"#
    );
    assert_eq!(got.output.as_deref(), Some(want.as_str()), "{got:?}");
}
