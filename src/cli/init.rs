//! `init`: a commented stack, ready to `plan`, of three answers: name, region, budget. It never overwrites a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{DONE, Ended, Failure, Global};
use crate::policy;
use crate::price;
use crate::residency::EuRegion;
use crate::stack::{self, Finding, Loaded, Money};
use crate::ui::Ui;

/// Write a commented stack, ready to plan
#[derive(Debug, clap::Args)]
#[command(after_help = "What no argument says is asked for on a terminal, and else as the answers in brackets there.")]
pub(super) struct Args {
    /// The stack's name: lower-case letters, digits and hyphens
    name: Option<String>,
    /// Where it lives: a region of the EU
    #[arg(long)]
    region: Option<String>,
    /// The most that one demo may cost, as in "5 USD": what costs more is refused
    #[arg(long)]
    budget: Option<String>,
    /// Who answers for it: an address that others can write to
    #[arg(long, default_value = OWNER)]
    owner: String,
}

const NAME: &str = "fruits-demo";
const REGION: &str = "eu-west-3";
const BUDGET: &str = "5 USD";
const OWNER: &str = "data@fruits.example";

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let name = said(ui, args.name.as_deref(), "Its name", NAME, |name| {
        read(name, &text(name, EuRegion::EuWest3, Money::from_micros(5_000_000), OWNER)).map(|_| name.to_owned())
    })?;
    let region = said(ui, args.region.as_deref(), &format!("Where it lives, of {}", regions()), REGION, |region| {
        region.parse::<EuRegion>().map_err(|refused| Failure::usage(refused.to_string()).hint(refused.hint))
    })?;
    let budget = said(ui, args.budget.as_deref(), "The most that a demo may cost", BUDGET, |budget| {
        budget.parse::<Money>().map_err(|wrong| Failure::usage(wrong.replace('\n', ": ")))
    })?;
    let text = text(&name, region, budget, &args.owner);
    let loaded = read(&name, &text)?;
    let file = PathBuf::from(format!("{name}.yaml"));
    let kept = File::create_new(&file).and_then(|mut created| created.write_all(text.as_bytes()));
    kept.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!("{} is there already", file.display()))
            .hint("take another name, or move it away: nothing is written over"),
        _ => Failure::failed(format!("{} cannot be written: {error}", file.display())),
    })?;
    schema_beside(ui, &file);
    let shown = file.display();
    ui.tell(format!("Wrote {shown}. {}", priced(ui, &loaded, budget)));
    ui.out(format!(
        "Next:
  fruitsinfra --local plan {shown}    # on the embedded AWS, without credentials
  fruitsinfra doctor {shown}          # what stands in the way on your account
  fruitsinfra plan {shown}            # what would be made there"
    ));
    Ok(DONE)
}

/// What an argument says; else what a person answers, asked again until it will do; else what is usual.
fn said<T>(
    ui: Ui,
    argument: Option<&str>,
    question: &str,
    usual: &str,
    read: impl Fn(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(text) = argument {
        return read(text);
    }
    loop {
        let Some(answer) = ui.answer(question, usual) else { return read(usual) };
        match read(&answer) {
            Err(Failure { message, hint: Some(hint), .. }) => ui.warn(format!("{message}: {hint}")),
            Err(Failure { message, .. }) => ui.warn(message),
            read => return read,
        }
    }
}

fn regions() -> String {
    EuRegion::ALL.map(EuRegion::as_str).join(", ")
}

fn text(name: &str, region: EuRegion, budget: Money, owner: &str) -> String {
    format!(
        "# yaml-language-server: $schema={SCHEMA}
# What `fruitsinfra up` makes and `fruitsinfra down` ends. Everything in it stays in {place}.
stack: {name}
region: {region}
owner: {owner} # who answers for it: make it an address of yours
# Bounds: what would cost more is refused, a cluster ends after its lifetime, and EMR ends it after so long without work.
limits: {{demo: {budget}, lifetime: 3h, idle: 45m}}

buckets:
  data: {{expire: {{features/: 30d}}}} # images in, features and components out
  logs: {{expire: 14d}}

uploads:
  # A folder of this machine, in the layout <label>/<image>.jpg
  - {{from: images, to: data/images/}}

bootstrap:
  # What every node installs before Spark starts
  - name: python
    template: bootstrap/python_packages.sh.j2
    packages: {{tensorflow-cpu: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}

cluster:
  release: emr-7.12.0
  applications: [Spark]
  primary: {{type: m5.xlarge}}
  core: {{type: m5.xlarge, count: 2}}
  configurations:
    - classification: spark-env
      configurations:
        - {{classification: export, properties: {{PYSPARK_PYTHON: /usr/bin/python3.11}}}}

jobs:
  features:
    template: jobs/fruit_features.py.j2
    input: data/images/
    output: data/
    model: {{name: MobileNetV2, weights: imagenet}}
    pca: {{variance: 0.90}}
",
        place = region.place(),
    )
}

/// The stack that it is, or the first that is wrong with it.
fn read(name: &str, text: &str) -> Result<Loaded, Failure> {
    stack::load_text(&format!("{name}.yaml"), text.to_owned(), Path::new("")).map_err(|broken| {
        match broken.findings.into_iter().next() {
            Some(Finding { message, hint: Some(hint), .. }) => Failure::usage(message).hint(hint),
            Some(Finding { message, .. }) => Failure::usage(message),
            None => Failure::usage("it is no stack"),
        }
    })
}

/// What a demo of it would cost, beside what it may.
fn priced(ui: Ui, loaded: &Loaded, budget: Money) -> String {
    let limits = &loaded.stack.limits;
    let cost = price::estimate(&loaded.stack, &super::prices::table(ui), limits.lifetime.into());
    if let Some((_, message)) = policy::exceeded(limits, &cost).next() {
        return format!("As it stands, {message}.");
    }
    match cost.lives.until_end {
        Some(life) => format!("A demo of {} costs about {life:.2} USD of its {budget}.", limits.lifetime),
        None => format!("What it costs in {} is not known: `fruitsinfra prices update` asks.", loaded.stack.region),
    }
}

/// The JSON Schema beside the stack, which editors find by the stack's first line. One that is there stays.
const SCHEMA: &str = "fruitsinfra.schema.json";

fn schema_beside(ui: Ui, stack: &Path) {
    let path = stack.with_file_name(SCHEMA);
    let written = serde_json::to_string_pretty(&stack::schema()).map_err(io::Error::from).and_then(|text| {
        let mut created = File::create_new(&path)?;
        created.write_all(format!("{text}\n").as_bytes())
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // The stack is whole without it.
        Err(error) => ui.warn(format!("{} cannot be written: {error}", path.display())),
        Ok(()) => ui.out(format!("Wrote {}, which editors complete and check stacks by.", path.display())),
    }
}
