//! A log as EMR leaves it in S3: where it lies, unpacked, and its end.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;

use crate::text::lasting;

/// A log may be cut beyond this.
const MOST: u64 = 8_000_000;

/// Splits `s3://bucket/prefix/`; EMR writes `s3n://` where it was told `s3://`.
pub fn split(url: &str) -> Option<(&str, &str)> {
    url.split_once("://")?.1.split_once('/')
}

/// The text of a log as it lies in S3 under this key.
pub fn unpack(key: &str, body: Vec<u8>) -> String {
    let mut bytes = Vec::new();
    if std::path::Path::new(key).extension().is_some_and(|e| e == "gz") {
        // One cut short (a node that died) is still worth its beginning.
        let _ = MultiGzDecoder::new(&body[..]).take(MOST).read_to_end(&mut bytes);
    } else {
        bytes = body;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// EMR's logs reach S3 minutes late, also after the end: it is waited this long for one.
pub const LATE: Duration = Duration::from_mins(6);

/// How long one has been waited for: `1 min 10 s of at most 6 min`.
pub fn waited(spent: Duration) -> String {
    format!("{} of at most {} min", lasting(spent), LATE.as_secs() / 60)
}

/// The last lines of a text that say something.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
