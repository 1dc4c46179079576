//! What a failed job's log means, in plain words: the last traceback, and what to do about what is known. It reads text
//! alone, and is silent about what it does not know.

use crate::cloud::logs;

/// What went wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    pub what: String,
    pub hint: &'static str,
}

/// No more lines of a log are shown.
const MOST: usize = 25;

/// Words of Python, Spark, YARN and S3 by which a trouble is known, the most telling first; the meaning of the first
/// that is found is told. Of a text between two words, that is what is quoted.
const KNOWN: [(&[&str], &str, &str); 12] = [
    (
        &["No module named '", "'"],
        "the Python that ran has no module `{}`",
        "add its package to a bootstrap action, and let PYSPARK_PYTHON name the Python that it installs into",
    ),
    (
        &["is bigger than spark.driver.maxResultSize"],
        "the driver was sent more than it takes (spark.driver.maxResultSize)",
        "collect less, or raise it in the job's `conf`",
    ),
    (&["PYTHON_VERSION_MISMATCH"], TWO_PYTHONS, ONE_PYTHON),
    (&["Python in worker has different version"], TWO_PYTHONS, ONE_PYTHON),
    (&["exceeding physical memory limits"], OUT_OF_MEMORY, LESS),
    (&["exceeding memory limits"], OUT_OF_MEMORY, LESS),
    (&["java.lang.OutOfMemoryError"], "Spark's heap is full", LESS),
    (&["\nMemoryError"], "Python has no memory left", LESS),
    (
        &["No space left on device"],
        "a node's disk is full",
        "give the nodes more: `root_volume: {size: 60}`, or `volumes` of the group",
    ),
    (&["is not a weights file of Keras"], "what was given as weights is no file of Keras", OUR_WEIGHTS),
    (&["expected ", " variables, but received"], "the weights are another network's: it has {} variables", OUR_WEIGHTS),
    (
        &["Path does not exist: ", "\n"],
        "there is nothing at {}",
        "look with `aws s3 ls`; a path that a job reads ends in /, and `sync` sends the files of the stack's uploads",
    ),
];

const OUT_OF_MEMORY: &str = "an executor took more memory than YARN gave it, and was ended";
const LESS: &str =
    "let fewer workers share a node (`conf: {spark.executor.cores: \"2\"}`), or choose a type with more memory";

const TWO_PYTHONS: &str = "driver and workers run different versions of Python";
const ONE_PYTHON: &str = "name one in `spark-env`: PYSPARK_PYTHON, for all nodes";
const OUR_WEIGHTS: &str = "give the .h5 file of a MobileNetV2 without its classifier, or `--weights imagenet`";

/// What S3 says of a call that is not allowed; its key follows where it is told.
const DENIED: [&str; 4] = ["AccessDenied", "Access Denied", "Status Code: 403", "AccessDeniedException"];

/// What a log tells of a failure.
pub fn of(log: &str) -> Option<Trouble> {
    for (words, what, hint) in KNOWN {
        let Some(begin) = log.find(words[0]) else { continue };
        let rest = &log[begin + words[0].len()..];
        let quoted = match words.get(1) {
            None => "",
            Some(end) => match rest.find(end) {
                Some(end) if end <= 300 => &rest[..end],
                _ => continue,
            },
        };
        return Some(Trouble { what: what.replace("{}", quoted.trim()), hint });
    }
    DENIED.iter().any(|word| log.contains(word)).then(|| Trouble {
        what: "AWS refused a call: the nodes' role does not allow it".into(),
        hint: "say in `roles.nodes` what is read and written, and `up` again; the log names the object",
    })
}

/// How a traceback begins.
const BEGINS: &str = "Traceback (most recent call last)";

/// The end of a log, or its last traceback where that stands before.
pub fn end(log: &str) -> String {
    let tail = logs::tail(log, MOST);
    let lines: Vec<&str> = log.lines().collect();
    let begins = |line: &str| line.trim_start().starts_with(BEGINS);
    let from = lines.iter().rposition(|line| begins(line)).filter(|_| !tail.lines().any(begins));
    let Some(from) = from else { return tail };
    let indent = lines[from].len() - lines[from].trim_start().len();
    let frame = |line: &&&str| line.trim().is_empty() || line.len() - line.trim_start().len() > indent;
    let frames = lines[from + 1..].iter().take_while(frame).count();
    // With the line of the exception itself.
    let whole = &lines[from..lines.len().min(from + frames + 2)];
    let cut = whole.len().saturating_sub(MOST);
    if cut == 0 { whole.join("\n") } else { format!("{}\n  ...\n{}", whole[0], whole[cut + 1..].join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told_in_plain_words() {
        let what = |log: &str| of(log).map(|trouble| trouble.what).unwrap_or_default();
        for (log, told) in [
            ("  import x\nModuleNotFoundError: No module named 'tensorflow'\n", "no module `tensorflow`"),
            ("Container killed by YARN for exceeding physical memory limits. 5.5 GB of 5.5 GB", "than YARN gave it"),
            ("java.lang.OutOfMemoryError: Java heap space", "heap"),
            (
                "Total size of serialized results of 4 tasks (1.2 GiB) is bigger than spark.driver.maxResultSize",
                "driver",
            ),
            ("AmazonS3Exception: Access Denied (Service: Amazon S3; Status Code: 403)", "role does not allow"),
            ("s3://b/w.h5 is not a weights file of Keras: it is no HDF5", "no file of Keras"),
            ("Layer 'Conv1' expected 1 variables, but received 0 variables during loading", "it has 1 variables"),
            ("AnalysisException: [PATH_NOT_FOUND] Path does not exist: s3://b/images.\n", "s3://b/images."),
            ("OSError: [Errno 28] No space left on device", "disk is full"),
        ] {
            assert!(what(log).contains(told), "{log}: {}", what(log));
        }
        assert_eq!(of("all is well\n"), None);
        // Nothing between the words, and no end of them.
        assert_eq!(of("No module named '"), None);
    }

    #[test]
    fn a_traceback_is_shown_before_what_came_after_it() {
        let frames = |n: usize| "  File \"job.py\", line 1\n".repeat(n);
        let after = "INFO ShutdownHookManager: gone\n".repeat(40);
        let log = format!("begun\nTraceback (most recent call last):\n{}ValueError: no\n{after}", frames(3));
        assert_eq!(end(&log), format!("Traceback (most recent call last):\n{}ValueError: no", frames(3)));
        let deep = end(&format!("Traceback (most recent call last):\n{}ValueError: no\n{after}", frames(60)));
        assert_eq!(deep.lines().count(), MOST + 1);
        assert!(deep.starts_with("Traceback") && deep.ends_with("ValueError: no"), "{deep}");
        assert_eq!(end("one\ntwo\n"), "one\ntwo");
        assert_eq!(end(&after).lines().count(), MOST);
        assert_eq!(end(""), "");
        assert_eq!(end("Traceback (most recent call last):"), "Traceback (most recent call last):");
    }
}
