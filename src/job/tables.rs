//! The tables that a job wrote, read back as Parquet and held against what they should be: a row for every image, a
//! feature for every number of the network, and numbers that are numbers. It holds one file at a time, and computes
//! nothing that the job computes.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::Serialize;

/// What is found in `features/`.
#[derive(Debug, Default)]
pub struct Features {
    /// Rows by the path of their image, as the job has it.
    pub paths: BTreeMap<String, u64>,
    /// Rows with features, by the length of these.
    pub lengths: BTreeMap<usize, u64>,
    /// Rows with features by label.
    pub labels: BTreeMap<String, u64>,
    /// Rows with an error in place of features.
    pub failed: u64,
    /// Rows with a number that is none (NaN, infinite), and rows with neither features nor an error.
    pub broken: u64,
}

/// One image among the components: its first two.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    pub label: String,
    pub x: f64,
    pub y: f64,
}

impl Features {
    /// Takes one file in.
    pub fn read(&mut self, file: Vec<u8>) -> Result<()> {
        let groups = groups(file, |file, group| {
            let (paths, labels) = (texts(file, group, "path")?, texts(file, group, "label")?);
            let (features, errors) = (numbers(file, group, "features")?, texts(file, group, "error")?);
            Ok((paths, labels, features, errors))
        })?;
        for (paths, labels, features, errors) in groups {
            let rows = paths.into_iter().zip(labels).zip(features.into_iter().zip(errors));
            for ((path, label), (features, error)) in rows {
                *self.paths.entry(path.unwrap_or_default()).or_default() += 1;
                match (features, error) {
                    (Some(features), _) => {
                        *self.lengths.entry(features.len()).or_default() += 1;
                        *self.labels.entry(label.unwrap_or_default()).or_default() += 1;
                        self.broken += u64::from(features.iter().any(|number| !number.is_finite()));
                    }
                    (None, Some(_)) => self.failed += 1,
                    (None, None) => self.broken += 1,
                }
            }
        }
        Ok(())
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.paths.values().sum()
    }

    /// What is not as it should be, in words: held against the images that were there, by path, and the length that the
    /// job tells.
    pub fn problems(&self, images: &BTreeSet<String>, length: u64) -> Vec<String> {
        let mut told = Vec::new();
        let mut say = |what: &str, found: Vec<&String>| {
            if let Some(first) = found.first() {
                told.push(format!("{} {what}, as {first}", found.len()));
            }
        };
        say("images have no row", images.iter().filter(|image| !self.paths.contains_key(*image)).collect());
        say("rows are of no image that is there", self.paths.keys().filter(|path| !images.contains(*path)).collect());
        say(
            "images have more than one row",
            self.paths.iter().filter(|(_, n)| **n > 1).map(|(path, _)| path).collect(),
        );
        let odd = |(found, rows): (&usize, &u64)| {
            (*found as u64 != length).then(|| format!("{rows} rows have {found} numbers, and not {length}"))
        };
        told.extend(self.lengths.iter().filter_map(odd));
        told.extend((self.broken > 0).then(|| format!("{} rows hold what is no number", self.broken)));
        told
    }
}

/// The first two components of each image in a file of `pca/parquet/`.
pub fn points(file: Vec<u8>) -> Result<Vec<Point>> {
    let groups = groups(file, |file, group| Ok((texts(file, group, "label")?, numbers(file, group, "components")?)))?;
    let mut points = Vec::new();
    for (labels, components) in groups {
        for (label, components) in labels.into_iter().zip(components) {
            // A component that is not there is no zero: it is drawn nowhere.
            let at = |n: usize| components.as_ref().and_then(|all| all.get(n)).copied().unwrap_or(f64::NAN);
            points.push(Point { label: label.unwrap_or_default(), x: at(0), y: at(1) });
        }
    }
    Ok(points)
}

type Table = SerializedFileReader<Bytes>;

/// Reads each group of rows. At some broken files the library panics: they are told as any other.
fn groups<T>(file: Vec<u8>, read: impl Fn(&Table, usize) -> Result<T>) -> Result<Vec<T>> {
    let all = || {
        let file = SerializedFileReader::new(Bytes::from(file))?;
        (0..file.num_row_groups()).map(|group| read(&file, group)).collect()
    };
    catch_unwind(AssertUnwindSafe(all)).unwrap_or_else(|_| Err(ParquetError::General("the file is broken".into())))
}

/// A column of a group by the name of its field, what is needed to read all of it, the level at which a value is there,
/// and whether one may be missing.
fn column(file: &Table, group: usize, field: &str) -> Result<(ColumnReader, usize, i16, bool)> {
    let described = file.metadata().file_metadata().schema_descr();
    let found = described.columns().iter().position(|column| column.path().parts().first().is_some_and(|p| p == field));
    let index = found.ok_or_else(|| ParquetError::General(format!("it has no column `{field}`")))?;
    let rows = usize::try_from(file.metadata().row_group(group).num_rows()).unwrap_or_default();
    let of = described.column(index);
    let reader = file.get_row_group(group)?.get_column_reader(index)?;
    Ok((reader, rows, of.max_def_level(), of.self_type().is_optional()))
}

fn another(field: &str) -> ParquetError {
    ParquetError::General(format!("column `{field}` is of another type than the job writes"))
}

/// Texts, `None` where there is none.
fn texts(file: &Table, group: usize, field: &str) -> Result<Vec<Option<String>>> {
    let (column, rows, there, _) = column(file, group, field)?;
    let ColumnReader::ByteArrayColumnReader(mut column) = column else { return Err(another(field)) };
    let (mut levels, mut values) = (Vec::new(), Vec::<ByteArray>::new());
    column.read_records(rows, Some(&mut levels), None, &mut values)?;
    let mut values = values.into_iter();
    let text = |value: ByteArray| String::from_utf8_lossy(value.data()).into_owned();
    if there == 0 {
        return Ok(values.map(|value| Some(text(value))).collect());
    }
    Ok(levels.into_iter().map(|level| (level == there).then(|| values.next().map(text)).flatten()).collect())
}

/// Lists of numbers, `None` where there is no list. Lists and numbers may be such that cannot be missing: then there are
/// fewer levels.
fn numbers(file: &Table, group: usize, field: &str) -> Result<Vec<Option<Vec<f64>>>> {
    let (column, rows, there, may_miss) = column(file, group, field)?;
    let filled = there - i16::from(may_miss);
    let (mut levels, mut repeated) = (Vec::new(), Vec::new());
    let values: Vec<f64> = match column {
        ColumnReader::FloatColumnReader(mut column) => {
            let mut values = Vec::new();
            column.read_records(rows, Some(&mut levels), Some(&mut repeated), &mut values)?;
            values.into_iter().map(f64::from).collect()
        }
        ColumnReader::DoubleColumnReader(mut column) => {
            let mut values = Vec::new();
            column.read_records(rows, Some(&mut levels), Some(&mut repeated), &mut values)?;
            values
        }
        _ => return Err(another(field)),
    };
    let (mut values, mut lists) = (values.into_iter(), Vec::<Option<Vec<f64>>>::new());
    for (level, repeated) in levels.into_iter().zip(repeated) {
        if repeated == 0 {
            // One below the level of what is in it, a list is there, and empty.
            lists.push((level >= filled - 1).then(Vec::new));
        }
        if let Some(Some(list)) = lists.last_mut().filter(|_| level >= filled) {
            // A number that is missing from its list is none.
            list.push(if level == there { values.next().unwrap_or(f64::NAN) } else { f64::NAN });
        }
    }
    Ok(lists)
}
