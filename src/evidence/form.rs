//! The form of the proof: one template of both languages, whose lines say by an expression over the facts whether they are
//! shown. Nothing is read here, and no line is shown by words alone.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Criterion, EvidenceError, Facts, Line, Paragraph, State};
use crate::script::told::{Lang, Teller, Words};
use crate::script::{self, ScriptError};
use crate::stack::Folder;

/// One file for both languages: what has no French has no English.
const TEMPLATE: &str = "evidence/evidence.yaml.j2";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    title: Words,
    opening: Words,
    /// Names of sources that are no calls of AWS.
    sources: BTreeMap<String, Words>,
    criteria: Vec<CriterionForm>,
    review: Vec<ParagraphForm>,
    closing: Words,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CriterionForm {
    title: Words,
    lines: Vec<LineForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineForm {
    /// An expression that is a list: there is a line for each, called `it`.
    each: Option<String>,
    /// Without which there is no line.
    r#if: Option<String>,
    /// Whether the facts show it.
    shown: String,
    /// Whether they show the opposite.
    against: Option<String>,
    text: Words,
    /// What is said where it is not shown.
    r#else: Words,
    /// One of the sources above, or calls of AWS.
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParagraphForm {
    r#if: Option<String>,
    title: Words,
    text: Words,
}

/// What was made of it.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) title: String,
    pub(super) opening: String,
    pub(super) criteria: Vec<Criterion>,
    pub(super) review: Vec<Paragraph>,
    pub(super) closing: String,
}

/// Fills the form that lies beside the stack, or ours.
pub(super) fn filled(facts: &Facts, folder: Folder, lang: Lang) -> Result<Filled, EvidenceError> {
    let (text, _) = script::template(folder, TEMPLATE)?;
    let wrong = |cause: serde_yaml::Error| EvidenceError::Form { template: TEMPLATE, cause: cause.to_string() };
    let form: Form = serde_yaml::from_str(&text).map_err(wrong)?;
    let values = json!({"facts": facts});
    let pen = Pen { teller: Teller::new(lang, None), sources: &form.sources };
    let criteria = form.criteria.iter().zip(1..).map(|(form, number)| pen.criterion(form, number, &values));
    let criteria = criteria.collect::<Result<_, _>>()?;
    let mut review = Vec::new();
    for paragraph in &form.review {
        if pen.holds(paragraph.r#if.as_deref(), &values)? {
            let (title, text) = (pen.words(&paragraph.title, &values)?, pen.words(&paragraph.text, &values)?);
            review.push(Paragraph { title, text });
        }
    }
    Ok(Filled {
        title: pen.words(&form.title, &values)?,
        opening: pen.words(&form.opening, &values)?,
        closing: pen.words(&form.closing, &values)?,
        criteria,
        review,
    })
}

struct Pen<'a> {
    teller: Teller,
    sources: &'a BTreeMap<String, Words>,
}

impl Pen<'_> {
    fn words(&self, words: &Words, values: &Value) -> Result<String, ScriptError> {
        self.teller.words(TEMPLATE, words, values)
    }

    fn holds(&self, condition: Option<&str>, values: &Value) -> Result<bool, ScriptError> {
        self.teller.holds(TEMPLATE, condition, values)
    }

    fn criterion(&self, form: &CriterionForm, number: usize, values: &Value) -> Result<Criterion, ScriptError> {
        let mut lines = Vec::new();
        for line in &form.lines {
            match &line.each {
                None => lines.extend(self.line(line, values)?),
                Some(each) => {
                    let items = self.teller.value(TEMPLATE, each, values)?;
                    for item in items.as_array().into_iter().flatten() {
                        let mut values = values.clone();
                        values["it"] = item.clone();
                        lines.extend(self.line(line, &values)?);
                    }
                }
            }
        }
        Ok(Criterion { number, title: self.words(&form.title, values)?, lines })
    }

    fn line(&self, form: &LineForm, values: &Value) -> Result<Option<Line>, ScriptError> {
        if !self.holds(form.r#if.as_deref(), values)? {
            return Ok(None);
        }
        let against = form.against.as_deref().map(|against| self.holds(Some(against), values)).transpose()?;
        let state = match (against == Some(true), self.holds(Some(&form.shown), values)?) {
            (true, _) => State::Against,
            (false, true) => State::Shown,
            (false, false) => State::Open,
        };
        let text = self.words(if state == State::Shown { &form.text } else { &form.r#else }, values)?;
        let named = self.sources.get(&form.source).map(|named| self.words(named, values)).transpose()?;
        let source = named.unwrap_or_else(|| form.source.clone());
        Ok(Some(Line { state, text, source }))
    }
}
