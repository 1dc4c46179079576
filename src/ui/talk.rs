//! What is told to a jury, as a page of Markdown: a script's walk-through, the runbook of a demonstration. On a terminal it
//! is the same page, without its marks.

use std::fmt::Write;

use crate::script::told::Lang;
use crate::talk::runbook::{Moment, Runbook};
use crate::talk::walk::Step;

/// A walk-through, to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    pub stack: &'a str,
    /// The stack as it was typed, quoted for a shell.
    pub typed: &'a str,
    pub job: &'a str,
    /// The template's name.
    pub template: &'a str,
    pub lang: Lang,
    pub steps: &'a [Step],
}

/// Whether the code of each step is shown, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Left,
    Plain,
    /// With the script's own line numbers.
    Numbered,
}

/// A page of it.
pub fn walk(walk: &Walk, code: Code) -> String {
    let Walk { stack, typed, job, template, lang, steps } = *walk;
    let mut page = format!("# {stack}: {job}\n\n");
    let from = lang.of(
        "The script, step by step. Each text stands in the template, beside what it explains:",
        "Le script, pas à pas. Chaque texte se trouve dans le modèle, à côté de ce qu'il explique\u{a0}:",
    );
    let lines = lang.of("Lines are those of", "Les lignes sont celles de");
    let _ = writeln!(page, "{from} `{template}`. {lines} `fruitsinfra render {typed} job`.");
    for step in steps {
        let number = if step.number == 0 { String::new() } else { format!("{}. ", step.number) };
        let _ = write!(page, "\n## {number}{}\n\n", step.title);
        match (&step.text, step.lang) {
            (Some(text), Some(spoken)) => {
                if spoken != lang {
                    let _ = write!(page, "{}\n\n", lang.of("(In French alone.)", "(En anglais seulement.)"));
                }
                let _ = writeln!(page, "{}", text.trim_end());
            }
            _ => {
                let none = lang.of("The template does not explain this step.", "Le modèle n'explique pas cette étape.");
                let _ = writeln!(page, "{none}");
            }
        }
        let _ = write!(page, "\n{}\n", place(step, lang));
        block(&mut page, step, code);
    }
    page
}

/// `Lines 70-188: arguments 74, Storage 83.`
fn place(Step { lines: [first, last], definitions, .. }: &Step, lang: Lang) -> String {
    let named: Vec<String> = definitions.iter().map(|of| format!("`{}` {}", of.name, of.line)).collect();
    let named =
        if named.is_empty() { String::new() } else { format!("{} {}", lang.of(":", "\u{a0}:"), named.join(", ")) };
    format!("{} {first}-{last}{named}.", lang.of("Lines", "Lignes"))
}

fn block(page: &mut String, step: &Step, code: Code) {
    if code == Code::Left {
        return;
    }
    page.push_str("\n```python\n");
    for (line, number) in step.code.lines().zip(step.lines[0]..) {
        let numbered = format!("{number:>4}  {line}");
        page.push_str(if code == Code::Numbered { numbered.trim_end() } else { line });
        page.push('\n');
    }
    page.push_str("```\n");
}

/// The page of a runbook.
pub fn runbook(book: &Runbook) -> String {
    let lang = book.lang;
    let mut page = format!("# {}\n\n{}\n", book.title, book.opening);
    if !book.warnings.is_empty() {
        let _ = write!(page, "\n## {}\n\n", lang.of("Before you begin", "Avant de commencer"));
        for warning in &book.warnings {
            let _ = writeln!(page, "- {warning}");
        }
    }
    for moment in &book.moments {
        of_moment(&mut page, moment, lang);
    }
    let _ = write!(page, "\n## {}\n", lang.of("When something fails", "Si quelque chose échoue"));
    for failing in &book.failures {
        let _ = write!(page, "\n- {}{} {}\n", failing.when, lang.of(":", "\u{a0}:"), failing.then);
        commands(&mut page, &failing.commands);
    }
    let _ = write!(page, "\n{}\n", book.closing);
    page
}

fn of_moment(page: &mut String, moment: &Moment, lang: Lang) {
    let clock = moment.clock.as_ref().map_or_else(String::new, |clock| format!(" ({clock})"));
    let lasts = moment.lasts.map_or_else(String::new, |lasts| format!(", {lasts} min"));
    let _ = write!(page, "\n## {}{clock} · {}{lasts}\n", moment.at, moment.title);
    if let Some(note) = &moment.note {
        let _ = write!(page, "\n{note}\n");
    }
    commands(page, &moment.commands);
    let parts = [
        (lang.of("Show:", "Montrer\u{a0}:"), &moment.show),
        (lang.of("Say:", "Dire\u{a0}:"), &moment.say),
        (lang.of("If it fails:", "En cas d'échec\u{a0}:"), &moment.fallback),
    ];
    let mut told = parts.iter().filter_map(|(word, text)| Some((word, text.as_ref()?))).peekable();
    if told.peek().is_some() {
        page.push('\n');
    }
    for (word, text) in told {
        let _ = writeln!(page, "- {word} {text}");
    }
}

fn commands(page: &mut String, commands: &[String]) {
    if !commands.is_empty() {
        let _ = write!(page, "\n```sh\n{}\n```\n", commands.join("\n"));
    }
}
