//! The proof for a jury, as pages: Markdown, HTML, and the same without its annexes on a terminal. A page is made of the
//! sealed document alone, so that the same document is the same page again, and a page that was changed is known.

use minijinja::HtmlEscape;
use serde_json::{Value, json};

use super::markdown;
use crate::evidence::{counts, seal};
use crate::script::told::Lang;
use crate::script::{self, ScriptError};

/// No page lists more objects than these.
const MOST_OUTPUTS: usize = 500;

/// A page of Markdown that carries its document.
pub fn markdown(document: &Value) -> Result<String, ScriptError> {
    let values = json!({"page": document, "words": words(document), "annex": annex(document), "carried": seal::carried(document)});
    script::embedded("evidence/page.md.j2", &values)
}

/// What a person reads on a terminal.
pub fn text(document: &Value, width: usize) -> Result<String, ScriptError> {
    let values = json!({"page": document, "words": words(document), "annex": null, "carried": null});
    Ok(markdown::render(&script::embedded("evidence/page.md.j2", &values)?, width))
}

/// One HTML page that carries its document.
pub fn html(document: &Value) -> Result<String, ScriptError> {
    let mut page = document.clone();
    for name in ["opening", "closing"] {
        marked(&mut page[name]);
    }
    for criterion in page["criteria"].as_array_mut().into_iter().flatten() {
        criterion["lines"].as_array_mut().into_iter().flatten().for_each(|line| marked(&mut line["text"]));
    }
    page["review"].as_array_mut().into_iter().flatten().for_each(|paragraph| marked(&mut paragraph["text"]));
    let values =
        json!({"page": page, "words": words(document), "annex": annex(document), "carried": seal::carried(document)});
    script::embedded("evidence/page.html.j2", &values)
}

/// Escapes a sentence; what stands between backticks becomes code, between double asterisks strong.
fn marked(text: &mut Value) {
    let Some(plain) = text.as_str() else { return };
    let pieces = plain.split('`').enumerate().map(|(n, piece)| {
        let escaped = HtmlEscape(piece).to_string();
        if n % 2 == 1 {
            return format!("<code>{escaped}</code>");
        }
        let strong = escaped.split("**").enumerate();
        strong.map(|(n, part)| if n % 2 == 1 { format!("<strong>{part}</strong>") } else { part.to_owned() }).collect()
    });
    *text = Value::from(pieces.collect::<String>());
}

fn lang(document: &Value) -> Lang {
    if document["lang"] == json!(Lang::Fr) { Lang::Fr } else { Lang::En }
}

/// What the page itself says.
fn words(document: &Value) -> Value {
    let [shown, open, against] = counts(document);
    let lang = lang(document);
    let sum = match lang {
        Lang::En => format!("Lines shown by facts: {shown}; not shown: {open}; contradicted: {against}."),
        Lang::Fr => {
            format!("Lignes établies par les faits : {shown} ; non établies : {open} ; contredites : {against}.")
        }
    };
    let minutes_usd = lang.of(
        ["images", "cluster, minutes", "cluster, USD", "plain machine, minutes", "plain machine, USD"],
        ["images", "cluster, minutes", "cluster, USD", "simple machine, minutes", "simple machine, USD"],
    );
    json!({
        "sum": sum,
        "shown": lang.of("Shown.", "Établi."),
        "open": lang.of("Not shown.", "Non établi."),
        "against": lang.of("Contradicted.", "Contredit."),
        "nothing": lang.of("Nothing of the stack bears on it.", "Rien dans l'environnement ne s'y rapporte."),
        "review": lang.of("Critical review", "Revue critique"),
        "sizes": lang.of("Cluster and plain machine, by the number of images", "Cluster et simple machine, selon le nombre d'images"),
        "size_columns": minutes_usd,
        "roles": lang.of("Annex: what the roles may do", "Annexe : ce que les rôles permettent"),
        "role_columns": lang.of(["role", "effect", "actions", "resources"], ["rôle", "effet", "actions", "ressources"]),
        "outputs": lang.of("Annex: objects that jobs wrote", "Annexe : objets écrits par les calculs"),
        "output_columns": lang.of(["object", "bytes", "ETag"], ["objet", "octets", "ETag"]),
        "seal": lang.of("Seal", "Sceau"),
    })
}

fn annex(document: &Value) -> Value {
    let (lang, facts) = (lang(document), &document["facts"]);
    let each = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value, decimals| value.as_f64().map_or_else(|| "?".to_owned(), |n| lang.number(n, decimals));
    let sizes = each(&facts["weighed"]["sizes"]).into_iter().map(|size| {
        [("images", 0), ("cluster_minutes", 0), ("cluster_usd", 2), ("plain_minutes", 0), ("plain_usd", 2)]
            .map(|(name, decimals)| number(&size[name], decimals))
    });
    let roles = each(&facts["roles"]).into_iter().flat_map(|role| {
        each(&role["grants"])
            .into_iter()
            .map(|grant| {
                [
                    words_of(&role["name"]),
                    words_of(&grant["effect"]),
                    words_of(&grant["actions"]),
                    words_of(&grant["resources"]),
                ]
            })
            .collect::<Vec<_>>()
    });
    let outputs: Vec<Value> = each(&facts["jobs"]).iter().flat_map(|job| each(&job["outputs"])).collect();
    let more = outputs.len().saturating_sub(MOST_OUTPUTS);
    let more = (more > 0).then(|| match lang {
        Lang::En => format!("And {more} more: `--output json` lists all of them."),
        Lang::Fr => format!("Et {more} autres : `--output json` les énumère tous."),
    });
    let outputs = outputs.iter().take(MOST_OUTPUTS);
    json!({
        "sizes": sizes.collect::<Vec<_>>(),
        "roles": roles.collect::<Vec<_>>(),
        "outputs": outputs.map(|of| [words_of(&of["key"]), words_of(&of["size"]), words_of(&of["etag"])]).collect::<Vec<_>>(),
        "more": more,
    })
}

/// A word, a number, or a list of them.
fn words_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(words_of).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
