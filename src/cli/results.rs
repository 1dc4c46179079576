//! `results`: what a job wrote: rows, failures, labels, sizes, variance; read back and held against the images.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::run::{bucket, find_job};
use super::session::{Session, World};
use super::{DONE, Ended, FAILED, Failure, Global};
use crate::blueprint;
use crate::cloud::objects::Listed;
use crate::job::results::{self, Report};
use crate::job::tables::{Features, Point, points};
use crate::price;
use crate::stack::FeatureJob;
use crate::sync;
use crate::ui::results::{Checks, Page, checked, html, text};
use crate::ui::{Output, cost::usd};

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

/// Larger tables are read only if it is asked for, in bytes.
const LARGE: u64 = 256 << 20;

/// Files read at once.
const AT_ONCE: usize = 4;

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
    let written = Written { session: &session, world: &world, features, bucket: &bucket };
    let checks = written.checks(&report, args.check).await?;
    let ui = session.ui;
    match ui.output {
        Output::Json => {
            let checks = checks.as_ref().map(|checks| json!({"images": checks.images, "problems": checks.problems}));
            let mut told = whole;
            told["checks"] = json!(checks);
            ui.data(&told);
        }
        Output::Html => {
            let points = written.points().await?;
            let fit = features.fit_of(&session.stack).unwrap_or(features).model_of();
            let model = super::run::bucket(&session.stack, &fit, &world)?;
            let variance = results::variance(&session.cx, &model, &fit.prefix).await?;
            let (checks, variance, points) = (checks.as_ref(), variance.as_ref(), points.as_slice());
            let page = Page { report: &report, whole: &whole, checks, variance, points, cost: cost(&session, &whole) };
            ui.out(html(&page).map_err(|error| Failure::failed(error.to_string()))?);
        }
        _ => ui.out(format!("{}\n\n{}", text(&report), checked(checks.as_ref(), report.feature_length))),
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

/// Where a job wrote.
struct Written<'a> {
    session: &'a Session,
    world: &'a World,
    features: &'a FeatureJob,
    bucket: &'a str,
}

impl Written<'_> {
    async fn files(&self, below: &str) -> Result<Vec<Listed>, Failure> {
        let prefix = format!("{}{below}", self.features.output.prefix);
        let mut listed = self.session.cx.cloud.list_objects(self.bucket, &prefix).await?.unwrap_or_default();
        listed.retain(|object| object.key.ends_with(".parquet"));
        Ok(listed)
    }

    /// What the tables are like; `None` where they are large and it was not asked for.
    async fn checks(&self, report: &Report, all: bool) -> Result<Option<Checks>, Failure> {
        let files = self.files("features/").await?;
        if !all && files.iter().map(|file| file.size).sum::<u64>() > LARGE {
            return Ok(None);
        }
        let mut features = Features::default();
        let mut read = futures::stream::iter(files).map(|file| self.read(file.key)).buffered(AT_ONCE);
        while let Some((key, file)) = read.try_next().await? {
            features.read(file).map_err(|error| self.wrong(&key, &error))?;
        }
        let images = self.images().await?;
        let mut problems = features.problems(&images, report.feature_length);
        if features.rows() != report.rows {
            problems.push(format!("{} rows are there, and the report tells of {}", features.rows(), report.rows));
        }
        if features.labels != report.labels {
            problems.push("the labels of the rows are not those of the report".into());
        }
        Ok(Some(Checks { images: images.len(), problems }))
    }

    async fn points(&self) -> Result<Vec<Point>, Failure> {
        let mut found = Vec::new();
        for file in self.files("pca/parquet/").await? {
            let (key, file) = self.read(file.key).await?;
            found.extend(points(file).map_err(|error| self.wrong(&key, &error))?);
        }
        Ok(found)
    }

    async fn read(&self, key: String) -> Result<(String, Vec<u8>), Failure> {
        let object = self.session.cx.cloud.get_object(self.bucket, &key).await?;
        let (body, _) = object.ok_or_else(|| Failure::failed(format!("s3://{}/{key} went away", self.bucket)))?;
        Ok((key, body))
    }

    fn wrong(&self, key: &str, error: &impl std::fmt::Display) -> Failure {
        Failure::failed(format!("s3://{}/{key} cannot be read as the job writes it: {error}", self.bucket))
            .hint("run the job again: it overwrites what it wrote")
    }

    /// The images by the path that the job gives them: those of the manifest of what was sent there, else those that
    /// lie there.
    async fn images(&self) -> Result<BTreeSet<String>, Failure> {
        let (stack, input, cx) = (&self.session.stack, &self.features.input, &self.session.cx);
        let bucket = super::run::bucket(stack, input, self.world)?;
        let home = blueprint::home_name(stack, &self.world.around.account);
        let mut keys = BTreeSet::new();
        for upload in stack.uploads.iter().filter(|upload| input.holds(&upload.to) || upload.to.holds(input)) {
            keys.extend(sync::sent(cx, &home, &format!("s3://{bucket}/{}", upload.to.prefix)).await?);
        }
        if keys.is_empty() {
            let listed = cx.cloud.list_objects(&bucket, &input.prefix).await?.unwrap_or_default();
            keys.extend(listed.into_iter().map(|object| object.key));
        }
        let image = |key: &&String| key.starts_with(&input.prefix) && FeatureJob::is_image(key);
        Ok(keys.iter().filter(image).map(|key| format!("s3://{bucket}/{key}")).collect())
    }
}
