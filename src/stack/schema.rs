//! The JSON Schema of the stack language, for editors. Derived from the types, so that it cannot say
//! anything else than they do; a test holds it against what the reader accepts.

use super::Stack;

/// The JSON Schema of the language, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Stack).to_value()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::stack::tests::stacks;

    #[test]
    fn the_schema_and_the_reader_know_the_same_fields() {
        let schema = schema();
        let mut said = BTreeSet::new();
        for (path, _) in stacks() {
            let text = std::fs::read_to_string(path).expect("is readable");
            let document: Value = serde_yaml::from_str(&text).expect("is YAML");
            follow(&schema, &schema, &document, &mut said);
        }
        let mut known = BTreeSet::new();
        let definitions = schema["$defs"].as_object().expect("has definitions").values();
        for object in definitions.chain([&schema]) {
            let fields = object["properties"].as_object().into_iter().flatten();
            known.extend(fields.map(|(field, _)| format!("{}.{field}", title(object))));
        }
        assert!(known.len() > 80, "{known:?}");
        assert_eq!(said, known);
    }

    /// Walks a document along its schema, and notes each field by the object it belongs to.
    fn follow(root: &Value, schema: &Value, document: &Value, said: &mut BTreeSet<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = root.pointer(reference.trim_start_matches('#')).expect("leads somewhere");
            return follow(root, target, document, said);
        }
        for alternative in schema["anyOf"].as_array().into_iter().flatten() {
            follow(root, alternative, document, said);
        }
        for (key, value) in document.as_object().into_iter().flatten() {
            match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => panic!("the schema does not know `{key}` of {}", title(schema)),
                (Value::Null, others) => follow(root, others, value, said),
                (field, _) => {
                    said.insert(format!("{}.{key}", title(schema)));
                    follow(root, field, value, said);
                }
            }
        }
        for item in document.as_array().into_iter().flatten() {
            follow(root, &schema["items"], item, said);
        }
    }

    /// Objects of the schema told apart by their fields.
    fn title(object: &Value) -> String {
        object["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, _)| field.as_str())
            .collect::<Vec<_>>()
            .join("+")
    }
}
