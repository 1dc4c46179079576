//! Tables as the job writes them, for stories in which no job runs.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// As Spark writes it: every field may be missing.
const FEATURES: &str = "message spark_schema {
    optional binary path (UTF8);
    optional binary label (UTF8);
    optional group features (LIST) { repeated group list { optional float element; } }
    optional binary error (UTF8);
}";

/// A file of `features/`: a row for each path and label, with so many numbers.
pub(crate) fn features(rows: &[(String, &str)], length: usize) -> Vec<u8> {
    let (schema, mut file) = (Arc::new(parse_message_type(FEATURES).expect("a schema")), Vec::new());
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(WriterProperties::default())).expect("made");
    let mut group = writer.next_row_group().expect("a group");
    let paths: Vec<ByteArray> = rows.iter().map(|(path, _)| ByteArray::from(path.as_str())).collect();
    let labels: Vec<ByteArray> = rows.iter().map(|(_, label)| ByteArray::from(*label)).collect();
    let there = vec![1; rows.len()];
    for texts in [&paths, &labels] {
        let mut column = group.next_column().expect("is fine").expect("a column");
        column.typed::<ByteArrayType>().write_batch(texts, Some(&there), None).expect("written");
        column.close().expect("closed");
    }
    let numbers = vec![0.5; rows.len() * length];
    let first: Vec<i16> = (0..numbers.len()).map(|n| i16::from(n % length != 0)).collect();
    let mut column = group.next_column().expect("is fine").expect("a column");
    column.typed::<FloatType>().write_batch(&numbers, Some(&vec![3; numbers.len()]), Some(&first)).expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("is fine").expect("a column");
    column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![0; rows.len()]), None).expect("written");
    column.close().expect("closed");
    group.close().expect("closed");
    writer.close().expect("closed");
    file
}
