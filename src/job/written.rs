//! What a job wrote, read back out of S3: its files, its rows held against the images that it was to read, its first two
//! components. It computes nothing that the job computes, and reads nothing large unless that is asked for.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};

use super::results::{self, Report};
use super::tables::{Features, Point, points};
use crate::blueprint::bucket_of;
use crate::cloud::error::CloudError;
use crate::cloud::objects::Listed;
use crate::resource::Cx;
use crate::stack::{FeatureJob, Stack};

/// Larger tables are read only if it is asked for, in bytes.
const LARGE: u64 = 256 << 20;

/// Files read at once.
const AT_ONCE: usize = 4;

/// Where a job writes, and what it was to read.
pub struct Written<'a> {
    cx: &'a Cx,
    stack: &'a Stack,
    account: &'a str,
    features: &'a FeatureJob,
    bucket: String,
}

/// What was found in the tables themselves.
#[derive(Debug)]
pub struct Checks {
    /// Images that were there.
    pub images: usize,
    pub problems: Vec<String>,
}

impl<'a> Written<'a> {
    pub fn of(cx: &'a Cx, stack: &'a Stack, account: &'a str, features: &'a FeatureJob) -> Result<Self, CloudError> {
        Ok(Self { bucket: bucket_of(stack, &features.output, account)?, cx, stack, account, features })
    }

    /// The bucket that it writes into.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The report, read and whole; `None` if the job has not written one.
    pub async fn report(&self) -> Result<Option<(Report, serde_json::Value)>, CloudError> {
        results::report(self.cx, &self.bucket, &self.features.output.prefix).await
    }

    /// The shares of the variance of the fit that its components are of.
    pub async fn variance(&self) -> Result<Option<results::Variance>, CloudError> {
        let fit = self.features.fit_of(self.stack).unwrap_or(self.features).model_of();
        results::variance(self.cx, &bucket_of(self.stack, &fit, self.account)?, &fit.prefix).await
    }

    /// All objects below its outputs.
    pub async fn objects(&self) -> Result<Vec<Listed>, CloudError> {
        let mut found = Vec::new();
        for place in self.features.outputs() {
            let bucket = bucket_of(self.stack, &place, self.account)?;
            found.extend(self.cx.cloud.list_objects(&bucket, &place.prefix).await?.unwrap_or_default());
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found.dedup_by(|a, b| a.key == b.key);
        Ok(found)
    }

    async fn tables(&self, below: &str) -> Result<Vec<Listed>, CloudError> {
        let prefix = format!("{}{below}", self.features.output.prefix);
        let mut listed = self.cx.cloud.list_objects(&self.bucket, &prefix).await?.unwrap_or_default();
        listed.retain(|object| object.key.ends_with(".parquet"));
        Ok(listed)
    }

    /// What the tables are like, held against these images; `None` where they are large and it was not asked for.
    pub async fn checks(
        &self,
        report: &Report,
        images: &BTreeSet<String>,
        all: bool,
    ) -> Result<Option<Checks>, CloudError> {
        let files = self.tables("features/").await?;
        if !all && files.iter().map(|file| file.size).sum::<u64>() > LARGE {
            return Ok(None);
        }
        let mut features = Features::default();
        let mut read = futures::stream::iter(files).map(|file| self.read(file.key)).buffered(AT_ONCE);
        while let Some((key, file)) = read.try_next().await? {
            features.read(file).map_err(|error| self.wrong(&key, &error))?;
        }
        let mut problems = features.problems(images, report.feature_length);
        if features.rows() != report.rows {
            problems.push(format!("{} rows are there, and the report tells of {}", features.rows(), report.rows));
        }
        if features.labels != report.labels {
            problems.push("the labels of the rows are not those of the report".into());
        }
        Ok(Some(Checks { images: images.len(), problems }))
    }

    /// The images by their first two components.
    pub async fn points(&self) -> Result<Vec<Point>, CloudError> {
        let mut found = Vec::new();
        for file in self.tables("pca/parquet/").await? {
            let (key, file) = self.read(file.key).await?;
            found.extend(points(file).map_err(|error| self.wrong(&key, &error))?);
        }
        Ok(found)
    }

    async fn read(&self, key: String) -> Result<(String, Vec<u8>), CloudError> {
        let object = self.cx.cloud.get_object(&self.bucket, &key).await?;
        let (body, _) = object.ok_or_else(|| CloudError::failed(format!("s3://{}/{key} went away", self.bucket)))?;
        Ok((key, body))
    }

    fn wrong(&self, key: &str, error: &impl std::fmt::Display) -> CloudError {
        CloudError::failed(format!(
            "s3://{}/{key} cannot be read as the job writes it: {error}; run the job again: it overwrites what it wrote",
            self.bucket
        ))
    }
}
