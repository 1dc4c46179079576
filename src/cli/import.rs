//! `import`: what others wrote of a cluster, or a cluster that is there, as a commented stack. It writes the stack and
//! copies of its scripts, never over anything unless told to, and changes nothing in AWS.

use std::cell::RefCell;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::session::connect;
use super::{DONE, Ended, Failure, Global, REFUSED, USAGE};
use crate::cloud::error::Class;
use crate::import::{self, Beside, Format, Imported, Refused, Wanted, Wishes};
use crate::residency::EuRegion;
use crate::stack::{self, Broken, Disk, Finding, Severity, Source};
use crate::ui::{BOLD, GREEN, Ui, YELLOW, snippet, width};

/// Write a stack from RunJobFlow JSON, a create-cluster command, Terraform, mrjob, or a live cluster
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file, or - for what comes by stdin
    #[arg(required_unless_present = "cluster", conflicts_with = "cluster")]
    file: Option<String>,
    /// A cluster that is there, by its id
    #[arg(long, value_name = "ID")]
    cluster: Option<String>,
    /// Where to write the stack; without it, stdout
    #[arg(long, value_name = "STACK")]
    out: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    /// What the file is written in, where that cannot be told
    #[arg(long, value_enum)]
    from: Option<From>,
    /// A bootstrap script, by its action's name or its file's, as in setup.sh=../setup.sh
    #[arg(long = "script", value_name = "NAME=PATH")]
    scripts: Vec<String>,
    /// The stack's name; the cluster's unless said
    #[arg(long)]
    stack: Option<String>,
    /// Who answers for it: an address that others can write to
    #[arg(long)]
    owner: Option<String>,
    /// Where it is to live: a region of the EU, whatever the source says
    #[arg(long)]
    region: Option<String>,
    /// The number of the account
    #[arg(long)]
    account: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum From {
    Json,
    Cli,
    Terraform,
    Mrjob,
}

impl From {
    const fn format(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Cli => Format::Cli,
            Self::Terraform => Format::Terraform,
            Self::Mrjob => Format::Mrjob,
        }
    }
}

/// No source is longer; `import` says so of one that is.
const LONGEST: u64 = (1 << 20) + 1;

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let region = args.region.as_deref().map(str::parse::<EuRegion>).transpose();
    let region = region.map_err(|refused| Failure::refused(refused.to_string()).hint(refused.hint))?;
    if let Some(out) = args.out.as_deref().filter(|out| !args.force && out.exists()) {
        return Err(Failure::usage(format!("{} is there already", out.display())).hint("--force writes over it"));
    }
    let (file, text, folder) = match (&args.cluster, args.file.as_deref()) {
        (Some(id), _) => (id.clone(), live(global, id, region).await?, None),
        (None, Some("-")) => ("stdin".to_owned(), stdin()?, None),
        (None, file) => {
            let path = Path::new(file.unwrap_or_default());
            (path.display().to_string(), read(path)?, Some(path.parent().unwrap_or(Path::new("")).to_owned()))
        }
    };
    let given = args.scripts.iter().map(|said| pair(said)).collect::<Result<Vec<_>, _>>()?;
    let scripts = Scripts { given, folder, copied: args.out.is_some(), used: RefCell::default() };
    let wishes = Wishes { stack: args.stack.clone(), owner: args.owner.clone(), region, account: args.account.clone() };
    let beside = Beside { script: &|wanted| scripts.find(wanted), file: &|path| scripts.text(path) };
    let imported = match import::import(&file, &text, args.from.map(From::format), &wishes, &beside) {
        Ok(imported) => imported,
        Err(Refused::Broken(broken)) => return Ok(refused(ui, &broken, USAGE)),
        Err(Refused::Policy(broken)) => return Ok(refused(ui, &broken, REFUSED)),
    };
    // A secret in a script is found before anything is written.
    let mut texts = Vec::new();
    for (path, name) in scripts.used.borrow().iter() {
        match stack::load_script(&Disk::default(), path) {
            Ok(text) => texts.push((path.clone(), name.clone(), text)),
            Err(broken) => return Ok(refused(ui, &broken, USAGE)),
        }
    }
    if let Some(out) = &args.out {
        write(out, &imported.text, &texts, args.force)?;
    }
    Ok(tell(ui, args, &imported, &scripts, &texts))
}

/// `NAME=PATH`.
fn pair(said: &str) -> Result<(String, PathBuf), Failure> {
    let (name, path) = said.split_once('=').ok_or_else(|| {
        Failure::usage(format!("--script {said} names no file")).hint("write it as in --script setup.sh=../setup.sh")
    })?;
    let path = PathBuf::from(path);
    if !path.is_file() {
        return Err(Failure::usage(format!("--script {name}: there is no file {}", path.display())));
    }
    Ok((name.to_owned(), path))
}

/// The scripts at hand, and those that the stack came to name.
struct Scripts {
    given: Vec<(String, PathBuf)>,
    /// The source's own.
    folder: Option<PathBuf>,
    /// Whether they come to lie beside the stack.
    copied: bool,
    used: RefCell<Vec<(PathBuf, String)>>,
}

impl Scripts {
    /// The path by which the stack names the script of an action.
    fn find(&self, wanted: &Wanted<'_>) -> Option<String> {
        let given = self.given.iter().find(|(name, _)| name == wanted.name || name == wanted.base);
        let plain = Path::new(wanted.base).file_name().is_some_and(|name| name == wanted.base);
        let beside = || {
            self.folder.as_ref().filter(|_| plain).map(|folder| folder.join(wanted.base)).filter(|path| path.is_file())
        };
        let path = given.map(|(_, path)| path.clone()).or_else(beside)?;
        let name = path.file_name()?.to_str()?.to_owned();
        let mut used = self.used.borrow_mut();
        // Two scripts of one name lie side by side.
        let taken = |name: &str| used.iter().any(|(other, taken)| taken == name && *other != path);
        let name =
            if taken(&name) { (2..10_000).map(|n| format!("{n}-{name}")).find(|name| !taken(name))? } else { name };
        if !used.iter().any(|(other, _)| *other == path) {
            used.push((path.clone(), name.clone()));
        }
        if self.copied { Some(name) } else { path.to_str().map(str::to_owned) }
    }

    /// The text of a file that a command names.
    fn text(&self, path: &str) -> Option<String> {
        let beside = self.folder.as_ref().map(|folder| folder.join(path)).filter(|path| path.is_file());
        read(&beside.unwrap_or_else(|| path.into())).ok()
    }

    /// Those that were given and are no action's.
    fn unused(&self) -> impl Iterator<Item = &str> {
        let used = self.used.borrow().iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
        self.given.iter().filter(move |(_, path)| !used.contains(path)).map(|(name, _)| name.as_str())
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let fails = |why: String| Failure::usage(format!("{} cannot be read: {why}", path.display()));
    let kind = std::fs::metadata(path).map_err(|error| fails(error.to_string()))?;
    if !kind.is_file() {
        return Err(fails("it is no file".to_owned()));
    }
    text_of(std::fs::File::open(path).map_err(|error| fails(error.to_string()))?).map_err(fails)
}

fn stdin() -> Result<String, Failure> {
    text_of(std::io::stdin()).map_err(|why| Failure::usage(format!("stdin cannot be read: {why}")))
}

fn text_of(from: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(LONGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    // A text that is cut off may end within a character; it is too long anyway.
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.trim_start_matches('\u{feff}').to_owned()),
        Err(error) if error.as_bytes().len() as u64 >= LONGEST => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(error) => {
            Err(format!("it is not UTF-8 text: byte {} belongs to no character", error.utf8_error().valid_up_to()))
        }
    }
}

/// A cluster that is there, as `describe-cluster` would print it.
async fn live(global: &Global, id: &str, region: Option<EuRegion>) -> Result<String, Failure> {
    let named = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok());
    let region = match region {
        Some(region) => region,
        None => {
            let named = named().filter(|name| !name.is_empty()).ok_or_else(|| {
                Failure::usage("in which region does the cluster live?").hint("say it with --region eu-west-3")
            })?;
            named.parse::<EuRegion>().map_err(|refused| Failure::refused(refused.to_string()).hint(refused.hint))?
        }
    };
    let (cloud, _) = connect(global, region).await?;
    let described = cloud.described(id).await.map_err(|error| match error.class {
        // EMR says the same of an id that it never gave and of one that it gave elsewhere.
        Class::Absent | Class::Invalid => {
            let hint = format!("EMR was asked in {region} ({}): `--region` names another one", region.place());
            Failure::from(error).hint(hint)
        }
        _ => error.into(),
    })?;
    serde_json::to_string_pretty(&described).map_err(|error| Failure::failed(error.to_string()))
}

/// Writes the scripts and then the stack, so that one that is there has its scripts.
fn write(out: &Path, text: &str, scripts: &[(PathBuf, String, String)], force: bool) -> Result<(), Failure> {
    let folder = out.parent().unwrap_or(Path::new(""));
    let fails =
        |path: &Path, error: std::io::Error| Failure::failed(format!("{} cannot be written: {error}", path.display()));
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(folder).map_err(|error| fails(folder, error))?;
    }
    let others: Vec<(PathBuf, &str)> = scripts
        .iter()
        .map(|(from, name, text)| (from, folder.join(name), text.as_str()))
        .filter(|(from, to, _)| to.canonicalize().ok().is_none_or(|to| from.canonicalize().ok() != Some(to)))
        .map(|(_, to, text)| (to, text))
        .collect();
    let differs = |(to, text): &&(PathBuf, &str)| std::fs::read_to_string(to).is_ok_and(|there| there != *text);
    if let Some((to, _)) = others.iter().find(differs).filter(|_| !force) {
        let message = format!("{} is there already, and is another script", to.display());
        return Err(Failure::usage(message).hint("--force writes over it; --out in a folder of its own spares it"));
    }
    for (to, text) in others.iter().map(|(to, text)| (to.as_path(), *text)).chain([(out, text)]) {
        std::fs::write(to, text).map_err(|error| fails(to, error))?;
    }
    Ok(())
}

/// What hinders, in the form that is asked for.
fn refused(ui: Ui, broken: &Broken, exit: u8) -> u8 {
    if ui.json() {
        ui.data(&json!({"ok": false, "out": null, "findings": broken.findings}));
    } else {
        ui.say(shown(&broken.findings, &broken.sources));
    }
    exit
}

fn shown(findings: &[Finding], sources: &[Source]) -> String {
    snippet::render(findings, sources, snippet::Style { width: width(), ..snippet::Style::default() })
}

/// The stack where no file was named, and everything that is to be known of it.
fn tell(ui: Ui, args: &Args, imported: &Imported, scripts: &Scripts, texts: &[(PathBuf, String, String)]) -> u8 {
    let out = args.out.as_deref();
    let name = out.map_or_else(|| format!("{}.yaml", imported.name), |out| out.display().to_string());
    let folder = out.and_then(Path::parent).unwrap_or(Path::new(""));
    let (findings, sources) = match stack::load_text(&name, imported.text.clone(), folder) {
        Ok(_) => (vec![], vec![]),
        Err(broken) => (broken.findings, broken.sources),
    };
    let wrong: Vec<Finding> = findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    let ok = wrong.is_empty();
    let all: Vec<Finding> = imported.findings.iter().cloned().chain(wrong).collect();
    if ui.json() {
        let text = if out.is_none() { json!(imported.text) } else { Value::Null };
        let copied: Vec<String> = if out.is_some() {
            texts.iter().map(|(_, name, _)| folder.join(name).display().to_string()).collect()
        } else {
            vec![]
        };
        ui.data(&json!({"ok": ok, "stack": imported.name, "format": imported.format.to_string(), "out": out, "text": text, "scripts": copied, "findings": all}));
        return if ok { DONE } else { USAGE };
    }
    if out.is_none() {
        ui.out(imported.text.trim_end());
    }
    if !all.is_empty() {
        let sources: Vec<Source> = sources.into_iter().chain([imported.source.clone()]).collect();
        ui.say(shown(&all, &sources));
    }
    for name in scripts.unused() {
        ui.warn(format!("--script {name} is the script of no bootstrap action"));
    }
    let count = |code: &str| all.iter().filter(|finding| finding.code == code).count();
    let parts = [
        ("FI331", "cannot be said"),
        ("FI332", "to fill in"),
        ("FI335", "to give a script"),
        ("FI334", "said otherwise"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(code, what)| (count(code), what))
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let told = if parts.is_empty() { "nothing is lost".to_owned() } else { parts.join(", ") };
    match out {
        Some(out) if ok => {
            for (_, script, _) in texts {
                ui.say(format!("{GREEN}+{GREEN:#} {}", folder.join(script).display()));
            }
            ui.say(format!(
                "{GREEN}+{GREEN:#} {BOLD}{}{BOLD:#}: {told}. Next: fruitsinfra validate {0}, then plan --offline {0}",
                out.display()
            ));
        }
        Some(out) => ui.say(format!(
            "{YELLOW}!{YELLOW:#} {BOLD}{}{BOLD:#} is written and does not hold yet: {told}",
            out.display()
        )),
        None => ui.say(format!("{}: {told}", imported.format)),
    }
    if ok { DONE } else { USAGE }
}
