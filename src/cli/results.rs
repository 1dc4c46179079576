//! `results`: what a job wrote: rows, failures, labels, sizes, variance; read back and held against the images.

use serde_json::json;

use super::run::find_job;
use super::session::Session;
use super::{DONE, Ended, FAILED, Failure, Global};
use crate::job::results;
use crate::job::written::Written;
use crate::ui::results::{Page, checked, html, text};
use crate::ui::{Output, cost::usd};
use crate::{price, sync};

/// Show what a job wrote, and hold it against the images
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// The job's key in the stack
    job: String,
    /// Read the tables however large they are
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let session = Session::open(global, &args.stack, None).await?;
    let (ui, cx, stack) = (session.ui, &session.cx, &session.stack);
    let job = find_job(stack, &args.job)?;
    let Some(features) = job.features() else {
        return Err(Failure::failed(format!(
            "job `{}` is a script of your own: where it writes is not known here",
            args.job
        )));
    };
    let world = session.observe().await?;
    let account = &world.around.account;
    let written = Written::of(cx, stack, account, features)?;
    let Some((report, whole)) = written.report().await? else {
        let place = format!("s3://{}/{}{}", written.bucket(), features.output.prefix, results::REPORT);
        return Err(Failure::failed(format!("job `{}` has written nothing yet: there is no {place}", args.job))
            .hint(format!("`{} {}` runs it", session.command("run"), args.job)));
    };
    let images = sync::images(cx, stack, account, &features.input).await?;
    let checks = written.checks(&report, &images, args.check).await?;
    match ui.output {
        Output::Json => {
            let checks = checks.as_ref().map(|checks| json!({"images": checks.images, "problems": checks.problems}));
            let mut told = whole;
            told["checks"] = json!(checks);
            ui.data(&told);
        }
        Output::Html => {
            let (points, variance) = futures::try_join!(written.points(), written.variance())?;
            let (checks, variance, points) = (checks.as_ref(), variance.as_ref(), points.as_slice());
            let page = Page { report: &report, whole: &whole, checks, variance, points, cost: cost(&session, &whole) };
            ui.out(html(&page).map_err(|error| Failure::failed(error.to_string()))?);
        }
        _ => ui.tell(format!("{}\n\n{}", text(&report), checked(checks.as_ref(), report.feature_length))),
    }
    Ok(if checks.is_some_and(|checks| !checks.problems.is_empty()) { FAILED } else { DONE })
}

/// What the cluster costs for as long as the job took.
fn cost(session: &Session, whole: &serde_json::Value) -> Option<String> {
    let moment = |name: &str| whole[name].as_str()?.parse::<jiff::Timestamp>().ok();
    let took = std::time::Duration::try_from(moment("ended")? - moment("started")?).ok()?;
    let cost = price::estimate(&session.stack, session.prices(), took);
    let told = usd(Some(cost.lives.until_end?), None, None);
    Some(format!(
        "{told} for the cluster during these {}, by prices of {}.",
        crate::text::lasting(took),
        cost.prices_as_of
    ))
}
