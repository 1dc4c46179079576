//! A job's script step by step, from comments that stand in its template beside what they explain:
//!
//! ```text
//! # 2. The network: ...
//! # ----
//! {#- explain en
//! Why it is done so. Values are those of the script: {{ job.batch }}; {{ "weights=None" | line }} points into it.
//! #}
//! {#- explain fr: Le réseau
//! Pourquoi c'est fait ainsi.
//! #}
//! ```
//!
//! `{#-` takes the line's end before it along, so that the script has not a byte of them. Pure text; it never runs a script,
//! and never explains one whose template does not.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::TalkError;
use crate::script::is_rule;
use crate::script::told::{Lang, Pointed, Teller};

/// A numbered section of a script, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// As the script numbers it; 0 is what stands before its sections.
    pub number: u32,
    pub title: String,
    /// Markdown; none where the template says nothing of it in any language.
    pub text: Option<String>,
    /// What the text is in, which may be another language than was asked for.
    pub lang: Option<Lang>,
    /// Lines of the script, the first and the last, counted from 1.
    pub lines: [usize; 2],
    pub definitions: Vec<Definition>,
    pub code: String,
}

/// A function or class of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Definition {
    pub name: String,
    pub line: usize,
}

/// A comment that explains.
#[derive(Debug)]
struct Comment<'a> {
    section: u32,
    lang: Lang,
    title: Option<&'a str>,
    text: &'a str,
    /// Of the template, where its text begins.
    line: usize,
}

/// The steps of a script that a template was rendered to with these values.
pub fn steps(script: &str, name: &str, template: &str, values: &Value, lang: Lang) -> Result<Vec<Step>, TalkError> {
    let comments = comments(name, template)?;
    let whole: Arc<str> = script.into();
    let lines: Vec<&str> = script.lines().collect();
    let mut steps = Vec::new();
    for Section { number, title, first, last } in sections(&lines) {
        let of = |wanted| comments.iter().find(|comment| comment.section == number && comment.lang == wanted);
        let other = Lang::ALL.into_iter().find_map(of);
        let comment = of(lang).or(other);
        if number == 0 && comment.is_none() {
            continue;
        }
        let spoken = comment.map_or(lang, |comment| comment.lang);
        let teller = Teller::new(spoken, Some(Pointed { script: whole.clone(), from: first }));
        let tell = |line, text| Ok::<_, TalkError>(spoken.typeset(&teller.tell(name, line, text, values)?));
        let text = comment.map(|comment| tell(comment.line, comment.text)).transpose()?;
        let own = comment.and_then(|comment| Some(tell(comment.line - 1, comment.title?)));
        let title = own.transpose()?.or(title).unwrap_or_else(|| lang.of("Overview", "Vue d'ensemble").to_owned());
        let code = lines[first - 1..last].join("\n");
        steps.push(Step {
            number,
            title,
            text,
            lang: comment.map(|comment| comment.lang),
            lines: [first, last],
            definitions: definitions(&lines, first, last),
            code,
        });
    }
    Ok(steps)
}

/// All comments of a template that explain, each with the section that it stands in.
fn comments<'a>(name: &str, template: &'a str) -> Result<Vec<Comment<'a>>, TalkError> {
    let mut found: Vec<Comment> = Vec::new();
    let (mut rest, mut line, mut section) = (template, 1, 0);
    while let Some((outside, after)) = rest.split_once("{#") {
        section = headings(outside.lines(), section).last().map_or(section, |(_, number, _)| number);
        line += outside.matches('\n').count();
        let Some((inside, next)) = after.split_once("#}") else { break };
        if let Some((lang, comment)) = explains(inside) {
            let at = |lang: &str| TalkError::Language { template: name.to_owned(), line, said: lang.to_owned() };
            let lang = Lang::ALL.into_iter().find(|known| known.as_str() == lang).ok_or_else(|| at(lang))?;
            if found.iter().any(|other| (other.section, other.lang) == (section, lang)) {
                return Err(TalkError::Twice { template: name.to_owned(), line, section, lang });
            }
            let (title, text) = comment;
            found.push(Comment { section, lang, title, text, line: line + 1 });
        }
        line += inside.matches('\n').count();
        rest = next;
    }
    Ok(found)
}

/// Language, title and text of a comment, if it is one that explains.
fn explains(inside: &str) -> Option<(&str, (Option<&str>, &str))> {
    let (first, text) = inside.split_once('\n')?;
    let said = first.trim_start_matches(['-', '+']).trim().strip_prefix("explain")?;
    if !said.starts_with(char::is_whitespace) {
        return None;
    }
    let (lang, title) = said.split_once(':').map_or((said, None), |(lang, title)| (lang, Some(title.trim())));
    let text = text.trim_end_matches(['-', '+']).trim_end();
    Some((lang.trim(), (title.filter(|title| !title.is_empty()), text)))
}

struct Section {
    number: u32,
    title: Option<String>,
    first: usize,
    last: usize,
}

/// The whole script: what stands before its sections, and each of them, without blank lines at its end.
fn sections(lines: &[&str]) -> Vec<Section> {
    let mut sections = vec![Section { number: 0, title: None, first: 1, last: lines.len() }];
    for (line, number, title) in headings(lines.iter().copied(), 0) {
        // The rule above a heading belongs to it.
        let first = if line > 1 && is_rule(lines[line - 2]) { line - 1 } else { line };
        if let Some(before) = sections.last_mut() {
            before.last = first - 1;
        }
        sections.push(Section { number, title: Some(title.to_owned()), first, last: lines.len() });
    }
    for section in &mut sections {
        while section.last > section.first && lines[section.last - 1].trim().is_empty() {
            section.last -= 1;
        }
    }
    sections.retain(|section| section.first <= section.last);
    sections
}

/// Line, number and title of each heading: `# 3. From images to features`, numbered in order after the last one.
fn headings<'a>(lines: impl Iterator<Item = &'a str>, last: u32) -> impl Iterator<Item = (usize, u32, &'a str)> {
    let mut expected = last + 1;
    lines.zip(1..).filter_map(move |(line, at)| {
        let (number, title) = line.strip_prefix("# ")?.split_once(". ")?;
        let number = number.parse().ok().filter(|number: &u32| *number == expected)?;
        expected += 1;
        Some((at, number, title.trim_end()))
    })
}

/// Functions and classes that begin at the left.
fn definitions(lines: &[&str], first: usize, last: usize) -> Vec<Definition> {
    let named = |line: &str| {
        let rest = ["def ", "class "].iter().find_map(|word| line.strip_prefix(word))?;
        Some(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned())
    };
    let within = (first..=last).filter_map(|line| Some(Definition { name: named(lines[line - 1])?, line }));
    within.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEMPLATE: &str = "{#- Values: -#}\nimport a\n\n# ----\n# 1. First: {{ what }}\n# ----\n{#- explain en\nWhy {{ what }}, {{ \"b = 1\" | line }}.\n#}\n{#- explain fr: Le premier\nPourquoi.\n#}\n\n\
                            # 1. no heading again\ndef b(x):\n    b = 1\n\n\n# ----\n# 2. Second\n# ----\nclass C:\n    pass\n";

    fn told(template: &str, lang: Lang) -> Result<Vec<Step>, String> {
        let environment = minijinja::Environment::new();
        let values = json!({"what": "x"});
        let script = environment.render_str(template, minijinja::value::Serde(&values)).expect("renders");
        steps(&script, "own.j2", template, &values, lang).map_err(|error| error.to_string())
    }

    #[test]
    fn comments_explain_the_section_that_they_stand_in_and_leave_no_byte_behind() {
        let steps = told(TEMPLATE, Lang::En).expect("steps");
        let brief: Vec<_> =
            steps.iter().map(|step| (step.number, step.title.as_str(), step.text.as_deref(), step.lines)).collect();
        assert_eq!(
            brief,
            [(1, "First: x", Some("Why x, `b = 1` (line\u{a0}9)."), [3, 9]), (2, "Second", None, [12, 16])]
        );
        assert_eq!(steps[0].code, "# ----\n# 1. First: x\n# ----\n\n# 1. no heading again\ndef b(x):\n    b = 1");
        let names: Vec<_> =
            steps.iter().flat_map(|step| &step.definitions).map(|of| (of.name.as_str(), of.line)).collect();
        assert_eq!(names, [("b", 8), ("C", 15)]);
        let french = told(TEMPLATE, Lang::Fr).expect("steps");
        assert_eq!((french[0].title.as_str(), french[0].text.as_deref()), ("Le premier", Some("Pourquoi.")));
    }

    #[test]
    fn what_is_said_in_one_language_alone_is_said_in_that() {
        let english = TEMPLATE.replace("explain fr", "commented fr");
        let steps = told(&english, Lang::Fr).expect("steps");
        assert_eq!((steps[0].lang, steps[1].lang), (Some(Lang::En), None));
        assert!(told("# 1. Only\nprint(1)\n", Lang::Fr).expect("steps").iter().all(|step| step.text.is_none()));
        assert_eq!(told("print(1)\n", Lang::En), Ok(vec![]), "no section, no step");
        assert_eq!(told("", Lang::En), Ok(vec![]));
    }

    #[test]
    fn a_comment_that_cannot_be_meant_is_told_with_its_line() {
        let error = |from: &str, to: &str| told(&TEMPLATE.replace(from, to), Lang::En).expect_err("is wrong");
        assert_eq!(
            error("explain fr: Le premier", "explain de"),
            "own.j2:10: a walk-through is written in en or in fr, and not in `de`"
        );
        assert_eq!(error("explain fr", "explain en"), "own.j2:10: section 1 is explained in en twice");
        let nowhere = error("\"b = 1\"", "\"c = 1\"");
        assert!(nowhere.contains("line 8") && nowhere.contains("does not hold `c = 1`"), "{nowhere}");
    }

    proptest::proptest! {
        /// Whatever a template and a script are, there is an answer.
        #[test]
        fn no_text_is_too_odd(template in "([#{}\\- 0-9.\n]|explain |en|fr|\\PC){0,80}", script in "([# 0-9.\n\\-]|def |\\PC){0,80}") {
            if let Ok(steps) = steps(&script, "own.j2", &template, &json!({}), Lang::Fr) {
                for step in steps {
                    proptest::prop_assert!(step.lines[0] <= step.lines[1] && step.lines[1] <= script.lines().count());
                }
            }
        }
    }
}
