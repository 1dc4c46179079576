//! The fields of uploads, each with its default and another value. They say which files of this machine are sent, so that
//! no plan of resources shows any of them.

use serde_json::{Value, json};

use super::fields::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let sample = |field, number: u32, beside: Value| {
        case(field, Value::Null, json!(number)).with("uploads.0.sample", beside).quiet()
    };
    vec![
        case("uploads.0.links", json!("within"), json!("follow")).quiet(),
        case("uploads.0.split", Value::Null, json!("Test")).quiet(),
        case("uploads.0.sample", Value::Null, json!({"classes": 2, "images": 3})).quiet(),
        sample("uploads.0.sample.classes", 10, json!({"images": 50})),
        sample("uploads.0.sample.images", 50, json!({"classes": 10})),
    ]
}
