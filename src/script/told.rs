//! Texts for people, in English and in French: templates whose numbers, sizes and amounts are written as each language
//! writes them. Pure; it knows nothing of what is told.

use std::sync::Arc;

use minijinja::{AutoEscape, Environment, Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{STEPS, ScriptError, failed, strict};

/// What a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    #[default]
    En,
    Fr,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::En, Self::Fr];

    /// Its code, as it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    /// Of two texts, the one in this language.
    pub const fn of<T: Copy>(self, en: T, fr: T) -> T {
        match self {
            Self::En => en,
            Self::Fr => fr,
        }
    }

    /// With the spaces that French sets before and after signs made unbreakable; code, between backticks, stays as it is.
    pub fn typeset(self, text: &str) -> String {
        if self == Self::En {
            return text.to_owned();
        }
        let pieces = text.split('`').enumerate().map(|(n, piece)| {
            if n % 2 == 1 {
                return piece.to_owned();
            }
            let signs = [" :", " ;", " ?", " !", " »", "« "];
            signs.iter().fold(piece.to_owned(), |piece, sign| piece.replace(sign, &sign.replace(' ', "\u{a0}")))
        });
        pieces.collect::<Vec<_>>().join("`")
    }

    /// `22,688`; in French `22 688`, with narrow spaces that do not break.
    pub fn number(self, n: f64, decimals: usize) -> String {
        let plain = format!("{:.decimals$}", n.abs());
        let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
        let groups: Vec<&str> =
            whole.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
        let sign = if n < 0.0 { "-" } else { "" };
        let rest = if rest.is_empty() { String::new() } else { format!("{}{rest}", self.of(".", ",")) };
        format!("{sign}{}{rest}", groups.join(self.of(",", "\u{202f}")))
    }

    /// `9.4 MB`, `9,4 Mo`: in powers of a thousand, as AWS bills.
    pub fn size(self, bytes: f64) -> String {
        let units = self.of(["B", "kB", "MB", "GB", "TB"], ["o", "ko", "Mo", "Go", "To"]);
        let (mut size, mut unit) = (bytes, 0);
        while size >= 1000.0 && unit + 1 < units.len() {
            size /= 1000.0;
            unit += 1;
        }
        format!("{}\u{a0}{}", self.number(size, usize::from(unit > 0)), units[unit])
    }

    /// `90 %`, `92.5 %`: at most one decimal.
    pub fn share(self, share: f64) -> String {
        let tenths = (share * 1000.0).round();
        format!("{}\u{a0}%", self.number(tenths / 10.0, usize::from(tenths % 10.0 != 0.0)))
    }

    /// `0.86 USD`, and a word for what is not known.
    pub fn usd(self, amount: Option<f64>) -> String {
        amount
            .map_or_else(|| self.of("unknown", "inconnu").to_owned(), |usd| format!("{}\u{a0}USD", self.number(usd, 2)))
    }
}

/// A script that a text points into, and the line from which it looks first.
#[derive(Clone, Debug)]
pub struct Pointed {
    pub script: Arc<str>,
    /// Counted from 1.
    pub from: usize,
}

/// A text in both languages: what has no French has no English.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    en: String,
    fr: String,
}

/// Fills texts of one language.
#[derive(Debug)]
pub struct Teller {
    lang: Lang,
    environment: Environment<'static>,
}

impl Teller {
    /// With a script, `{{ "def fit" | line }}` points to a line of it. What it does not hold is an error: a text that points
    /// nowhere is about something else.
    pub fn new(lang: Lang, pointed: Option<Pointed>) -> Self {
        let mut environment = strict();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(STEPS));
        environment.add_filter("number", move |n: f64, decimals: Option<usize>| lang.number(n, decimals.unwrap_or(0)));
        environment.add_filter("size", move |bytes: f64| lang.size(bytes));
        environment.add_filter("share", move |share: f64| lang.share(share));
        environment.add_filter("usd", move |amount: Option<f64>| lang.usd(amount));
        if let Some(pointed) = pointed {
            environment.add_filter("line", move |shown: String, sought: Option<String>| {
                let sought = sought.unwrap_or_else(|| shown.clone());
                let line = line_of(&pointed, &sought).ok_or_else(|| {
                    Error::new(ErrorKind::InvalidOperation, format!("the script does not hold `{sought}`"))
                })?;
                Ok::<_, Error>(format!("`{shown}` ({}\u{a0}{line})", lang.of("line", "ligne")))
            });
        }
        Self { lang, environment }
    }

    /// The text filled; `first` is the line of the file on which it begins, for what is said of its errors.
    pub fn tell(&self, name: &str, first: usize, text: &str, values: &Value) -> Result<String, ScriptError> {
        let told = self.environment.render_named_str(name, text, minijinja::value::Serde(values));
        told.map_err(|error| moved(failed(name, &error), first))
    }

    /// What an expression comes to.
    pub fn value(&self, name: &str, expression: &str, values: &Value) -> Result<Value, ScriptError> {
        Ok(serde_json::to_value(self.evaluated(name, expression, values)?).unwrap_or_default())
    }

    fn evaluated(&self, name: &str, expression: &str, values: &Value) -> Result<minijinja::Value, ScriptError> {
        let compiled = self.environment.compile_expression(expression);
        let value = compiled.and_then(|expression| expression.eval(minijinja::value::Serde(values)));
        value.map_err(|error| failed(name, &error))
    }

    /// Of both texts the one of this language, filled and set.
    pub fn words(&self, name: &str, words: &Words, values: &Value) -> Result<String, ScriptError> {
        let text = self.tell(name, 1, self.lang.of(&words.en, &words.fr), values)?;
        Ok(self.lang.typeset(text.trim_end()))
    }

    /// Whether an expression is true, as the engine has it: nothing, 0 and what is empty are not. Where there is none it is.
    pub fn holds(&self, name: &str, condition: Option<&str>, values: &Value) -> Result<bool, ScriptError> {
        condition.map_or(Ok(true), |condition| Ok(self.evaluated(name, condition, values)?.is_true()))
    }
}

fn moved(error: ScriptError, first: usize) -> ScriptError {
    match error {
        ScriptError::Render { name, line, cause } => ScriptError::Render { name, line: line + first - 1, cause },
        other => other,
    }
}

fn line_of(Pointed { script, from }: &Pointed, sought: &str) -> Option<usize> {
    let holding = || script.lines().zip(1..).filter(|(line, _)| line.contains(sought)).map(|(_, number)| number);
    holding().find(|line| line >= from).or_else(|| holding().next())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(lang: Lang, text: &str, values: &Value) -> Result<String, String> {
        let pointed = Pointed { script: "a = 1\ndef fit():\n    a = 2\n".into(), from: 2 };
        Teller::new(lang, Some(pointed)).tell("t.j2", 7, text, values).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_written_as_each_language_writes_them() {
        let values = json!({"n": 22688, "share": 0.9, "odd": 0.925, "bytes": 9_406_464, "usd": 1234.5, "none": null});
        let text = "{{ n | number }}; {{ share | share }}; {{ odd | share }}; {{ bytes | size }}; {{ usd | usd }}; {{ none | usd }}";
        assert_eq!(
            told(Lang::En, text, &values).expect("told"),
            "22,688; 90\u{a0}%; 92.5\u{a0}%; 9.4\u{a0}MB; 1,234.50\u{a0}USD; unknown"
        );
        assert_eq!(
            told(Lang::Fr, text, &values).expect("told"),
            "22\u{202f}688; 90\u{a0}%; 92,5\u{a0}%; 9,4\u{a0}Mo; 1\u{202f}234,50\u{a0}USD; inconnu"
        );
        assert_eq!((Lang::En.size(999.0), Lang::Fr.number(-1.5, 1)), ("999\u{a0}B".into(), "-1,5".into()));
    }

    #[test]
    fn french_signs_keep_to_their_words_and_code_is_left_alone() {
        let text = "Pourquoi : « oui » ; `a : b` : non !";
        assert_eq!(Lang::Fr.typeset(text), "Pourquoi\u{a0}: «\u{a0}oui\u{a0}»\u{a0}; `a : b`\u{a0}: non\u{a0}!");
        assert_eq!(Lang::En.typeset(text), text);
    }

    #[test]
    fn a_text_points_into_its_script_and_never_beside_it() {
        let pointed = |text| told(Lang::Fr, text, &json!({}));
        assert_eq!(pointed(r#"{{ "fit" | line("def fit") }}"#).as_deref(), Ok("`fit` (ligne\u{a0}2)"));
        assert_eq!(pointed(r#"{{ "a =" | line }}"#).as_deref(), Ok("`a =` (ligne\u{a0}3)"), "near before far");
        assert_eq!(pointed(r#"{{ "a = 1" | line }}"#).as_deref(), Ok("`a = 1` (ligne\u{a0}1)"));
        let error = pointed("one\n{{ \"b =\" | line }}").expect_err("points nowhere");
        assert!(error.contains("line 8") && error.contains("does not hold `b =`"), "{error}");
        let error = pointed("{{ unknown }}").expect_err("is strict");
        assert!(error.contains("line 7"), "{error}");
    }

    #[test]
    fn expressions_are_values() {
        let teller = Teller::new(Lang::En, None);
        let value = |expression| teller.value("t.j2", expression, &json!({"a": {"b": 40}})).map_err(|e| e.to_string());
        assert_eq!(value("-a.b"), Ok(json!(-40)));
        assert_eq!(value("a.b > 3 and true"), Ok(json!(true)));
        assert!(value("a.c.d").is_err() && value("((").is_err());
    }
}
