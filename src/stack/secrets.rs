//! Secrets in clear text: keys, passwords, tokens, signed addresses, in a stack and in what it runs. Knows them
//! by their form or by the name they are given to; reads a text once, in time that grows with its length. A
//! secret's own characters never leave this room: what is shown of its line is masked.

mod assigned;

use std::ops::Range;

use super::finding::Problem;

/// How a text assigns: what is a literal in one language is a name in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Yaml,
    Shell,
    Python,
}

impl Language {
    /// Of a file by its name, `.j2` aside.
    pub(super) fn of(file: &str) -> Self {
        match file.trim_end_matches(".j2").rsplit('.').next() {
            Some("py" | "ipynb") => Self::Python,
            Some("yaml" | "yml" | "json") => Self::Yaml,
            _ => Self::Shell,
        }
    }
}

/// A secret: where it stands and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) span: Range<usize>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AccessKey,
    SecretKey,
    PrivateKey,
    Token(&'static str),
    Password,
    SignedUrl,
    Assigned,
}

impl Secret {
    pub(super) fn into_problem(self) -> Problem {
        let (what, hint) = match self.kind {
            Kind::AccessKey => ("the id of an AWS access key stands here", ROLES),
            Kind::SecretKey => ("the secret key of an AWS account stands here", ROLES),
            Kind::PrivateKey => ("a private key stands here in clear text", STORE),
            Kind::Token(of) => {
                return Problem::new(CODE, self.span, format!("a token of {of} stands here")).hint(STORE);
            }
            Kind::Password => ("an address with a password in it stands here", STORE),
            Kind::SignedUrl => ("a signed address stands here: whoever reads it may do what it was signed for", SIGNED),
            Kind::Assigned => ("a secret stands here in clear text", STORE),
        };
        Problem::new(CODE, self.span, what).hint(hint)
    }
}

const CODE: &str = "FI701";
const ROLES: &str = "remove and revoke it: on AWS everything acts as its IAM role, and here as AWS_PROFILE says";
const STORE: &str =
    "remove and revoke it; keep it in AWS Secrets Manager of the stack's region, and let the script fetch it by name";
const SIGNED: &str = "remove it; name the object by its s3:// address, and let the role of the nodes read it";

/// All secrets of a text, in its order; none overlaps another.
pub(super) fn find(text: &str, language: Language) -> Vec<Secret> {
    let mut found = Vec::new();
    private_keys(text, &mut found);
    words(text, &mut found);
    addresses(text, &mut found);
    assigned::find(text, language, &mut found);
    secret_keys(text, &mut found);
    found.sort_by_key(|secret: &Secret| (secret.span.start, std::cmp::Reverse(secret.span.end)));
    let mut end = 0;
    found.retain(|secret| {
        let apart = secret.span.start >= end;
        end = end.max(secret.span.end);
        apart
    });
    found
}

/// The text with a star for each byte of a secret; its lines, and every place in it, stay what they were.
pub(super) fn masked(text: &str, secrets: &[Secret]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for Secret { span, .. } in secrets {
        shown.push_str(&text[at..span.start]);
        shown.extend(text[span.clone()].chars().flat_map(|c| match c {
            '\n' | '\r' => std::iter::repeat_n(c, 1),
            other => std::iter::repeat_n('*', other.len_utf8()),
        }));
        at = span.end;
    }
    shown + &text[at..]
}

/// `-----BEGIN RSA PRIVATE KEY-----` with a body; the line alone is what a script would search for.
fn private_keys(text: &str, found: &mut Vec<Secret>) {
    const BEGIN: &str = "-----BEGIN ";
    let mut told = 0;
    for (at, _) in text.match_indices(BEGIN) {
        if at < told {
            continue;
        }
        let rest = &text[at + BEGIN.len()..];
        let Some(dashes) = rest.find("-----").filter(|dashes| *dashes < 64) else { continue };
        let label = &rest[..dashes];
        let upper = label.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ');
        if !upper || !(label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK")) {
            continue;
        }
        let body = rest[dashes + 5..].trim_start_matches("\\n").trim_start_matches(|c: char| c.is_whitespace());
        let body = body.trim_start_matches(['"', '\'', '+', ' ', '\\', '\n']);
        let run = body.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)).count();
        if run >= 16 || body.starts_with("Proc-Type") || body.starts_with("Version:") {
            // To its end, or as far as keys go; one cut short is a key all the same.
            let most = text.floor_char_boundary(text.len().min(at + 16_000));
            let end = text[at..most].find("-----END ").map_or(most, |end| at + end);
            found.push(Secret { span: at..end, kind: Kind::PrivateKey });
            told = end;
        }
    }
}

/// Tokens that carry their maker's prefix: prefix, the least that follows, whose.
const TOKENS: [(&str, usize, &str); 20] = [
    ("ghp_", 36, "GitHub"),
    ("gho_", 36, "GitHub"),
    ("ghu_", 36, "GitHub"),
    ("ghs_", 36, "GitHub"),
    ("ghr_", 36, "GitHub"),
    ("github_pat_", 50, "GitHub"),
    ("glpat-", 20, "GitLab"),
    ("xoxb-", 20, "Slack"),
    ("xoxp-", 20, "Slack"),
    ("xoxa-", 20, "Slack"),
    ("xoxr-", 20, "Slack"),
    ("xoxs-", 20, "Slack"),
    ("xapp-", 20, "Slack"),
    ("hf_", 30, "Hugging Face"),
    ("dapi", 32, "Databricks"),
    ("pypi-", 60, "PyPI"),
    ("npm_", 36, "npm"),
    ("AIza", 35, "Google"),
    ("sk-", 40, "OpenAI or Anthropic"),
    ("sk_live_", 24, "Stripe"),
];

/// Secrets that are one word.
fn words(text: &str, found: &mut Vec<Secret>) {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    for (start, word) in runs(text, part) {
        // `export:AKIA...`, `x-ghp_...`: a word that a hyphen ties to another is looked at from there, too.
        let starts = std::iter::once(0).chain(word.match_indices(['-', '_']).map(|(at, _)| at + 1).take(8));
        for (at, word) in starts.map(|at| (start + at, &word[at..])) {
            if let Some(kind) = word_kind(word) {
                found.push(Secret { span: at..at + word.len(), kind });
                break;
            }
        }
        if word.starts_with("eyJ") && word.len() >= 12 {
            let rest = &text[start..];
            let end = rest.bytes().position(|byte| !part(byte) && byte != b'.').unwrap_or(rest.len());
            let parts: Vec<&str> = rest[..end].split('.').take(4).collect();
            if let [_, payload, signature] = parts[..]
                && payload.starts_with("eyJ")
                && signature.len() >= 16
            {
                found.push(Secret { span: start..start + end, kind: Kind::Token("a web service (JWT)") });
            }
        }
    }
}

/// No secret that is one word is shorter: an id of AWS's is that long.
const SHORTEST: usize = 20;

fn word_kind(word: &str) -> Option<Kind> {
    if word.len() < SHORTEST {
        return None;
    }
    let id = word.get(..20).filter(|id| id.starts_with("AKIA") || id.starts_with("ASIA"));
    // The keys of AWS's own documentation end in EXAMPLE.
    let id = id.filter(|id| id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    if id.is_some_and(|id| !id.ends_with("EXAMPLE") && various(&id[4..])) {
        let ends = !word[20..].starts_with(|c: char| c.is_ascii_alphanumeric());
        return ends.then_some(Kind::AccessKey);
    }
    TOKENS.iter().find_map(|(prefix, least, whose)| {
        let rest = word.strip_prefix(prefix)?;
        let solid = match *prefix {
            "dapi" => rest.bytes().take_while(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)).count(),
            "hf_" | "npm_" | "ghp_" | "gho_" | "ghu_" | "ghs_" | "ghr_" => {
                rest.bytes().take_while(u8::is_ascii_alphanumeric).count()
            }
            _ => rest.len(),
        };
        (solid >= *least && various(rest)).then_some(Kind::Token(whose))
    })
}

/// Whether a text is random rather than a stand-in such as `xxxxxxxx` or `your-token-here`.
fn various(text: &str) -> bool {
    let mut seen = [false; 128];
    text.bytes().filter(u8::is_ascii).for_each(|byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|seen| **seen).count() >= 8 && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// `scheme://user:password@host`, and addresses signed for whoever holds them.
fn addresses(text: &str, found: &mut Vec<Secret>) {
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let end = end_of(text, start, |c| c.is_whitespace() || "/?#\"'`<>\\,()[]".contains(c));
        let Some((user, _)) = text[start..end].rsplit_once('@') else { continue };
        if let Some((name, password)) = user.split_once(':').filter(|(_, password)| is_literal(password, true)) {
            let from = start + name.len() + 1;
            found.push(Secret { span: from..from + password.len(), kind: Kind::Password });
        }
    }
    for (at, bearer) in text.match_indices("Bearer ") {
        let start = at + bearer.len();
        let end = end_of(text, start, |c| !c.is_ascii_alphanumeric() && !"+/=_-.~".contains(c));
        if end - start >= 20 && various(&text[start..end]) {
            found.push(Secret { span: start..end, kind: Kind::Token("a web service") });
        }
    }
    for sign in ["X-Amz-Signature=", "X-Goog-Signature=", "&sig=", "?sig="] {
        for (at, _) in text.match_indices(sign) {
            let start = at + sign.len();
            let end = end_of(text, start, |c| !c.is_ascii_alphanumeric() && !"%+/=_-.&".contains(c));
            let value = text[start..end].split('&').next().unwrap_or_default();
            let least = if sign.starts_with('X') { 16 } else { 40 };
            if value.len() >= least && is_literal(value, true) {
                // Session tokens and key ids may stand before it.
                let window = text.floor_char_boundary(start.saturating_sub(4096));
                let before = &text[window..at];
                let address =
                    before.rfind(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).map_or(0, |space| space + 1);
                let query =
                    before[before.ceil_char_boundary(address)..].find('?').map(|query| window + address + query + 1);
                found.push(Secret { span: query.unwrap_or(start).min(start)..end, kind: Kind::SignedUrl });
            }
        }
    }
}

/// Whether a value is the secret itself, and not a reference to it or a stand-in for it.
fn is_literal(value: &str, quoted: bool) -> bool {
    const STAND_INS: [&str; 15] = [
        "none",
        "null",
        "true",
        "false",
        "undefined",
        "required",
        "optional",
        "prompt",
        "placeholder",
        "redacted",
        "hidden",
        "masked",
        "string",
        "empty",
        "test",
    ];
    const ELSEWHERE: [&str; 9] = ["arn:", "s3://", "ssm:", "env:", "file:", "secretsmanager:", "...", "%s", "%("];
    let refers = value.starts_with(['$', '<', '[', '{'])
        || !quoted && value.starts_with(['%', '@', '!', '*', '#', '-', '\\'])
        || ["${", "$(", "{{"].iter().any(|reference| value.contains(reference))
        || ELSEWHERE.iter().any(|start| value.starts_with(start));
    let numeric = value.bytes().all(|byte| byte.is_ascii_digit());
    let long = value.chars().take(6).count() >= if numeric { 6 } else { 4 };
    let one = value.chars().next().is_some_and(|first| value.chars().all(|c| c == first));
    let lower = value.to_ascii_lowercase();
    long && !refers && !one && !lower.starts_with("your") && !STAND_INS.contains(&lower.as_str())
}

/// A secret key has no form of its own: 40 characters, told by the id or the word on its line.
fn secret_keys(text: &str, found: &mut Vec<Secret>) {
    let id = |secret: &&Secret| secret.kind == Kind::AccessKey;
    let mut ids: Vec<usize> = found.iter().filter(id).map(|secret| secret.span.start).collect();
    ids.sort_unstable();
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+';
    for (start, word) in runs(text, part).filter(|(_, word)| word.len() == 40) {
        let kinds = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
        if !kinds.iter().all(|kind| word.bytes().any(|byte| kind(&byte))) || word.ends_with("EXAMPLEKEY") {
            continue;
        }
        let window = text.floor_char_boundary(start.saturating_sub(200));
        let line = text[window..start].rfind('\n').map_or(window, |newline| window + newline + 1);
        let after = text.floor_char_boundary(text.len().min(start + 240));
        let after = text[start..after].find('\n').map_or(after, |newline| start + newline);
        let told = ids.get(ids.partition_point(|id| *id < line)).is_some_and(|id| *id < after);
        if told || text[line..start].to_ascii_lowercase().contains("secret") {
            found.push(Secret { span: start..start + 40, kind: Kind::SecretKey });
        }
    }
}

/// The longest runs of ASCII characters of a kind, each with its place.
fn runs(text: &str, part: impl Fn(u8) -> bool + Copy) -> impl Iterator<Item = (usize, &str)> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    std::iter::from_fn(move || {
        // No byte of a longer character is ASCII: a run begins and ends between characters.
        let of_kind = |byte: &u8| byte.is_ascii() && part(*byte);
        let start = at + bytes[at..].iter().position(of_kind)?;
        at = bytes[start..].iter().position(|byte| !of_kind(byte)).map_or(bytes.len(), |end| start + end);
        Some((start, &text[start..at]))
    })
}

/// No value is longer. Looking no further keeps the time of a hostile text within its length.
const LONGEST_VALUE: usize = 4_096;

/// Where the first character of a kind stands, from a place on; where no value would reach, if none does.
fn end_of(text: &str, from: usize, stop: impl Fn(char) -> bool) -> usize {
    let most = text.floor_char_boundary(text.len().min(from + LONGEST_VALUE));
    text[from..most].find(stop).map_or(most, |end| from + end)
}

#[cfg(test)]
mod tests;
