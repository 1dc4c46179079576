//! The user's pip, asked what other machines would install. It resolves and downloads; it must never install.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::{Target, WheelsError};

const ELSEWHERE: &str = include_str!("pip_elsewhere.py");

/// All that these packages need over there, as the lines of a requirements file with checksums. Reads metadata alone.
pub(super) async fn resolve(target: &Target, packages: &BTreeMap<String, String>) -> Result<String, WheelsError> {
    // pip wants to be told where it would install, if only it did.
    let only_asking = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report=-", "--target=nowhere"];
    let mut pip = pip(target, &only_asking);
    pip.args(packages.iter().map(|(name, version)| format!("{name}=={version}")));
    requirements(&run(pip, target, |_| ()).await?).map_err(WheelsError::Answer)
}

/// Downloads what a requirements file lists into a folder; what is there already is not fetched again.
pub(super) async fn download(
    target: &Target,
    requirements: &Path,
    into: &Path,
    mut say: impl FnMut(String),
) -> Result<(), WheelsError> {
    let mut pip = pip(target, &["download", "--no-deps", "--require-hashes", "--progress-bar=off"]);
    pip.arg("--dest").arg(into).arg("--requirement").arg(requirements);
    let told = run(pip, target, |line| said(line).map_or((), &mut say)).await;
    told.map(|_| ())
}

/// Of pip's chatter, the downloads: `Downloading six-1.17.0-py2.py3-none-any.whl (11 kB)`.
fn said(line: &str) -> Option<String> {
    let what = line.trim().strip_prefix("Downloading ")?;
    (!what.contains(".metadata")).then(|| format!("downloading {what}"))
}

fn pip(target: &Target, arguments: &[&str]) -> Command {
    let mut command = Command::new("python3.11");
    command.args(["-c", ELSEWHERE]).arg(target.markers().to_string());
    command.args(arguments).args(["--no-input", "--disable-pip-version-check"]).args(target.options());
    // Settings of the user's that contradict `--target` or ask for an environment: nothing is installed.
    command.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0");
    command
}

/// Runs pip and returns what it printed, each line also told as it comes.
async fn run(mut command: Command, target: &Target, mut tell: impl FnMut(&str)) -> Result<String, WheelsError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| WheelsError::NoPip(e.to_string()))?;
    let (Some(out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(WheelsError::Answer("its output cannot be read".into()));
    };
    let (mut printed, mut complaints) = (String::new(), Vec::new());
    let reading = async {
        let mut lines = BufReader::new(out).lines();
        while let Some(line) = lines.next_line().await? {
            tell(&line);
            printed.extend([line.as_str(), "\n"]);
        }
        std::io::Result::Ok(())
    };
    let read = tokio::try_join!(reading, err.read_to_end(&mut complaints));
    let ended = child.wait().await;
    match (read, ended) {
        (Ok(_), Ok(status)) if status.success() => Ok(printed),
        (Ok(_), Ok(_)) => Err(sort(&String::from_utf8_lossy(&complaints), target)),
        (Err(error), _) | (_, Err(error)) => Err(WheelsError::Answer(error.to_string())),
    }
}

/// What pip reports, as far as it matters here.
#[derive(Deserialize)]
struct Report {
    install: Vec<Chosen>,
}

#[derive(Deserialize)]
struct Chosen {
    metadata: Metadata,
    download_info: Origin,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Origin {
    archive_info: Archive,
}

#[derive(Deserialize)]
struct Archive {
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// Sorted `name==version --hash=sha256:...` lines: the same choice is the same text.
pub fn requirements(report: &str) -> Result<String, String> {
    let report: Report = serde_json::from_str(report).map_err(|e| e.to_string())?;
    let line = |chosen: &Chosen| {
        let Metadata { name, version } = &chosen.metadata;
        let sha256 = chosen.download_info.archive_info.hashes.get("sha256");
        let sha256 = sha256.ok_or_else(|| format!("{name} {version} has no sha256"))?;
        Ok(format!("{}=={version} --hash=sha256:{sha256}\n", name.to_lowercase().replace(['_', '.'], "-")))
    };
    let mut lines = report.install.iter().map(line).collect::<Result<Vec<_>, String>>()?;
    lines.sort();
    Ok(lines.concat())
}

/// Sorts pip's words by what a person can do.
fn sort(complaints: &str, target: &Target) -> WheelsError {
    let after = |words: &str| complaints.split_once(words).map(|(_, rest)| rest.lines().next().unwrap_or_default());
    let says = |words: &[&str]| words.iter().any(|word| complaints.contains(word));
    if says(&["No module named pip", "no such option"]) {
        return WheelsError::NoPip(last(complaints));
    }
    // After its last retry pip goes on as if the index had said that there is no such file.
    if let Some(why) = after("(Retry(total=0").or(after("Could not fetch URL ")) {
        return WheelsError::Unreachable(
            why.rsplit_once("after connection broken by ").map_or(why, |(_, why)| why).into(),
        );
    }
    if let Some(wanted) = after("No matching distribution found for ") {
        let others = after("(from versions: ").and_then(|list| list.strip_suffix(')')?.rsplit(", ").next());
        let newest = others.filter(|newest| *newest != "none").map(str::to_owned);
        return WheelsError::NoWheel { wanted: wanted.trim().into(), newest, target: target.clone() };
    }
    match after("Cannot install ") {
        Some(which) if says(&["conflicting dependencies"]) => {
            WheelsError::Conflict(which.split(" because").next().unwrap_or(which).to_owned())
        }
        _ => WheelsError::Pip(last(complaints)),
    }
}

/// The last of pip's words, without its mark of errors.
fn last(complaints: &str) -> String {
    let line = complaints.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.trim_start_matches("ERROR: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Target {
        Target { python: "3.11".into(), arch: "x86_64", glibc: 34 }
    }

    #[test]
    fn a_report_becomes_sorted_lines_with_checksums() {
        let chosen = |name: &str, version: &str, sha256: &str| {
            serde_json::json!({
                "metadata": {"name": name, "version": version, "requires_dist": []},
                "download_info": {"url": "https://index.example/x.whl", "archive_info": {"hashes": {"sha256": sha256}}},
            })
        };
        let report = |all: &[_]| serde_json::json!({"version": "1", "install": all}).to_string();
        let (six, typing) = (chosen("six", "1.17.0", "47"), chosen("Typing_Extensions", "4.16.0", "48"));
        assert_eq!(
            requirements(&report(&[typing, six])).as_deref(),
            Ok("six==1.17.0 --hash=sha256:47\ntyping-extensions==4.16.0 --hash=sha256:48\n")
        );
        let bare =
            serde_json::json!({"metadata": {"name": "six", "version": "1"}, "download_info": {"archive_info": {}}});
        assert_eq!(requirements(&report(&[bare])), Err("six 1 has no sha256".into()));
    }

    #[test]
    fn a_missing_wheel_is_named_with_the_newest_there_is() {
        let complaints = "ERROR: Ignored the following versions that require a different python version: 1.2.0\n\
             ERROR: Could not find a version that satisfies the requirement pandas==9.9 (from versions: 2.3.2, 2.3.3)\n\
             ERROR: No matching distribution found for pandas==9.9\n";
        let WheelsError::NoWheel { wanted, newest, .. } = sort(complaints, &node()) else {
            panic!("is a missing wheel")
        };
        assert_eq!((wanted.as_str(), newest.as_deref()), ("pandas==9.9", Some("2.3.3")));

        let none = complaints.replace("2.3.2, 2.3.3", "none");
        assert!(matches!(sort(&none, &node()), WheelsError::NoWheel { newest: None, .. }));
    }

    #[test]
    fn an_index_that_does_not_answer_is_not_a_missing_wheel() {
        let complaints = "WARNING: Retrying (Retry(total=0, read=None)) after connection broken by 'NewConnectionError: refused'\n\
             ERROR: Could not find a version that satisfies the requirement six==1.17.0 (from versions: none)\n\
             ERROR: No matching distribution found for six==1.17.0\n";
        assert!(matches!(sort(complaints, &node()), WheelsError::Unreachable(why) if why.contains("refused")));
    }

    #[test]
    fn other_words_fall_to_what_a_person_can_do() {
        let conflict =
            "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.\n";
        assert!(matches!(sort(conflict, &node()), WheelsError::Conflict(which) if which == "a==1 and b==2"));
        assert!(matches!(sort("No module named pip: no pip\n", &node()), WheelsError::NoPip(_)));
        assert!(matches!(sort("no such option: --report\n", &node()), WheelsError::NoPip(_)));
        assert!(matches!(sort("ERROR: disk full\n", &node()), WheelsError::Pip(why) if why == "disk full"));
    }

    #[test]
    fn downloads_are_told_and_metadata_is_not() {
        assert_eq!(said("  Downloading six.whl (11 kB)"), Some("downloading six.whl (11 kB)".into()));
        assert_eq!(said("  Downloading six.whl.metadata (1 kB)"), None);
        assert_eq!(said("Saved ./six.whl"), None);
    }
}
