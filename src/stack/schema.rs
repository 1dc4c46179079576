//! The JSON Schema of the stack language, for editors. Derived from the types, so that it cannot say
//! anything else than they do; a test holds it against what the reader accepts.

use serde_json::{Value, json};

use super::Stack;

/// The JSON Schema of the language, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Stack).to_value();
    without_nothing(&mut schema);
    let profile = in_part(&mut schema);
    schema["properties"]["profiles"]["additionalProperties"] = profile;
    schema
}

/// What a profile may say: the same types with every field optional, and `null` to take one away. Adds theirs beside those
/// they are made of.
fn in_part(schema: &mut Value) -> Value {
    fn lax(schema: &mut Value) {
        match schema {
            Value::Object(fields) => {
                fields.remove("required");
                if let Some(Value::String(reference)) = fields.get_mut("$ref") {
                    reference.push_str(IN_PART);
                }
                for (key, value) in fields.iter_mut() {
                    match value {
                        Value::Object(named) if key == "properties" => {
                            for field in named.values_mut() {
                                lax(field);
                                *field = json!({"anyOf": [field.take(), {"type": "null"}]});
                            }
                        }
                        value => lax(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(lax),
            _ => {}
        }
    }
    let mut whole = schema.clone();
    lax(&mut whole);
    let types = whole["$defs"].take();
    let types = types.as_object().into_iter().flatten().map(|(name, each)| (format!("{name}{IN_PART}"), each.clone()));
    if let Some(known) = schema["$defs"].as_object_mut() {
        known.extend(types);
    }
    if let Some(fields) = whole["properties"].as_object_mut() {
        fields.remove("profiles");
    }
    json!({
        "type": "object",
        "description": "What this profile says otherwise: `null` takes a field away.",
        "additionalProperties": false,
        "properties": whole["properties"].take(),
    })
}

/// What the name of a type ends in where all of its fields are optional.
const IN_PART: &str = "InPart";

/// What may be left unsaid may not be said to be nothing: the reader takes no `null`, and so the schema offers none.
fn without_nothing(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(forms)) = fields.get_mut("anyOf") {
                forms.retain(|form| form["type"] != "null");
                if let [only] = forms.as_slice() {
                    let only = only.clone();
                    fields.remove("anyOf");
                    fields.extend(
                        only.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())),
                    );
                }
            }
            fields.retain(|key, value| key != "default" || !value.is_null());
            fields.values_mut().for_each(without_nothing);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nothing),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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

    #[test]
    fn nothing_is_offered_nowhere() {
        fn nulls(schema: &Value, path: &str, found: &mut Vec<String>) {
            match schema {
                Value::Null => found.push(path.to_owned()),
                Value::String(text) if text == "null" => found.push(path.to_owned()),
                Value::Object(fields) => {
                    fields.iter().for_each(|(key, value)| nulls(value, &format!("{path}/{key}"), found));
                }
                Value::Array(items) => items.iter().for_each(|item| nulls(item, path, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        nulls(&schema(), "", &mut found);
        // But where a profile takes away.
        found.retain(|path| !path.contains(IN_PART) && !path.starts_with("/properties/profiles/"));
        assert_eq!(found, Vec::<String>::new());
        // And what a field was beside nothing, it still is.
        assert_eq!(schema()["properties"]["account"]["type"], "string");
        assert!(schema()["properties"]["cluster"]["$ref"].is_string(), "{}", schema()["properties"]["cluster"]);
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
                    // What a profile may say is known by the types it is a part of.
                    let mut in_part = BTreeSet::new();
                    follow(root, field, value, if key == "profiles" { &mut in_part } else { said });
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
