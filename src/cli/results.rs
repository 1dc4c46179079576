//! `results`: what a job wrote: rows, failures, labels, sizes, variance.

use std::fmt::Write;

use super::run::{bucket, find_job};
use super::session::Session;
use super::{DONE, Ended, Failure, Global};
use crate::job::results::{self, Report};
use crate::text::grouped;
use crate::ui::table::table;
use crate::ui::{BOLD, DIM, RED, YELLOW};

/// Show what a job wrote
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// The job's key in the stack
    job: String,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    let job = find_job(&session.stack, &args.job)?;
    let Some(features) = job.features() else {
        return Err(Failure::failed(format!(
            "job `{}` is a script of your own: where it writes is not known here",
            args.job
        )));
    };
    let world = session.observe().await?;
    let bucket = bucket(&session.stack, &features.output, &world)?;
    let Some((report, whole)) = results::report(&session.cx, &bucket, &features.output.prefix).await? else {
        let place = format!("s3://{bucket}/{}{}", features.output.prefix, results::REPORT);
        return Err(Failure::failed(format!("job `{}` has written nothing yet: there is no {place}", args.job))
            .hint(format!("`fruitsinfra run {} {}` runs it", args.stack, args.job)));
    };
    if session.ui.json() {
        session.ui.data(&whole);
    } else {
        session.ui.out(show(&report));
    }
    Ok(DONE)
}

/// A report as a person reads it.
pub(super) fn show(report: &Report) -> String {
    let Report { job, rows, failed_rows, labels, feature_length, components, variance, weights, paths } = report;
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}Results of job `{job}`{BOLD:#}\n");
    let failed = failed_rows.len();
    let failed = if failed == 0 { "0".to_owned() } else { format!("{RED}{failed}{RED:#}") };
    let weights = match weights.as_str() {
        "untrained" => format!("{YELLOW}untrained{YELLOW:#}: seeded, for tests; these features mean nothing"),
        "registry" => "registry: a trained MobileNetV2 out of a registry package".into(),
        "imagenet" => "imagenet: as Keras publishes them".into(),
        other => format!("{other}: a file of your own"),
    };
    let facts = [
        ("rows", grouped(*rows)),
        ("failed rows", failed),
        ("labels", labels.len().to_string()),
        ("feature length", feature_length.to_string()),
        ("components", components.to_string()),
        ("variance", format!("{:.1} % explained by them", variance * 100.0)),
        ("weights", weights),
    ];
    let _ = writeln!(out, "{}\n", table(&[], facts.map(|(name, value)| vec![name.to_owned(), value])));
    let _ = writeln!(
        out,
        "{}",
        table(&["label", "images"], labels.iter().map(|(label, n)| vec![label.clone(), grouped(*n)]))
    );
    if !failed_rows.is_empty() {
        let _ = writeln!(
            out,
            "\n{}",
            table(&["failed", "error"], failed_rows.iter().map(|row| vec![row.path.clone(), row.error.clone()]))
        );
    }
    let _ = writeln!(
        out,
        "\n{DIM}{}{DIM:#}",
        table(&[], paths.iter().map(|(name, path)| vec![name.clone(), path.clone()]))
    );
    out.trim_end().to_owned()
}
