//! `init`: a commented stack, ready to `plan`. It never overwrites a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{DONE, Ended, Failure, Global};
use crate::residency::EuRegion;
use crate::stack;
use crate::ui::Ui;

/// Write a commented stack, ready to plan
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The stack's name: lower-case letters, digits and hyphens
    #[arg(default_value = "fruits-demo")]
    name: String,
    /// Where it lives: a region of the EU
    #[arg(long, default_value = "eu-west-3")]
    region: String,
    /// Who answers for it: an address that others can write to
    #[arg(long, default_value = "data@fruits.example")]
    owner: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let region: EuRegion =
        args.region.parse().map_err(|e: crate::residency::Refused| Failure::usage(e.to_string()).hint(e.hint))?;
    let text = format!(
        "# yaml-language-server: $schema={SCHEMA}
# What `fruitsinfra up` makes and `fruitsinfra down` ends. Everything in it stays in {place}.
stack: {name}
region: {region}
owner: {owner}
# Bounds on a cluster's life: EMR ends it after this long without work.
limits: {{lifetime: 3h, idle: 45m}}

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
        name = args.name,
        owner = args.owner,
        place = region.place(),
    );
    let file = PathBuf::from(format!("{}.yaml", args.name));
    if let Err(broken) = stack::load_text(&file.display().to_string(), text.clone(), Path::new("")) {
        let first = broken.findings.first().map_or_else(|| broken.to_string(), |finding| finding.message.clone());
        return Err(Failure::usage(first));
    }
    let kept = File::create_new(&file).and_then(|mut created| created.write_all(text.as_bytes()));
    kept.map_err(|e| Failure::usage(format!("{} cannot be written: {e}", file.display())))?;
    let ui = global.ui();
    schema_beside(ui, &file);
    ui.out(format!("Wrote {}. Next:", file.display()));
    ui.out(format!("  fruitsinfra --local plan {0}    # on the embedded AWS, without credentials\n  fruitsinfra plan {0}            # on your account", file.display()));
    Ok(DONE)
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
