//! `render`: the texts that would run, the policies of those who run them, the request that starts the cluster, and the
//! stack as others read it, without a connection. It writes files and nothing else.

use std::path::{Path, PathBuf};

use super::session::{self, load};
use super::{DONE, Ended, Failure, Global};
use crate::blueprint::{self, bootstrap_key, roles};
use crate::cloud::surroundings::Surroundings;
use crate::elsewhere::{self, Unfit, Written};
use crate::import;
use crate::permissions::{self, Command};
use crate::resources::cluster::At;
use crate::stack::Stack;
use crate::text::counted;
use crate::ui::{Ui, YELLOW};

/// Write the scripts a stack would run, its policies, its cluster's request, and the stack as others read it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// What to render; everything if unsaid
    #[arg(value_enum)]
    target: Option<Target>,
    /// The account number to write where the stack says none
    #[arg(long)]
    account: Option<String>,
    /// A folder to write into; without it, stdout
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    Bootstrap,
    Job,
    Policy,
    /// RunJobFlow's request, as `up` would send it but for its marks
    EmrJson,
    /// The same as a command of the AWS CLI
    Cli,
    /// Each job as notebooks: for JupyterHub on the cluster, and for a kernel of one's own
    Notebook,
    /// A picture of the stack, as Mermaid and as SVG
    Diagram,
    /// The stack as a Databricks Asset Bundle, in a folder of its own
    Databricks,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let stack = load(ui, &args.stack)?;
    let account = args.account.as_deref().or(stack.account.as_deref());
    let around = Surroundings::offline(stack.region, account, None);
    let materials = session::offline(ui, &args.stack, &stack, &around.account).await?;
    let wanted = |target| args.target.is_none_or(|only| only == target);
    let mut files: Vec<(String, String)> = Vec::new();
    if wanted(Target::Bootstrap) {
        files.extend(
            materials.bootstrap.iter().map(|(name, text)| (format!("{}.sh", bootstrap_key(name)), text.clone())),
        );
    }
    if wanted(Target::Job) {
        files.extend(materials.jobs.iter().map(|(key, text)| (format!("job-{key}.py"), text.clone())));
    }
    if wanted(Target::Policy) {
        files.extend(policies(&stack, &around)?);
    }
    if wanted(Target::EmrJson) || wanted(Target::Cli) {
        let subnet = stack.cluster.as_ref().and_then(|cluster| cluster.subnet.as_deref());
        let there = Surroundings::offline(stack.region, account, subnet);
        match blueprint::cluster_of(&stack, &materials, &there) {
            Some(cluster) => {
                let at = At { stack: &stack.name, region: stack.region, account: &there.account };
                let request = cluster.spelt(at).await?;
                if wanted(Target::EmrJson) {
                    let text = serde_json::to_string_pretty(&request).map_err(|e| Failure::failed(e.to_string()))?;
                    files.push(("run-job-flow.json".into(), format!("{text}\n")));
                }
                if wanted(Target::Cli) {
                    files.push(("create-cluster.sh".into(), import::as_command(&request, stack.region)));
                }
            }
            None if args.target.is_some() => return Err(Failure::usage("this stack has no cluster to start")),
            None => {}
        }
    }
    if wanted(Target::Notebook) {
        files.extend(fitting(ui, args, elsewhere::notebook::notebooks(&stack, &materials, account))?);
    }
    if wanted(Target::Diagram) {
        files.extend(elsewhere::diagram::diagram(&stack, &materials, account).files);
    }
    if wanted(Target::Databricks) {
        files.extend(fitting(ui, args, elsewhere::databricks::bundle(&stack, &materials, account))?);
    }
    deliver(ui, args.out.as_deref(), &files)
}

/// The files of a form, and what is lost in it, told. What cannot be written is an error where it alone was asked for.
fn fitting(ui: Ui, args: &Args, written: Result<Written, Unfit>) -> Result<Vec<(String, String)>, Failure> {
    match written {
        Ok(Written { files, remarks }) => {
            let first = files.first().map(|(name, _)| name.clone()).unwrap_or_default();
            if args.target.is_some() {
                for remark in &remarks {
                    ui.say(format!("{YELLOW}warning[{}]{YELLOW:#}: {}: {}", remark.code, remark.what, remark.instead));
                }
            } else if !remarks.is_empty() {
                let count = counted(remarks.len(), "remark");
                ui.say(format!("{first}: {count} on what has no counterpart there; its README lists them"));
            }
            Ok(files)
        }
        Err(unfit) if args.target.is_some() => Err(Failure::usage(unfit.to_string())),
        Err(Unfit::Nothing(_)) => Ok(vec![]),
        Err(unfit) => {
            ui.warn(unfit);
            Ok(vec![])
        }
    }
}

/// Writes files by name into a folder, and tells their paths; without a folder, prints them.
pub(super) fn deliver(ui: Ui, out: Option<&Path>, files: &[(impl AsRef<str>, String)]) -> Ended {
    let Some(out) = out else {
        for (name, text) in files {
            let header = if files.len() > 1 { format!("# --- {}\n", name.as_ref()) } else { String::new() };
            ui.out(format!("{header}{}", text.trim_end()));
        }
        return Ok(DONE);
    };
    for (name, text) in files {
        let path = out.join(name.as_ref());
        let folder = path.parent().unwrap_or(out);
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
        written.map_err(|e| Failure::failed(format!("{} cannot be written: {e}", path.display())))?;
        ui.out(path.display().to_string());
    }
    Ok(DONE)
}

/// Trust and policy of each role, and what the caller of each command needs.
fn policies(stack: &Stack, around: &Surroundings) -> Result<Vec<(String, String)>, Failure> {
    let mut documents = Vec::new();
    // A stack without a cluster has no roles.
    for role in roles(stack, around).into_iter().filter(|_| stack.cluster.is_some()) {
        documents.push((format!("{}-trust", role.name), role.trust));
        documents.push((format!("{}-policy", role.name), role.policy));
    }
    for command in Command::ALL {
        for (n, document) in permissions::documents(stack, around, command).into_iter().enumerate() {
            let part = if n == 0 { String::new() } else { format!("-{}", n + 1) };
            documents.push((format!("caller-{}{part}", command.name()), document));
        }
    }
    let text = |(name, document): (String, serde_json::Value)| {
        let text = serde_json::to_string_pretty(&document).map_err(|e| Failure::failed(e.to_string()))?;
        Ok((format!("{name}.json"), format!("{text}\n")))
    };
    documents.into_iter().map(text).collect()
}
