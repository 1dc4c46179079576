//! Credentials are used and never told: commands succeed and fail with marked ones, and nothing that is said or
//! written holds a key, a secret, a token, a signature or a presigned address.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::callers::{Caller, refused, run};
use crate::support::oracle::ACCOUNT;
use crate::support::{Aws, Ran};

const REGION: &str = "eu-west-3";
const UP: [&str; 6] = ["up", "demo", "--yes", "--weights", "weights.h5", "-v"];

/// What no output may hold, whoever's it is.
const SIGNED: [&str; 6] = [
    "Signature=",
    "AWS4-HMAC-SHA256",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "aws_secret_access_key",
    "SignatureProvided",
];

struct Keys {
    key: String,
    secret: String,
    token: Option<String>,
}

impl Keys {
    fn run(&self, aws: &Aws, args: &[&str]) -> Ran {
        let mut environment = vec![("AWS_ACCESS_KEY_ID", &*self.key), ("AWS_SECRET_ACCESS_KEY", &self.secret)];
        environment.extend(self.token.as_deref().map(|token| ("AWS_SESSION_TOKEN", token)));
        run(aws, &environment, args)
    }

    fn marks(&self) -> Vec<&str> {
        let marks = [&self.key, &self.secret].into_iter().chain(&self.token).map(String::as_str);
        marks.inspect(|mark| assert!(mark.len() > 15, "{mark:?} is no mark")).collect()
    }
}

#[track_caller]
fn silent(what: &str, said: &str, keys: &[&Keys]) {
    for mark in keys.iter().flat_map(|keys| keys.marks()).chain(SIGNED) {
        assert!(!said.contains(mark), "{what} tells {mark:?}:\n{said}");
    }
}

#[test]
fn credentials_reach_no_output_and_nothing_that_is_written() {
    let aws = Aws::start();
    let root = aws.oracle(REGION);
    // Temporary ones, which may do everything.
    let caller = Caller::new(&aws, &root, "person");
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    caller.attach(&aws, &root, std::slice::from_ref(&all));
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/person")}}]});
    let role = root.iam.create_role().role_name("person").assume_role_policy_document(trust.to_string()).send();
    let role = aws.wait(role).expect("a role").role.expect("a role");
    let put = root.iam.put_role_policy().role_name("person").policy_name("all").policy_document(all.to_string());
    aws.wait(put.send()).expect("a policy");
    let own = aws_sdk_s3::config::Credentials::new(&caller.key, &caller.secret, None, None, "a story");
    let got = aws.signed(&own, REGION).sts.assume_role().role_arn(role.arn).role_session_name("story").send();
    let got = aws.wait(got).expect("credentials").credentials.expect("credentials");
    let good = Keys { key: got.access_key_id, secret: got.secret_access_key, token: Some(got.session_token) };

    let unknown = Keys {
        key: "AKIAMARKEDMARKEDMARK".into(),
        secret: "markedSecret+markedSecret/markedSecret00".into(),
        token: Some("markedToken".repeat(20)),
    };
    let wrong =
        Keys { key: caller.key.clone(), secret: "wrongSecret+wrongSecret/wrongSecret00000".into(), token: None };
    let nobody = Caller::new(&aws, &root, "nobody");
    let nobody = Keys { key: nobody.key, secret: nobody.secret, token: None };
    let every = [&good, &unknown, &wrong, &nobody];

    for (keys, words) in [
        (&unknown, "security token included in the request is invalid"),
        (&wrong, "signature we calculated does not match"),
        (&nobody, "not authorized to perform"),
    ] {
        for args in [
            &UP[..],
            &["plan", "demo", "-v"],
            &["status", "demo", "--output", "json", "-v"],
            &["destroy", "demo", "--yes", "-v"],
        ] {
            let ran = keys.run(&aws, args).expect(1);
            assert!(ran.err.contains(words), "{args:?}: {ran:?}");
            silent(&format!("{args:?}"), &format!("{}{}", ran.out, ran.err), &every);
        }
    }
    assert!(!refused(&nobody.run(&aws, &["plan", "demo"])).is_empty());

    let commands: [(&[&str], i32); 9] = [
        (&["plan", "demo", "--weights", "weights.h5", "-v"], 0),
        (&UP, 0),
        (&["up", "demo", "--yes", "--weights", "weights.h5", "--output", "json", "-v"], 0),
        (&["status", "demo", "-v"], 0),
        (&["logs", "demo", "-v"], 0),
        (&["results", "demo", "features", "-v"], 1),
        (&["run", "demo", "nothing", "-v"], 2),
        (&["render", "demo", "--out", "rendered", "-v"], 0),
        (&["down", "demo", "--yes", "--output", "json", "-v"], 0),
    ];
    for (args, code) in commands {
        let ran = good.run(&aws, args).expect(code);
        silent(&format!("{args:?}"), &format!("{}{}", ran.out, ran.err), &every);
    }

    let mut read = 0;
    for key in ["home", "data", "logs"] {
        let bucket = format!("fruits-demo-{key}-{ACCOUNT}");
        let listed = aws.wait(root.s3.list_objects_v2().bucket(&bucket).send()).expect("objects");
        for object in listed.contents() {
            let key = object.key().expect("a key");
            let body = aws.wait(root.s3.get_object().bucket(&bucket).key(key).send()).expect("an object").body;
            let body = aws.wait(body.collect()).expect("a body").to_vec();
            silent(&format!("s3://{bucket}/{key}"), &format!("{key} {}", text(&body)), &every);
            read += 1;
        }
    }
    let files = files(&aws.folder().join("rendered"));
    for file in &files {
        silent(&file.display().to_string(), &text(&fs::read(file).expect("a file")), &every);
    }
    assert!(read > 5 && files.len() > 5, "{read} objects, {files:?}");
    let ran = good.run(&aws, &["destroy", "demo", "--yes", "-v"]).expect(0);
    silent("destroy", &format!("{}{}", ran.out, ran.err), &every);
}

/// A body as it can be searched, unpacked where it is a log.
fn text(body: &[u8]) -> String {
    let mut unpacked = Vec::new();
    let read = std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(body), &mut unpacked);
    String::from_utf8_lossy(if read.is_ok() { &unpacked } else { body }).into_owned()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_file()).collect()
}
