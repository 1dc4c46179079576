//! What a job wrote is read back and held against its images: rows counted, numbers looked at, and what is no such table
//! told.

use fruitsinfra::job::tables::{Features, points};

use crate::support::tables::{components, features};

/// Three rows: two numbers, an error, and a number that is none.
fn table() -> Vec<u8> {
    features(&[
        ("s3://b/i/A/1.jpg".into(), "A", Ok(vec![1.0, 2.0])),
        ("s3://b/i/A/2.jpg".into(), "A", Err("not an image")),
        ("s3://b/i/B/3.jpg".into(), "B", Ok(vec![3.0, f32::NAN])),
    ])
}

#[test]
fn rows_are_counted_and_numbers_looked_at() {
    let mut found = Features::default();
    found.read(table()).expect("read");
    assert_eq!((found.rows(), found.failed, found.broken), (3, 1, 1));
    assert_eq!(found.lengths, [(2, 2)].into());
    assert_eq!(found.labels, [("A".to_owned(), 1), ("B".to_owned(), 1)].into());
    let images = |names: &[&str]| names.iter().map(|name| format!("s3://b/i/{name}.jpg")).collect();
    let told = found.problems(&images(&["A/1", "A/2", "B/3"]), 2);
    assert_eq!(told, ["1 rows hold what is no number"]);
    found.read(table()).expect("read");
    let told = found.problems(&images(&["A/1", "A/2", "C/4", "C/5"]), 1280);
    assert_eq!(
        told,
        [
            "2 images have no row, as s3://b/i/C/4.jpg",
            "1 rows are of no image that is there, as s3://b/i/B/3.jpg",
            "3 images have more than one row, as s3://b/i/A/1.jpg",
            "4 rows have 2 numbers, and not 1280",
            "2 rows hold what is no number",
        ]
    );
}

#[test]
fn components_are_read_where_they_cannot_be_missing() {
    let table = components(&[("a", "Kiwi", vec![1.5, -2.0, 3.0]), ("b", "Pear", vec![0.5]), ("c", "Fig", vec![])]);
    let read: Vec<(String, String)> =
        points(table).expect("read").into_iter().map(|p| (p.label, format!("{} {}", p.x, p.y))).collect();
    let expected = [("Kiwi", "1.5 -2"), ("Pear", "0.5 NaN"), ("Fig", "NaN NaN")];
    assert_eq!(read, expected.map(|(label, at)| (label.to_owned(), at.to_owned())));
}

#[test]
fn what_is_no_such_table_is_told() {
    let wrong = |file: &[u8]| Features::default().read(file.to_vec()).expect_err("is no table").to_string();
    assert!(!wrong(b"").is_empty() && !wrong(b"PAR1 and nothing else PAR1").is_empty());
    let told = points(table()).expect_err("has no components").to_string();
    assert!(told.contains("it has no column `components`"), "{told}");
}
