//! The proof for a jury: facts that AWS answers now, held against the nine criteria line by line, with a critical review
//! reckoned from the same facts. What cannot be shown says so. It changes nothing, decides nothing, and tells no account
//! and no person unless that is asked for.

mod cluster;
mod facts;
mod form;
pub mod seal;
mod weighed;

use serde::Serialize;
use serde_json::Value;

pub use self::facts::{Facts, World, read};

use crate::script::ScriptError;
use crate::script::told::Lang;
use crate::stack::Folder;

#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("{template} is no form of evidence: {cause}")]
    Form { template: &'static str, cause: String },
}

/// One of the criteria, and what there is to show for it.
#[derive(Debug, Serialize)]
pub struct Criterion {
    pub number: usize,
    pub title: String,
    pub lines: Vec<Line>,
}

/// A sentence, and where its facts are from.
#[derive(Debug, Serialize)]
pub struct Line {
    pub state: State,
    pub text: String,
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The facts show it.
    Shown,
    /// They do not: nothing has run yet, or it could not be asked.
    Open,
    /// They show the opposite.
    Against,
}

/// A part of the critical review.
#[derive(Debug, Serialize)]
pub struct Paragraph {
    pub title: String,
    pub text: String,
}

/// What is not told unless that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Private<'a> {
    pub account: &'a str,
    pub owner: &'a str,
}

/// The whole document, sealed.
pub fn document(facts: &Facts, folder: Folder, lang: Lang, hidden: Option<Private>) -> Result<Value, EvidenceError> {
    let told = form::filled(facts, folder, lang)?;
    let mut document = serde_json::json!({
        "stack": facts.stack, "region": facts.region, "lang": lang, "read_at": facts.read_at, "embedded": facts.embedded,
        "tool": facts.tool, "title": told.title, "opening": told.opening, "closing": told.closing,
        "criteria": told.criteria, "review": told.review, "facts": facts,
    });
    if let Some(hidden) = hidden {
        hide(&mut document, hidden);
    }
    Ok(seal::sealed(document))
}

/// How many lines are in each state.
pub fn counts(document: &Value) -> [usize; 3] {
    let lines = document["criteria"].as_array().into_iter().flatten();
    let states = lines.flat_map(|of| of["lines"].as_array().into_iter().flatten()).map(|line| &line["state"]);
    let states: Vec<&str> = states.filter_map(Value::as_str).collect();
    ["shown", "open", "against"].map(|wanted| states.iter().filter(|state| **state == wanted).count())
}

/// Puts words in place of an account's number and of a person's address, wherever they stand.
fn hide(value: &mut Value, private: Private) {
    let plain = |text: &str| {
        let text = text.replace(private.account, "<account>");
        // A word that is nobody's address may be any word.
        if private.owner.contains('@') { text.replace(private.owner, "<owner>") } else { text }
    };
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(values) => values.iter_mut().for_each(|value| hide(value, private)),
        Value::Object(fields) => {
            let inner = std::mem::take(fields);
            *fields = inner.into_iter().map(|(key, value)| (plain(&key), value)).collect();
            fields.values_mut().for_each(|value| hide(value, private));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_and_a_person_are_told_nowhere() {
        let mut document =
            json!({"a": ["arn:aws:iam::123456789012:role/x", {"s-home-123456789012": "o@fruits.example"}], "n": 1});
        hide(&mut document, Private { account: "123456789012", owner: "o@fruits.example" });
        assert_eq!(document, json!({"a": ["arn:aws:iam::<account>:role/x", {"s-home-<account>": "<owner>"}], "n": 1}));
        let mut document = json!("names of the team");
        hide(&mut document, Private { account: "123456789012", owner: "team" });
        assert_eq!(document, json!("names of the team"));
    }
}
