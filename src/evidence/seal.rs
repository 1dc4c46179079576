//! The seal of a proof: a SHA-256 over all that it says, so that a page that was changed afterwards is known as that. It
//! is no signature: it tells that nothing was changed since, not who wrote it.

use serde_json::Value;

use crate::cloud::mark::sha256_hex;

/// Under which name the hash stands in the document.
const SEAL: &str = "sha256";

/// By what the document begins in a page, and ends.
const BEGINS: &str = "fruitsinfra-evidence: ";
const ENDS: &str = " :fruitsinfra-evidence";

/// The SHA-256 of a document by RFC 8785: the same however its keys were ordered and its numbers written.
pub fn sha256(document: &Value) -> String {
    sha256_hex(serde_json_canonicalizer::to_vec(document).unwrap_or_default())
}

/// With its hash in it.
pub fn sealed(mut document: Value) -> Value {
    document[SEAL] = Value::from(sha256(&document));
    document
}

/// Whether a document is as it was sealed.
pub fn holds(document: &Value) -> bool {
    let mut rest = document.clone();
    let seal = rest.as_object_mut().and_then(|fields| fields.remove(SEAL));
    seal.as_ref().and_then(Value::as_str).is_some_and(|seal| seal == sha256(&rest))
}

/// A document as it lies in a page, where no character of it ends a comment or an element.
pub fn carried(document: &Value) -> String {
    let text = document.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace("--", "-\\u002d");
    format!("{BEGINS}{text}{ENDS}")
}

/// The document that a file holds: the file itself, or what lies in its page.
pub fn found(text: &str) -> Option<Value> {
    let inner = text.split_once(BEGINS).and_then(|(_, rest)| rest.split_once(ENDS)).map(|(inner, _)| inner);
    serde_json::from_str(inner.unwrap_or(text)).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_changed_after_it_was_sealed_is_known() {
        let document =
            sealed(json!({"stack": "fruits", "costs": {"actual": 0.1, "planned": 1e21}, "text": "<!-- é -->"}));
        assert!(holds(&document));
        let page = format!("<p>a</p><!-- {} --><p>b</p>", carried(&document));
        assert_eq!(page.matches("-->").count(), 1, "{page}");
        assert_eq!(found(&page).as_ref(), Some(&document));
        assert_eq!(found(&document.to_string()).as_ref(), Some(&document));
        let mut other = document.clone();
        other["stack"] = json!("others");
        assert!(!holds(&other));
        assert!(!holds(&json!({"stack": "fruits"})));
        for nothing in ["", "[]", "7", "<html></html>", "fruitsinfra-evidence: {", "\u{0}"] {
            assert_eq!(found(nothing), None, "{nothing}");
        }
    }
}
