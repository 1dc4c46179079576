//! Secrets inside of ordinary text, which are found, and ordinary text, which is left alone.

use super::*;

/// Random enough to be a secret, of any length; no secret of anybody's, and none stands in this file.
fn random(length: usize) -> String {
    "q7Rk2VtX9mZ4bHc8LwN3sJd6PyF5gTa1".chars().cycle().take(length).collect()
}

fn hex(length: usize) -> String {
    "7f3a9c0e51b8d264".chars().cycle().take(length).collect()
}

/// In a language, a line; what of it is hidden.
#[test]
fn secrets_are_found_and_nothing_else_of_their_line_is_lost() {
    use Language::{Python, Shell, Yaml};
    let id = "AK".to_owned() + "IA" + "Q7RK2VTX9MZ4BHC8";
    let session = id.replacen("AK", "AS", 1);
    let pem = format!("-----BEGIN RSA PRIVATE {0}-----\n{1}\n{1}\n-----END RSA PRIVATE {0}-----\n", "KEY", random(64));
    let jwt = format!("eyJ{}.eyJ{}.{}", random(20), random(30), random(43));
    let (r36, r40, h32) = (random(36), random(40), hex(32));
    let (github, slack, hf, dapi) = (
        format!("{}_{r36}", "ghp"),
        format!("{}-1234567890-{r36}", "xoxb"),
        format!("{}_{}", "hf", random(34)),
        format!("{}{h32}", "dapi"),
    );
    let fine_grained = format!("{}_pat_{}", "github", random(82));
    for (language, text, hidden) in [
        (Yaml, format!("args: [{id}]"), &*id),
        (Shell, format!("export AWS_ACCESS_KEY_ID={id}"), &id),
        (Python, format!("key = '{session}'"), &session),
        (Shell, format!("export AWS_SECRET_ACCESS_KEY={r40}"), &r40),
        (Python, format!("{{'secretAccessKey': '{r40}'}}"), &r40),
        (Shell, format!("aws configure set aws_secret_access_key {r40}"), &r40),
        (Shell, format!("# the secret one is {r40}"), &r40),
        (Python, format!("PEM = \"{pem}\""), &pem[..pem.find("-----END").expect("ends")]),
        (Shell, format!("git clone https://{github}@github.com/a/b"), &github),
        (Yaml, format!("a: {fine_grained}"), &fine_grained),
        (Yaml, format!("a: {slack}"), &slack),
        (Python, format!("login(hf_token)\nlogin('{hf}')"), &hf),
        (Shell, format!("databricks --x {dapi}"), &dapi),
        (Shell, format!("curl -H 'Authorization: Bearer {r40}'"), &r40),
        (Python, format!("x = '{jwt}'"), &jwt),
        (Yaml, format!("{{\"username\": \"me\", \"key\": \"{h32}\"}}"), &h32),
        (Shell, format!("export KAGGLE_KEY={h32}"), &h32),
        (Shell, "curl https://me:hunter2@host.example/x".to_owned(), "hunter2"),
        (Python, "url = 'postgresql://me:pass@word@db/x'".to_owned(), "pass@word"),
        (Yaml, "args: ['--password', hunter2]".to_owned(), "hunter2"),
        (Yaml, "args: [--password, hunter2]".to_owned(), "hunter2"),
        (Yaml, "args: [--db-password=hunter2]".to_owned(), "hunter2"),
        (Yaml, "{javax.jdo.option.ConnectionPassword: hunter2}".to_owned(), "hunter2"),
        (Yaml, "# password: hunter2 # of the old one".to_owned(), "hunter2"),
        (Yaml, "fs.s3a.secret.key: 'hunter 2'".to_owned(), "hunter 2"),
        (Yaml, "mot_de_passe: \"été 2025\"".to_owned(), "été 2025"),
        (Shell, "DB_PASSWORD=hunter2 ./run".to_owned(), "hunter2"),
        (Shell, "mysql --password hunter2".to_owned(), "hunter2"),
        (Shell, "TOKEN='it is $3cret'".to_owned(), "it is $3cret"),
        (Python, "password = \"!unter2\"".to_owned(), "!unter2"),
        (Python, "connect(user='me', password='hunter2')".to_owned(), "hunter2"),
        (Python, "def f(token: str = b'hunter2'): pass".to_owned(), "hunter2"),
        (Python, "os.environ['API_KEY'] = 'hunter2'".to_owned(), "hunter2"),
        (Python, "spark.conf.set('fs.s3a.secret.key', 'hunter2')".to_owned(), "hunter2"),
        (Python, "df.option(\"password\", \"hunter2\")".to_owned(), "hunter2"),
        (Python, "{\"client_secret\": \"hunter2\"}".to_owned(), "hunter2"),
    ] {
        let found = find(&text, language);
        let told: Vec<&str> = found.iter().map(|secret| &text[secret.span.clone()]).collect();
        assert_eq!(told, [hidden], "{text}");
        let stars = |c: char| if c == '\n' { "\n".to_owned() } else { "*".repeat(c.len_utf8()) };
        let stars: String = hidden.chars().map(stars).collect();
        assert_eq!(masked(&text, &found), text.replacen(hidden, &stars, 1));
    }
}

#[test]
fn a_signed_address_is_hidden_with_all_that_signs_it() {
    let query = format!("X-Amz-Credential=a%2Fb&X-Amz-Security-Token={}&X-Amz-Signature={}", random(300), hex(64));
    let text = format!("curl 'https://b.s3.eu-west-3.amazonaws.com/k?{query}' -o x");
    let found = find(&text, Language::Shell);
    assert_eq!(found.len(), 1);
    assert_eq!(&text[found[0].span.clone()], query);
    // The secret key beside its id has no name of its own.
    let pair = format!("{}IAQ7RK2VTX9MZ4BHC8,{}", "AK", random(40));
    assert_eq!(masked(&pair, &find(&pair, Language::Shell)), format!("{},{}", "*".repeat(20), "*".repeat(40)));
}

#[test]
fn ordinary_text_is_no_secret() {
    use Language::{Python, Shell, Yaml};
    let lines = [
        (Shell, format!("six==1.17.0 --hash=sha256:{}", hex(64))),
        (Yaml, format!("etag: \"{}\"", hex(32))),
        (Yaml, format!("commit: {}", hex(40))),
        (Python, format!("DATA = '{}=='", random(300))),
        (Yaml, "kms_key: arn:aws:kms:eu-south-1:000000000000:key/11111111-2222-3333-4444-555555555555".into()),
        (Yaml, "role: arn:aws:iam::000000000000:role/EMR_DefaultRole".into()),
        (Shell, "aws_access_key_id = AKIAIOSFODNN7EXAMPLE".into()),
        (Shell, format!("AK{} is how ids begin", "IA")),
        (Shell, "PASSWORD=$(aws secretsmanager get-secret-value --secret-id prod/db --query SecretString)".into()),
        (Shell, "TOKEN=${TOKEN:?}; PASSWORD=\"$1\"; SECRET=; export TOKEN".into()),
        (Shell, "curl --user \"me:$PASSWORD\" \"https://me:$PASSWORD@host/\" https://host:443/a@b".into()),
        (Shell, "read -r -p 'Password: ' PASSWORD; [ \"$TOKEN\" == \"\" ] && echo \"token: none\"".into()),
        (Shell, "PWD=/home/hadoop; OLDPWD=/tmp; cat --token-file x --password-stdin".into()),
        (Shell, "git@github.com:a/b.git s3://bucket/a@b mailto:me@fruits.example".into()),
        (Yaml, "owner: data@fruits.example # the secret: ask them".into()),
        (Yaml, "# A token: what it is, and why. Password: see the wiki".into()),
        (Yaml, "password: ${PASSWORD}\nsecret: {{ secret }}\ntoken: <token>\npassword: xxxxxxxx\ntoken: null".into()),
        (Yaml, "password: arn:aws:secretsmanager:eu-west-3:000000000000:secret:db-a1b2c3".into()),
        (Yaml, "{dfs.block.access.token.enable: true, max_token: 512, tokenizer: bert, secret_name: prod/db}".into()),
        (Python, "password = os.environ['PASSWORD']; token = get(token); secret == 'abcd'".into()),
        (Python, "parser.add_argument('--token', '--tok', help='a token'); f(password=password)".into()),
        (Python, "pad_token = '<pad>'; sep_token=\"[SEP]\"; def f(token: str, secret: bytes) -> str: ...".into()),
        (Python, "os.environ.get('PASSWORD', 'none'); d['token'] = x; print('password', 'wrong')".into()),
        (Python, "if text.startswith('-----BEGIN PRIVATE KEY-----'): sys.exit('no')".into()),
        (Python, "x = 'ghp_' + 'x' * 36  # ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".into()),
        (Python, "f'Bearer {token}'; task-sk-learn-of-a-name-that-is-rather-long-and-plain-and-says-so".into()),
        (Python, "hf_hub_download_of_something_with_a_long_name1 = 'pypi-attestations'; dapi = 'dapil'".into()),
        (Shell, "https://b.s3.amazonaws.com/k?X-Amz-Signature=<signature>&X-Amz-Expires=300".into()),
    ];
    for (language, line) in lines {
        let told: Vec<String> = find(&line, language).iter().map(|s| line[s.span.clone()].to_owned()).collect();
        assert!(told.is_empty(), "{told:?} in {line}");
    }
}

#[test]
fn what_the_repository_ships_holds_none() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> = ["stacks", "templates", "tests/cases", "scripts"].map(|name| root.join(name)).into();
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("is a folder") {
            let path = entry.expect("is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let told = find(&text, Language::of(&path.display().to_string()));
                assert!(told.is_empty(), "{}: {told:?}", path.display());
                read += 1;
            }
        }
    }
    assert!(read > 40, "{read}");
}

#[test]
fn time_grows_with_the_length() {
    let key = "-----BEGIN PRIVATE KEY-----\naaaaaaaaaaaaaaaaaaaaaa";
    for unit in ["token=", "token=\"", "token:", "X-Amz-Signature=", "://a:b@", key, "eyJa", "a-", "--token,", "é"] {
        let text = unit.repeat((1 << 19) / unit.len());
        for language in [Language::Yaml, Language::Shell, Language::Python] {
            let begun = std::time::Instant::now();
            let found = find(&text, language);
            assert_eq!(masked(&text, &found).len(), text.len());
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{unit}: {:?}", begun.elapsed());
        }
    }
}
