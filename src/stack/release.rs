//! EMR releases by their label, and the few facts about each that decide how a node is set up. Facts
//! are AWS's, from its release notes; what is not known here is `None`, never a guess.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;

use super::forms::from_text;

/// A release label such as `emr-7.12.0`, or `emr-spark-8.0.0` of the newer line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String", description = "An EMR release, as in emr-7.12.0.")]
pub struct Release {
    /// Of the `emr-spark-` line, which has Spark alone.
    pub spark_line: bool,
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Release {
    const fn version(&self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch)
    }

    /// Whether it is this release or a later one of the classic line (the Spark line is newer).
    #[must_use]
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        self.version() >= (major, minor, 0)
    }

    /// The Python that Spark runs unless `PYSPARK_PYTHON` says another.
    #[must_use]
    pub fn default_python(&self) -> Option<&'static str> {
        match (self.spark_line, self.major) {
            (true, _) => Some("3.11"),
            (false, 7) => Some("3.9"),
            (false, 6) => Some("3.7"),
            _ => None,
        }
    }

    /// The newest Python that a node has: 3.11 from 7.8 on.
    #[must_use]
    pub fn newest_python(&self) -> Option<&'static str> {
        match (self.spark_line, self.major, self.minor) {
            (true, _, _) => Some("3.13"),
            (false, 7, 8..) => Some("3.11"),
            (false, 7, _) => Some("3.9"),
            (false, 6, _) => Some("3.7"),
            _ => None,
        }
    }

    /// The nodes' glibc is 2.this: Amazon Linux 2023's from 7.0 on, before it Amazon Linux 2's.
    #[must_use]
    pub fn glibc(&self) -> Option<u32> {
        match (self.spark_line, self.major) {
            (true, _) | (false, 7) => Some(34),
            (false, 6) => Some(26),
            _ => None,
        }
    }

    /// Whether the release has a TensorFlow application at all: the Spark line has none.
    #[must_use]
    pub fn has_tensorflow(&self) -> bool {
        !self.spark_line && self.at_least(5, 17)
    }

    /// Major and minor version of Spark, where it is known.
    #[must_use]
    pub fn spark(&self) -> Option<&'static str> {
        match (self.spark_line, self.major, self.minor) {
            (true, 8, 0) => Some("4.0"),
            (false, 7, _) => Some("3.5"),
            (false, 6, 15) => Some("3.4"),
            _ => None,
        }
    }
}

impl PartialOrd for Release {
    /// Compares within a line; the two lines are not comparable.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.spark_line == other.spark_line).then(|| self.version().cmp(&other.version()))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = if self.spark_line { "emr-spark" } else { "emr" };
        write!(f, "{line}-{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{label}` is not a release label\nwrite it in full, as in emr-7.12.0 or emr-spark-8.0.0");
        let rest = label.strip_prefix("emr-").ok_or_else(wrong)?;
        let (spark_line, rest) = match rest.strip_prefix("spark-") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let numbers: Vec<u32> = rest
            .split('.')
            .map(|part| part.parse().ok().filter(|number: &u32| number.to_string() == part))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let [major, minor, patch] = numbers[..] else { return Err(wrong()) };
        Ok(Self { spark_line, major, minor, patch })
    }
}

from_text!(Release);

#[cfg(test)]
mod tests {
    use super::*;

    fn release(label: &str) -> Release {
        label.parse().expect(label)
    }

    #[test]
    fn labels_come_back_as_written() {
        for label in ["emr-7.12.0", "emr-6.11.1", "emr-spark-8.0.0"] {
            assert_eq!(release(label).to_string(), label);
        }
        for wrong in
            ["7.12.0", "emr-7.12", "emr-7.12.0.0", "emr-7.012.0", "emr-spark", "EMR-7.1.0", "emr-7.x.0", "emr-+7.1.0"]
        {
            assert!(wrong.parse::<Release>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn facts_follow_the_release() {
        assert_eq!(release("emr-7.12.0").default_python(), Some("3.9"));
        assert_eq!(release("emr-7.12.0").newest_python(), Some("3.11"));
        assert_eq!(release("emr-7.7.0").newest_python(), Some("3.9"));
        assert_eq!(release("emr-6.15.0").newest_python(), Some("3.7"));
        assert!(!release("emr-spark-8.0.0").has_tensorflow());
    }

    #[test]
    fn lines_do_not_compare() {
        assert!(release("emr-7.9.0") < release("emr-7.10.0"));
        assert_eq!(release("emr-7.9.0").partial_cmp(&release("emr-spark-8.0.0")), None);
    }
}
