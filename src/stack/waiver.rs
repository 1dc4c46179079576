//! Findings that somebody accepted, with a reason and until a day. A waiver hides what it names and nothing else,
//! never an error that AWS or the law would make of it, and never for ever.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Lines, Problem, Severity};

/// A finding that is known and accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Of the finding, as in FI626.
    pub code: String,
    /// Why it is accepted, for whoever reviews it.
    pub because: String,
    /// The last day on which it is, as in 2026-12-31.
    #[schemars(with = "String")]
    pub until: Date,
    /// The end of the path of the script that it is about; without it, wherever the code is found.
    pub file: Option<String>,
}

/// A finding with the waiver that hides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waived {
    #[serde(flatten)]
    pub finding: Finding,
    pub because: String,
    pub until: Date,
}

/// Errors about what people wrote in scripts of their own: our reading of them may be wrong.
const DOUBTFUL: [&str; 8] = ["FI603", "FI622", "FI623", "FI624", "FI625", "FI630", "FI641", "FI642"];

/// What no waiver hides: secrets, an open door, and errors, but for the doubtful ones.
fn stands(finding: &Finding) -> bool {
    finding.code.starts_with("FI7") || (finding.severity == Severity::Error && !DOUBTFUL.contains(&finding.code))
}

/// The day, where this machine is.
pub fn today() -> Date {
    jiff::Zoned::now().date()
}

/// Whether a finding is waived on a day.
pub(super) fn is_waived(finding: &Finding, waivers: &[Waiver], today: Date) -> bool {
    !stands(finding) && waivers.iter().any(|waiver| waiver.names(finding) && today <= waiver.until)
}

impl Waiver {
    fn names(&self, finding: &Finding) -> bool {
        self.code.eq_ignore_ascii_case(finding.code)
            && self.file.as_ref().is_none_or(|file| finding.file.ends_with(file.as_str()))
    }
}

/// Takes the waived findings out of a list, and adds what is to be said of the waivers themselves. `places` are
/// the spans of the waivers in the stack's file.
pub(crate) fn waive(
    findings: Vec<Finding>,
    waivers: &[Waiver],
    today: Date,
    (file, text): (&str, &str),
    place: impl Fn(usize) -> std::ops::Range<usize>,
) -> (Vec<Finding>, Vec<Waived>) {
    let (mut kept, mut waived) = (Vec::new(), Vec::new());
    let mut used = vec![Use::None; waivers.len()];
    for finding in findings {
        let found = waivers.iter().position(|waiver| waiver.names(&finding) && today <= waiver.until);
        let found = found.or_else(|| waivers.iter().position(|waiver| waiver.names(&finding)));
        match found {
            Some(index) if stands(&finding) => {
                used[index] = used[index].max(Use::Vain);
                kept.push(finding);
            }
            Some(index) if today > waivers[index].until => {
                used[index] = used[index].max(Use::Late);
                kept.push(finding);
            }
            Some(index) => {
                used[index] = Use::Good;
                let Waiver { because, until, .. } = &waivers[index];
                waived.push(Waived { finding, because: because.clone(), until: *until });
            }
            None => kept.push(finding),
        }
    }
    let lines = Lines::of(text);
    for (index, (waiver, used)) in waivers.iter().zip(used).enumerate() {
        let told = |message: String, hint: &str| {
            Problem::new("FI140", place(index), message).warning().hint(hint).found_in(file, &lines)
        };
        let Waiver { code, until, .. } = waiver;
        kept.extend(match used {
            Use::Good => None,
            Use::Late => Some(told(
                format!("the waiver of {code} ended on {until}"),
                "mend what it is about, or decide anew and write another day",
            )),
            Use::Vain => Some(told(format!("{code} cannot be waived"), "mend what it is about, and remove the waiver")),
            Use::None => {
                Some(told(format!("nothing here is found that the waiver of {code} would hide"), "remove the waiver"))
            }
        });
    }
    // What is said of the stack itself comes first, in its order.
    kept.sort_by_key(|finding| if finding.file == file { (0, finding.span.start) } else { (1, 0) });
    (kept, waived)
}

/// What a waiver was good for; of several findings the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    None,
    Vain,
    Late,
    Good,
}
