//! `explain`: what is behind a code. All that it says is written in `docs/codes`.

use serde_json::{Value, json};

use super::{DONE, Ended, Failure, Global};
use crate::ui::codes::{self, Page};
use crate::ui::{markdown, width};

/// Explain the code of a finding: what it means, what would happen, what to do
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As in FI203; without it, all codes are listed
    code: Option<String>,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    match &args.code {
        None if ui.json() => ui.data(&json!({"groups": all()})),
        None => ui.out(codes::list()),
        Some(word) => {
            let page = codes::page(word).ok_or_else(|| unknown(word))?;
            if ui.json() { ui.data(&page) } else { ui.out(markdown::render(page.text, width())) }
        }
    }
    Ok(DONE)
}

/// The codes by subject, without their pages.
fn all() -> Vec<Value> {
    let briefly = |page: &Page| json!({"code": page.code, "title": page.title, "severity": page.severity});
    let groups = codes::groups().into_iter();
    groups.map(|g| json!({"group": g.title, "codes": g.pages.iter().map(briefly).collect::<Vec<_>>()})).collect()
}

fn unknown(word: &str) -> Failure {
    let all = "`fruitsinfra explain` lists all codes";
    let hint = match codes::near(word) {
        Some(near) => format!("did you mean {} ({})? {all}", near.code, near.title),
        None => all.to_owned(),
    };
    Failure::usage(format!("there is no code `{word}`")).hint(hint)
}
