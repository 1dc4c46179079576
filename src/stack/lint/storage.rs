//! `FI5xx`: buckets and the places in them: names S3 takes, references that lead somewhere, outputs
//! that do not erase one another.

use super::Cx;
use crate::stack::finding::meant;
use crate::stack::node::Value;
use crate::stack::{Bucket, NodesRole, OurBucket, Place, Sample};

/// The longest name of a bucket, and the length of an account number.
const LONGEST: usize = 63;
const ACCOUNT: usize = 12;

pub(super) fn check(cx: &mut Cx<'_>) {
    names(cx);
    expiry(cx);
    for (path, place) in places(cx) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        reference(cx, &path, &place);
    }
    uploads(cx);
    outputs(cx);
    logs(cx);
}

fn names(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let mut taken: Vec<&str> = Vec::new();
    for (key, bucket) in &stack.buckets {
        let name_path = ["buckets", key, "name"];
        let name = match bucket {
            Bucket::Ours(OurBucket { name: Some(name), .. }) => name.as_str(),
            Bucket::Ours(_) => {
                let length = stack.name.len() + key.len() + ACCOUNT + 2;
                if length > LONGEST {
                    let message =
                        format!("`{}-{key}-<account>` is {length} characters long; S3 takes {LONGEST}", stack.name);
                    cx.error("FI501", &["buckets", key], message, "shorten the key, or the stack's name");
                }
                continue;
            }
            Bucket::Existing(existing) => existing.name(),
        };
        let ours = matches!(bucket, Bucket::Ours(_));
        let path = if ours { name_path } else { ["buckets", key, "existing"] };
        if let Some(wrong) = wrong_name(name) {
            let hint = "3 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit";
            cx.error("FI501", &path, format!("`{name}` {wrong}"), hint);
        } else if ours && !name.starts_with(&format!("{}-", stack.name)) {
            let message =
                format!("`{name}` does not begin with `{}-`, so the stack would not find it again", stack.name);
            cx.error("FI502", &path, message, format!("call it {}-{name}", stack.name));
        }
        if taken.contains(&name) {
            cx.error("FI503", &path, format!("another bucket is called `{name}` too"), "give each bucket its own name");
        }
        taken.push(name);
    }
}

/// What S3 has against a name. Dots are legal there, but break TLS to the bucket's own host name.
fn wrong_name(name: &str) -> Option<&'static str> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(3..=LONGEST).contains(&name.len()) {
        Some("has a length that S3 does not take")
    } else if name.contains('.') {
        Some("has a dot, which breaks TLS to the bucket")
    } else if !name.bytes().all(legal) {
        Some("has characters that S3 does not take")
    } else if name.starts_with('-') || name.ends_with('-') {
        Some("begins or ends with a hyphen")
    } else if ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix)) {
        Some("begins with what S3 keeps for itself")
    } else if ["-s3alias", "--ol-s3", "--x-s3", "--table-s3", "-an"].iter().any(|suffix| name.ends_with(suffix)) {
        Some("ends with what S3 keeps for itself")
    } else {
        None
    }
}

fn expiry(cx: &mut Cx<'_>) {
    for (key, bucket) in &cx.stack.buckets {
        let Bucket::Ours(bucket) = bucket else { continue };
        for (prefix, period) in &bucket.expire {
            let whole = prefix.is_empty();
            let path = ["buckets", key, "expire", prefix];
            let path = if whole { &path[..3] } else { &path[..] };
            if period.as_days().is_none() {
                cx.error(
                    "FI504",
                    path,
                    format!("`{period}` is not a number of days"),
                    "S3 counts expiry in whole days, as in 30d",
                );
            }
            if !whole {
                well_formed(cx, path, prefix);
            }
        }
    }
}

/// Every place that the stack names, and where it is written.
fn places(cx: &Cx<'_>) -> Vec<(Vec<String>, Place)> {
    let stack = cx.stack;
    let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let mut places = Vec::new();
    for (index, upload) in stack.uploads.iter().enumerate() {
        places.push((path(&["uploads", &index.to_string(), "to"]), upload.to.clone()));
    }
    if let NodesRole::Ours(Some(grants)) = &stack.roles.nodes {
        // Sets have lost the order of the file: each place is found again by its text.
        for (list, granted) in [("read", &grants.read), ("write", &grants.write)] {
            for place in granted {
                let index = cx.index_of(&["roles", "nodes", list], |text| text.parse().as_ref() == Ok(place));
                places.push((path(&["roles", "nodes", list, &index]), place.clone()));
            }
        }
    }
    for (key, job) in &stack.jobs {
        if let Some(features) = job.features() {
            places.push((path(&["jobs", key, "input"]), features.input.clone()));
            places.push((path(&["jobs", key, "output"]), features.output.clone()));
        }
    }
    if let Some(logs) = stack.cluster.as_ref().and_then(|cluster| cluster.logs.as_ref()) {
        places.push((path(&["cluster", "logs"]), logs.clone()));
    }
    places
}

fn reference(cx: &mut Cx<'_>, path: &[&str], place: &Place) {
    let buckets = &cx.stack.buckets;
    if !buckets.contains_key(&place.bucket) {
        let hint = meant(&place.bucket, buckets.keys().map(String::as_str), "declare it under `buckets`");
        cx.error("FI505", path, format!("there is no bucket `{}` in this stack", place.bucket), hint);
    }
    if !place.prefix.is_empty() {
        well_formed(cx, path, &place.prefix);
    }
}

/// The longest prefix that leaves names below it some room: S3 takes keys of 1,024 bytes.
const LONGEST_PREFIX: usize = 800;

/// A prefix is a folder: S3 would take anything, and make another key of it.
fn well_formed(cx: &mut Cx<'_>, path: &[&str], prefix: &str) {
    if prefix.len() > LONGEST_PREFIX {
        let message = format!("a prefix of {} bytes leaves no room for names: S3 takes keys of 1,024", prefix.len());
        cx.error("FI506", path, message, format!("write {LONGEST_PREFIX} bytes at most"));
    } else if prefix.contains(char::is_control) {
        let message = "the prefix has a control character, which no listing of S3 can show";
        cx.error("FI506", path, message, "write letters, digits and - _ . /");
    } else if prefix.starts_with('/') || prefix.contains("//") {
        let message = format!("`{prefix}` has an empty part: `//` makes another key than `/`");
        cx.error("FI506", path, message, "write one slash between parts, and none in front");
        let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
        mend(cx, path, prefix, &format!("{}/", parts.join("/")));
    } else if prefix.split('/').any(|part| part == "." || part == "..") {
        cx.error(
            "FI506",
            path,
            format!("`{prefix}` has a part `.` or `..`, which S3 does not resolve"),
            "write the prefix itself",
        );
    } else if !prefix.ends_with('/') {
        let message = format!("`{prefix}` does not end with a slash, so it also means all that begins with it");
        cx.error("FI507", path, message, format!("write {prefix}/"));
        mend(cx, path, prefix, &format!("{prefix}/"));
    }
}

/// Another prefix for the place that is written at a path; a prefix that is a key stays.
fn mend(cx: &mut Cx<'_>, path: &[&str], prefix: &str, instead: &str) {
    let Some(Value::Scalar { text, .. }) = cx.root.find(path).map(|node| &node.value) else { return };
    if let Some(bucket) = text.strip_suffix(prefix) {
        cx.becomes(path, &format!("{bucket}{instead}"));
    }
}

/// A sample is of something, and what chooses has its place for itself: whatever else is there counts as no longer chosen.
fn uploads(cx: &mut Cx<'_>) {
    let uploads = &cx.stack.uploads;
    for (index, upload) in uploads.iter().enumerate() {
        let at = index.to_string();
        if let Some(Sample { classes, images }) = upload.sample {
            let hint = "write how many, as in `sample: {classes: 10, images: 50}`; what is left out means all";
            for (field, number) in [("classes", classes), ("images", images)] {
                if number == Some(0) {
                    let message = format!("a sample of 0 {field} sends nothing");
                    cx.error("FI512", &["uploads", &at, "sample", field], message, hint);
                }
            }
            if classes.or(images).is_none() {
                cx.error("FI512", &["uploads", &at, "sample"], "the sample says neither `classes` nor `images`", hint);
            }
        }
        let earlier = uploads[..index].iter().find(|earlier| earlier.to == upload.to);
        if let Some(earlier) = earlier.filter(|earlier| earlier.chooses() || upload.chooses()) {
            let message = format!(
                "{} is sent to {} too: each would call what the other sent superfluous",
                earlier.from.display(),
                upload.to
            );
            let own =
                upload.split.map_or_else(|| format!("{}more/", upload.to), |split| format!("{}{split}/", upload.to));
            cx.error("FI513", &["uploads", &at, "to"], message, format!("give each its own place, as in {own}"));
        }
    }
}

/// No job writes where it reads, where another writes, or where uploads go.
fn outputs(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let jobs: Vec<_> = stack.jobs.iter().filter_map(|(key, job)| Some((key, job.features()?))).collect();
    for (key, job) in &jobs {
        for (field, place) in [("input", &job.input), ("output", &job.output)] {
            if let Some(glob) = place.prefix.chars().find(|c| "*?[]{}^\\".contains(*c)) {
                let message =
                    format!("Spark reads `{glob}` in a path as a pattern, and would look elsewhere than in {place}");
                cx.error("FI511", &["jobs", key, field], message, "name the folder without * ? [ ] { } ^ and \\");
            }
        }
    }
    let overlap = |one: &Place, other: &Place| one.holds(other) || other.holds(one);
    for (index, (key, job)) in jobs.iter().enumerate() {
        let path = ["jobs", key, "output"];
        let outputs = job.outputs();
        if let Some(output) = outputs.iter().find(|output| overlap(output, &job.input)) {
            let message = format!("{output} overlaps the input {}: the job would read what it writes", job.input);
            cx.error("FI508", &path, message, "read from a folder of its own, as in data/images/");
        }
        for (other, earlier) in &jobs[..index] {
            if earlier.outputs().iter().any(|output| outputs.iter().any(|own| overlap(own, output))) {
                let message = format!("job `{other}` writes to the same places: each would erase the other's results");
                cx.error("FI509", &path, message, format!("give it its own, as in {}{key}/", job.output));
            }
        }
        for upload in &stack.uploads {
            if outputs.iter().any(|output| overlap(output, &upload.to)) {
                let message = format!("the job overwrites where {} is uploaded to", upload.from.display());
                cx.error("FI509", &path, message, format!("write elsewhere than {}", upload.to));
            }
        }
    }
}

fn logs(cx: &mut Cx<'_>) {
    if cx.stack.cluster.is_some() && cx.stack.logs().is_none() {
        let message = "without a place for logs, a failed start leaves no trace";
        cx.warning("FI510", &["cluster"], message, "declare a bucket called `logs`, or say `logs: data/logs/`");
    }
}
