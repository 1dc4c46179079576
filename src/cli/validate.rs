//! `validate`: everything that is wrong with stacks, without a connection.

use super::session::{find, folder};
use super::{DONE, Global, USAGE};
use crate::script;
use crate::stack::{self, Severity};
use crate::ui::{GREEN, snippet, width};

/// Check stacks: form, residency, releases and types, access, storage, packages
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Stacks' files, or bare names of those in stacks/
    #[arg(required = true)]
    stacks: Vec<String>,
    /// From which severity on the exit code is 2
    #[arg(long, value_enum, default_value = "error")]
    fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Warning,
    Error,
}

pub(super) fn run(global: &Global, args: &Args) -> u8 {
    let ui = global.ui();
    let mut all = Vec::new();
    for name in &args.stacks {
        let path = find(name);
        let (sources, findings) = match stack::load(&path) {
            Ok(loaded) => {
                let mut broken = script::check(&loaded, &folder(name));
                broken.findings.splice(0..0, loaded.findings);
                broken.sources.push(loaded.source);
                (broken.sources, broken.findings)
            }
            Err(broken) => (broken.sources, broken.findings),
        };
        if !ui.json() {
            let style = snippet::Style { width: width(), ..snippet::Style::default() };
            match findings.as_slice() {
                [] => ui.out(format!("{GREEN}ok{GREEN:#}  {}", path.display())),
                found => ui.out(format!(
                    "{}\n{}: {}",
                    snippet::render(found, &sources, style),
                    path.display(),
                    snippet::summary(found)
                )),
            }
        }
        all.extend(findings);
    }
    let least = if args.fail_on == FailOn::Warning { Severity::Warning } else { Severity::Error };
    let ok = !all.iter().any(|finding| finding.severity >= least);
    if ui.json() {
        ui.data(&serde_json::json!({"ok": ok, "findings": all}));
    }
    if ok { DONE } else { USAGE }
}
