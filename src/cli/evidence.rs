//! `evidence`: the proof by the nine criteria, of facts read now; and whether one that was written before is unchanged. It
//! changes nothing.

use std::path::PathBuf;

use super::session::{Session, folder};
use super::{DONE, Ended, FAILED, Failure, Global};
use crate::evidence::{Private, World, counts, document, read, seal};
use crate::script::told::Lang;
use crate::ui::evidence::{html, markdown, text};
use crate::ui::{GREEN, Output, Ui, width};

/// Write the proof for a jury: the nine criteria, each line from a fact read now, and a critical review
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fruitsinfra evidence demo                                     on the terminal
  fruitsinfra --output html evidence demo --lang fr > preuve.html   one page, in French
  fruitsinfra evidence --check preuve.html                      whether it is as it was written

Ends 1 if a fact contradicts a criterion, if AWS refused a question, or if a page was changed.")]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    #[arg(required_unless_present = "check")]
    stack: Option<String>,
    /// What it is written in
    #[arg(long, value_enum, default_value_t)]
    lang: Lang,
    /// Tell the account's number and the owner too, which are left out
    #[arg(long)]
    with_account: bool,
    /// Tell whether a document that was written before (JSON, HTML or Markdown) is unchanged
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stack", "with_account", "lang"])]
    check: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    if let Some(file) = &args.check {
        return check(global.ui(), file);
    }
    let name = args.stack.as_deref().unwrap_or_default();
    let session = Session::open(global, name, None).await?;
    let world = session.observe().await?;
    let asked = World {
        cx: &session.cx,
        stack: &session.stack,
        account: &world.around.account,
        live: &world.live,
        cluster: world.any_cluster(),
        prices: session.prices(),
        embedded: session.local,
    };
    let facts = session.unless_stopped(async { Ok(read(asked, args.lang).await?) }).await?;
    let hidden = Private { account: &world.around.account, owner: &session.stack.owner };
    let hidden = Some(hidden).filter(|_| !args.with_account);
    let document = document(&facts, folder(name).as_path().into(), args.lang, hidden)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let ui = session.ui;
    let page = match ui.output {
        Output::Json => {
            ui.data(&document);
            None
        }
        Output::Html => Some(html(&document)),
        Output::Markdown => Some(markdown(&document)),
        _ => Some(text(&document, width())),
    };
    if let Some(page) = page {
        ui.out(page.map_err(|error| Failure::failed(error.to_string()))?.trim_end());
    }
    // What may not be asked is told in its line; here is what to ask for.
    let refused: Vec<&String> = facts.buckets.iter().flat_map(|bucket| &bucket.proof.unasked).collect();
    for refusal in &refused {
        ui.warn(refusal);
    }
    let [_, _, against] = counts(&document);
    Ok(if against > 0 || !refused.is_empty() { FAILED } else { DONE })
}

/// Whether a document, or a page of it, is as it was written.
fn check(ui: Ui, file: &std::path::Path) -> Ended {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::usage(format!("{shown} cannot be read: {error}")).hint("name a file that `evidence` has written")
    })?;
    let written = String::from_utf8_lossy(&bytes);
    let document = seal::found(&written).ok_or_else(|| {
        Failure::usage(format!("{shown} is no evidence: there is no document in it"))
            .hint("`fruitsinfra --output html evidence STACK > FILE` writes one")
    })?;
    let ours = env!("CARGO_PKG_VERSION");
    let theirs = document["tool"].as_str().unwrap_or_default();
    if !seal::holds(&document) {
        return Err(Failure::failed(format!(
            "{shown} was changed: its facts and sentences do not have the hash that it names"
        )));
    }
    // A page says no more than its document; JSON is the document itself.
    let same = |page: Result<String, _>| page.is_ok_and(|page: String| page.trim_end() == written.trim_end());
    let page = serde_json::from_str::<serde_json::Value>(&written).is_err();
    if page && !same(html(&document)) && !same(markdown(&document)) {
        let why = format!("{shown} was changed: it is not the page that its document makes");
        let other =
            format!("it was written by fruitsinfra {theirs}, and this is {ours}: a page may be made otherwise since");
        let failure = Failure::failed(why);
        return Err(if theirs == ours { failure } else { failure.hint(other) });
    }
    let (stack, at) = (&document["stack"], &document["read_at"]);
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    ui.out(format!(
        "{GREEN}unchanged{GREEN:#}: {} of {}, SHA-256 {}",
        word(stack),
        word(at),
        word(&document["sha256"])
    ));
    Ok(DONE)
}
