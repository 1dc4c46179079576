//! What AWS offers where, from lists that are part of the program (`facts/README.md` says where they
//! come from and how far to trust them). Absent from a list is not the same as unknown, and both
//! have their own answer here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;

use super::Release;
use crate::residency::EuRegion;

const RELEASES: &str = include_str!("facts/emr_releases.csv");
const SUPPORT: &str = include_str!("facts/emr_support.csv");
const INSTANCE_TYPES: &str = include_str!("facts/emr_instance_types.csv");

/// The order of the region columns in both files.
const COLUMNS: [EuRegion; 6] = [
    EuRegion::EuWest1,
    EuRegion::EuWest3,
    EuRegion::EuCentral1,
    EuRegion::EuNorth1,
    EuRegion::EuSouth1,
    EuRegion::EuSouth2,
];

/// An instance type that EMR takes.
#[derive(Debug)]
pub struct InstanceType {
    pub vcpu: u32,
    pub memory_gib: f64,
    /// `x86_64` or `arm64`.
    pub arch: &'static str,
    first: Release,
    /// Releases after the first whose list lacks it.
    gap: Gap,
    regions: Vec<EuRegion>,
}

impl InstanceType {
    /// What YARN has of its memory, in MiB: three quarters of up to 32 GiB, and of more all but 8, as EMR's task
    /// configuration has it for the usual types.
    pub fn yarn_mib(&self) -> f64 {
        1024.0 * if self.memory_gib <= 32.0 { self.memory_gib * 0.75 } else { self.memory_gib - 8.0 }
    }
}

#[derive(Debug)]
enum Gap {
    None,
    At(Release),
    /// Some of the releases up to this one.
    SomeUpTo(Release),
}

impl InstanceType {
    /// Whether the release lists the type; None where the list is unsure.
    #[must_use]
    pub fn in_release(&self, release: Release) -> Option<bool> {
        if release.spark_line {
            return Some(true); // every type of the file is in the Spark line's list
        }
        if !release.at_least(6, 6) {
            return None; // the lists begin with 6.6
        }
        match self.gap {
            Gap::At(lacking) if release == lacking => Some(false),
            Gap::SomeUpTo(last) if release >= self.first && release <= last => None,
            _ => Some(release >= self.first),
        }
    }

    /// Whether the region offers the type; None where that is unknown.
    #[must_use]
    pub fn in_region(&self, region: EuRegion) -> Option<bool> {
        COLUMNS.contains(&region).then(|| self.regions.contains(&region))
    }
}

/// What is known of an instance type; None for one that no release of EMR takes.
#[must_use]
pub fn instance_type(name: &str) -> Option<&'static InstanceType> {
    TYPES.get(name)
}

/// The names of all instance types that EMR takes.
pub fn instance_types() -> impl Iterator<Item = &'static str> + Clone {
    TYPES.keys().copied()
}

/// The labels of all known releases, newest first within each line.
pub fn releases() -> impl Iterator<Item = &'static str> + Clone {
    rows(RELEASES).map(|row| row.split(',').next().unwrap_or(row))
}

/// Whether a region has a release; None where the release or the region is unknown.
#[must_use]
pub fn release_in(release: Release, region: EuRegion) -> Option<bool> {
    let label = release.to_string();
    let row = rows(RELEASES).find(|row| row.split(',').next() == Some(&label))?;
    let column = COLUMNS.iter().position(|known| *known == region)?;
    row.split(',').nth(column + 1).map(|cell| cell == "yes")
}

/// The last day of AWS's standard support for a release, or, of a release older than all of the list, the first of
/// those days and true; None where it is unknown.
pub fn support(release: Release) -> Option<(Date, bool)> {
    let known = |row: &str| -> Option<(Release, Date)> {
        let (release, until) = row.split_once(',')?;
        Some((release.parse().ok()?, until.parse().ok()?))
    };
    let mut all = rows(SUPPORT).filter_map(known);
    let (oldest, first) = all.next()?;
    if release == oldest || (release < oldest && !release.spark_line) {
        return Some((first, release != oldest));
    }
    all.find(|(known, _)| *known == release).map(|(_, until)| (until, false))
}

static TYPES: LazyLock<BTreeMap<&'static str, InstanceType>> =
    LazyLock::new(|| rows(INSTANCE_TYPES).filter_map(read_type).collect());

fn read_type(row: &'static str) -> Option<(&'static str, InstanceType)> {
    let cells: Vec<&str> = row.split(',').collect();
    let [name, vcpu, memory, arch, _gpus, first, _spark, offers @ .., gap] = cells.as_slice() else { return None };
    let offered = COLUMNS.into_iter().zip(offers).filter(|(_, cell)| **cell == "yes");
    let gap = match gap.rsplit_once(" up to ") {
        _ if gap.is_empty() => Gap::None,
        Some((_, last)) => Gap::SomeUpTo(format!("emr-{last}").parse().ok()?),
        None => Gap::At(format!("emr-{gap}").parse().ok()?),
    };
    let facts = InstanceType {
        vcpu: vcpu.parse().ok()?,
        memory_gib: memory.parse().ok()?,
        arch,
        first: first.parse().ok()?,
        gap,
        regions: offered.map(|(region, _)| region).collect(),
    };
    Some((name, facts))
}

fn rows(csv: &'static str) -> impl Iterator<Item = &'static str> + Clone {
    csv.lines().skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(label: &str) -> Release {
        label.parse().expect(label)
    }

    #[test]
    fn every_row_is_understood() {
        assert_eq!(TYPES.len(), rows(INSTANCE_TYPES).count());
        let header = "release,eu-west-1,eu-west-3,eu-central-1,eu-north-1,eu-south-1,eu-south-2";
        assert_eq!(RELEASES.lines().next(), Some(header));
        assert!(INSTANCE_TYPES.lines().next().is_some_and(|line| line.contains(&header["release,".len()..])));
    }

    #[test]
    fn absent_and_unknown_differ() {
        let m6i = instance_type("m6i.xlarge").expect("m6i is taken");
        assert_eq!(m6i.in_region(EuRegion::EuSouth2), Some(false));
        assert_eq!(m6i.in_region(EuRegion::EuWest3), Some(true));
        assert_eq!(m6i.in_region(EuRegion::EuscDeEast1), None);
        assert_eq!(m6i.in_release(release("emr-7.12.0")), Some(true));
        assert_eq!(m6i.in_release(release("emr-5.36.0")), None);
        assert!(instance_type("t3.medium").is_none() && instance_type("m5.large").is_none());
        assert_eq!(release_in(release("emr-6.3.0"), EuRegion::EuSouth2), Some(false));
        assert_eq!(release_in(release("emr-9.9.9"), EuRegion::EuWest3), None);
    }
}
