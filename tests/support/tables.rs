//! Tables as the job writes them, where no job runs.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

/// As Spark writes it: every field may be missing.
const FEATURES: &str = "message spark_schema {
    optional binary path (UTF8);
    optional binary label (UTF8);
    optional group features (LIST) { repeated group list { optional float element; } }
    optional binary error (UTF8);
}";

/// What Spark knows to be there it writes so.
const COMPONENTS: &str = "message spark_schema {
    optional binary path (UTF8);
    optional binary label (UTF8);
    required group components (LIST) { repeated group list { required double element; } }
}";

/// Path and label of an image, and its features or why it has none.
pub(crate) type Row = (String, &'static str, Result<Vec<f32>, &'static str>);

/// A file of `features/`.
pub(crate) fn features(rows: &[Row]) -> Vec<u8> {
    let (schema, mut file) = (Arc::new(parse_message_type(FEATURES).expect("a schema")), Vec::new());
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(WriterProperties::default())).expect("made");
    let mut group = writer.next_row_group().expect("a group");
    texts(&mut group, rows.iter().map(|(path, ..)| Some(path.as_str())));
    texts(&mut group, rows.iter().map(|(_, label, _)| Some(*label)));
    // Level 3: a number; 0: no list. A number is repeated where it is not the first of its list.
    let (mut numbers, mut there, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for (_, _, told) in rows {
        let list = told.as_deref().unwrap_or_default();
        numbers.extend_from_slice(list);
        there.extend(if told.is_ok() { vec![3; list.len()] } else { vec![0] });
        repeated.extend((0..list.len().max(1)).map(|n| i16::from(n > 0)));
    }
    let mut column = group.next_column().expect("is fine").expect("a column");
    column.typed::<FloatType>().write_batch(&numbers, Some(&there), Some(&repeated)).expect("written");
    column.close().expect("closed");
    texts(&mut group, rows.iter().map(|(_, _, told)| told.as_ref().err().copied()));
    group.close().expect("closed");
    writer.close().expect("closed");
    file
}

/// A file of `pca/parquet/`: path and label of an image, and its components.
pub(crate) fn components(rows: &[(&str, &str, Vec<f64>)]) -> Vec<u8> {
    let (schema, mut file) = (Arc::new(parse_message_type(COMPONENTS).expect("a schema")), Vec::new());
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(WriterProperties::default())).expect("made");
    let mut group = writer.next_row_group().expect("a group");
    texts(&mut group, rows.iter().map(|(path, ..)| Some(*path)));
    texts(&mut group, rows.iter().map(|(_, label, _)| Some(*label)));
    let (mut numbers, mut there, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for (_, _, list) in rows {
        numbers.extend_from_slice(list);
        there.extend(if list.is_empty() { vec![0] } else { vec![1; list.len()] });
        repeated.extend((0..list.len().max(1)).map(|n| i16::from(n > 0)));
    }
    let mut column = group.next_column().expect("is fine").expect("a column");
    column.typed::<DoubleType>().write_batch(&numbers, Some(&there), Some(&repeated)).expect("written");
    column.close().expect("closed");
    group.close().expect("closed");
    writer.close().expect("closed");
    file
}

/// A column of texts, of which some may be missing.
fn texts<'a>(group: &mut SerializedRowGroupWriter<&mut Vec<u8>>, texts: impl Iterator<Item = Option<&'a str>>) {
    let texts: Vec<Option<&str>> = texts.collect();
    let there: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
    let values: Vec<ByteArray> = texts.into_iter().flatten().map(ByteArray::from).collect();
    let mut column = group.next_column().expect("is fine").expect("a column");
    column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None).expect("written");
    column.close().expect("closed");
}
