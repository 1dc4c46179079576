//! The runbook of a demonstration: what to type, show and say in twenty minutes, and what to do when something fails. Its
//! texts are one template of both languages, filled with the stack's facts and with its times.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TalkError;
use super::facts::{self, Facts};
use super::times::{Times, times};
use crate::price::{self, Cost, Table};
use crate::script::told::{Lang, Teller, Words};
use crate::script::{self, ScriptError};
use crate::stack::{Folder, Job, Stack};
use crate::text::about;

/// One file for both languages: what has no French has no English.
const TEMPLATE: &str = "present/runbook.yaml.j2";

/// What `down` takes, at most: EMR needs 1 to 5 minutes, with the upload of logs.
const DOWN: i64 = 5;

/// A demonstration by the minute, ready to be shown.
#[derive(Debug, Serialize)]
pub struct Runbook {
    pub stack: String,
    pub region: String,
    pub lang: Lang,
    pub job: String,
    pub title: String,
    pub opening: String,
    /// In the order in which they come.
    pub moments: Vec<Moment>,
    pub failures: Vec<Failing>,
    /// What of the stack does not go with this plan.
    pub warnings: Vec<String>,
    pub closing: String,
    pub cost: Cost,
    pub times: Times,
    /// Images on this machine that the job would find.
    pub images: Option<u64>,
    /// It is written from the stack alone.
    pub looked_at_aws: bool,
}

/// Something to do at its minute.
#[derive(Debug, Serialize)]
pub struct Moment {
    /// Minutes from the beginning of the talk; none for what is done a day before.
    pub minute: Option<i64>,
    /// `T-40`, or words.
    pub at: String,
    /// By the clock, where the beginning is said.
    pub clock: Option<String>,
    /// Minutes that it fills, where it is a part of the talk.
    pub lasts: Option<i64>,
    pub title: String,
    pub note: Option<String>,
    pub commands: Vec<String>,
    pub show: Option<String>,
    pub say: Option<String>,
    pub fallback: Option<String>,
}

/// What may go wrong, and what then.
#[derive(Debug, Serialize)]
pub struct Failing {
    pub when: String,
    pub then: String,
    pub commands: Vec<String>,
}

/// What a person asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The stack as it was typed, quoted for a shell.
    pub name: &'a str,
    /// The job that is shown.
    pub job: &'a str,
    pub lang: Lang,
    /// When the talk begins, in local time.
    pub begins: Option<jiff::civil::Time>,
    /// Whether it is given on the embedded AWS.
    pub local: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    title: Words,
    opening: Words,
    moments: Vec<MomentForm>,
    failures: Vec<FailingForm>,
    warnings: Vec<WarningForm>,
    closing: Words,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MomentForm {
    /// An expression that is a minute; a day before, where there is none.
    at: Option<String>,
    /// An expression: the moment is left out where it is not true.
    r#if: Option<String>,
    lasts: Option<i64>,
    title: Words,
    note: Option<Words>,
    #[serde(default)]
    commands: Vec<String>,
    show: Option<Words>,
    say: Option<Words>,
    fallback: Option<Words>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailingForm {
    r#if: Option<String>,
    when: Words,
    then: Words,
    #[serde(default)]
    commands: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WarningForm {
    r#if: String,
    text: Words,
}

/// The runbook of a stack and one of its jobs.
pub fn runbook(
    stack: &Stack,
    job: &Job,
    folder: Folder,
    cache: &Path,
    prices: &Table,
    asked: Asked,
) -> Result<Runbook, TalkError> {
    let lang = asked.lang;
    let (text, _) = script::template(folder, TEMPLATE)?;
    let form: Template = serde_yaml::from_str(&text).map_err(|cause| wrong(&cause))?;
    let images = job.features().and_then(|features| facts::images(stack, features));
    let times = times(stack, job, images);
    let cost = price::estimate(stack, prices, minutes(times.lead + times.talk + DOWN));
    let latest = price::estimate(stack, prices, minutes(times.lead + times.talk + times.after));
    let known = job.features().map(|features| Facts::of(stack, job, features, lang, cache));
    let values = json!({
        "stack": {"name": stack.name, "arg": asked.name, "region": stack.region.as_str(),
            "place": facts::region(stack.region, lang)},
        "tool": tool(asked.local),
        "local": asked.local,
        "lang": lang.of("", " --lang fr"),
        "job": {"name": asked.job, "template": job.features().is_some()},
        "facts": known,
        "cluster": stack.cluster.as_ref().map(|cluster| json!({
            "keep_alive": cluster.keep_alive, "protected": cluster.termination_protection,
            "spot": cluster.groups().any(|(_, group)| group.buys_spot())})),
        "limits": {"lifetime": about(stack.limits.lifetime.into()), "lifetime_minutes": stack.limits.lifetime.as_secs() / 60,
            "idle": about(stack.idle().into()), "idle_minutes": stack.idle().as_secs() / 60},
        "times": times,
        "end": end(asked.begins, times),
        "images": images,
        "cost": {"hour": cost.hourly.total, "talk": cost.lives.until_end, "end": latest.lives.until_end,
            "night": cost.lives.forgotten_night, "as_of": cost.prices_as_of},
    });
    let book = Filled { teller: Teller::new(lang, None), values, lang };
    let mut moments = Vec::new();
    for moment in &form.moments {
        if book.holds(moment.r#if.as_deref())? {
            moments.push(book.moment(moment, asked.begins)?);
        }
    }
    moments.sort_by_key(|moment| moment.minute.unwrap_or(i64::MIN));
    let mut failures = Vec::new();
    for failing in &form.failures {
        if book.holds(failing.r#if.as_deref())? {
            failures.push(Failing {
                when: book.words(&failing.when)?,
                then: book.words(&failing.then)?,
                commands: book.commands(&failing.commands)?,
            });
        }
    }
    let mut warnings = Vec::new();
    for warning in &form.warnings {
        if book.holds(Some(&warning.r#if))? {
            warnings.push(book.words(&warning.text)?);
        }
    }
    Ok(Runbook {
        stack: stack.title(),
        region: stack.region.to_string(),
        lang,
        job: asked.job.to_owned(),
        title: book.words(&form.title)?,
        opening: book.words(&form.opening)?,
        moments,
        failures,
        warnings,
        closing: book.words(&form.closing)?,
        cost,
        times,
        images,
        looked_at_aws: false,
    })
}

fn wrong(cause: &dyn std::fmt::Display) -> TalkError {
    TalkError::Runbook { template: TEMPLATE.to_owned(), cause: cause.to_string() }
}

fn minutes(n: i64) -> Duration {
    Duration::from_mins(n.unsigned_abs())
}

fn tool(local: bool) -> &'static str {
    if local { "fruitsinfra --local" } else { "fruitsinfra" }
}

/// How `up` is told when the cluster ends: by the clock, where that is known.
fn end(begins: Option<jiff::civil::Time>, times: Times) -> String {
    match begins {
        Some(begins) => format!("--until {}", clock(begins, times.talk + times.after)),
        None => format!("--for {}m", times.lead + times.talk + times.after),
    }
}

fn clock(begins: jiff::civil::Time, minute: i64) -> String {
    begins.wrapping_add(jiff::SignedDuration::from_mins(minute)).strftime("%H:%M").to_string()
}

/// Texts with what fills them.
struct Filled {
    teller: Teller,
    values: Value,
    lang: Lang,
}

impl Filled {
    fn text(&self, text: &str) -> Result<String, ScriptError> {
        Ok(self.teller.tell(TEMPLATE, 1, text, &self.values)?.trim_end().to_owned())
    }

    fn words(&self, words: &Words) -> Result<String, ScriptError> {
        self.teller.words(TEMPLATE, words, &self.values)
    }

    /// What comes to nothing is left out.
    fn some(&self, words: Option<&Words>) -> Result<Option<String>, ScriptError> {
        let told = words.map(|words| self.words(words)).transpose()?;
        Ok(told.filter(|told| !told.is_empty()))
    }

    fn commands(&self, commands: &[String]) -> Result<Vec<String>, ScriptError> {
        let mut told = Vec::new();
        for command in commands {
            told.extend(Some(self.text(command)?).filter(|command| !command.is_empty()));
        }
        Ok(told)
    }

    fn holds(&self, condition: Option<&str>) -> Result<bool, ScriptError> {
        self.teller.holds(TEMPLATE, condition, &self.values)
    }

    fn moment(&self, form: &MomentForm, begins: Option<jiff::civil::Time>) -> Result<Moment, TalkError> {
        let minute = match &form.at {
            None => None,
            Some(at) => {
                let minute = self.teller.value(TEMPLATE, at, &self.values)?;
                Some(minute.as_i64().ok_or_else(|| wrong(&format!("`at: {at}` is {minute}, and no minute")))?)
            }
        };
        let at = match minute {
            None => self.lang.of("The day before", "La veille").to_owned(),
            Some(minute) => format!("T{minute:+}"),
        };
        Ok(Moment {
            minute,
            at,
            clock: begins.zip(minute).map(|(begins, minute)| clock(begins, minute)),
            lasts: form.lasts,
            title: self.words(&form.title)?,
            note: self.some(form.note.as_ref())?,
            commands: self.commands(&form.commands)?,
            show: self.some(form.show.as_ref())?,
            say: self.some(form.say.as_ref())?,
            fallback: self.some(form.fallback.as_ref())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TWO, stack};
    use super::*;

    fn book(stack: &Stack, lang: Lang, begins: Option<&str>) -> Result<Runbook, String> {
        let begins = begins.map(|begins| begins.parse().expect("a time"));
        let asked = Asked { name: "demo", job: "features", lang, begins, local: false };
        let (job, nowhere) = (&stack.jobs["features"], Path::new("/nonexistent"));
        runbook(stack, job, nowhere.into(), nowhere, &Table::built_in(), asked).map_err(|error| error.to_string())
    }

    #[test]
    fn a_talk_is_twenty_minutes_in_both_languages_and_says_the_same_commands() {
        let stack = stack("lifetime: 3h", TWO);
        let [english, french] = Lang::ALL.map(|lang| book(&stack, lang, None).expect("a runbook"));
        for book in [&english, &french] {
            let parts: Vec<(i64, i64)> =
                book.moments.iter().filter_map(|moment| moment.minute.zip(moment.lasts)).collect();
            let mut at = 0;
            for (minute, lasts) in &parts {
                assert_eq!(*minute, at, "{parts:?} leave no gap");
                at += lasts;
            }
            assert_eq!(at, 20);
            assert!(book.warnings.is_empty(), "{:?}", book.warnings);
        }
        let commands =
            |book: &Runbook| book.moments.iter().flat_map(|moment| moment.commands.clone()).collect::<Vec<_>>();
        let sans_lang: Vec<String> = commands(&french).into_iter().map(|line| line.replace(" --lang fr", "")).collect();
        assert_eq!(commands(&english), sans_lang);
        for word in [
            "up demo --for 85m",
            "run demo features",
            "results demo features",
            "explain demo features",
            "down demo",
            "guard",
        ] {
            assert!(commands(&english).iter().any(|command| command.contains(word)), "{word}");
        }
        assert_ne!(english.title, french.title);
    }

    #[test]
    fn a_beginning_by_the_clock_gives_every_minute_a_time_and_an_end() {
        let book = book(&stack("lifetime: 3h", TWO), Lang::Fr, Some("00:10")).expect("a runbook");
        let up = book.moments.iter().find(|moment| moment.at == "T-40").expect("a start");
        assert_eq!(up.clock.as_deref(), Some("23:30"), "midnight is no end of time");
        assert!(up.commands.iter().any(|command| command.ends_with("--until 00:55")), "{:?}", up.commands);
    }

    #[test]
    fn what_does_not_go_with_the_plan_is_said() {
        let told = |limits, cluster: &str| book(&stack(limits, cluster), Lang::En, None).expect("a runbook").warnings;
        assert!(told("lifetime: 30m, idle: 20m", TWO).iter().any(|said| said.contains("limits.lifetime")));
        assert!(told("lifetime: 3h, idle: 20m", TWO).iter().any(|said| said.contains("after 20 min")));
        let ends = format!("{TWO}, keep_alive: false");
        assert!(told("lifetime: 3h", &ends).iter().any(|said| said.contains("keep_alive")));
        let protected = format!("{TWO}, termination_protection: true");
        assert!(told("lifetime: 3h", &protected).iter().any(|said| said.contains("termination")));
    }

    #[test]
    fn a_runbook_beside_the_stack_comes_first_and_its_faults_are_told() {
        let (stack, folder) = (stack("lifetime: 3h", TWO), tempfile::tempdir().expect("a folder"));
        let own = folder.path().join("templates").join(TEMPLATE);
        std::fs::create_dir_all(own.parent().expect("a parent")).expect("a folder");
        let told = |text: &str| {
            std::fs::write(&own, text).expect("written");
            let asked = Asked { name: "demo", job: "features", lang: Lang::Fr, begins: None, local: false };
            let table = Table::built_in();
            let book = runbook(&stack, &stack.jobs["features"], folder.path().into(), folder.path(), &table, asked);
            book.map(|book| book.title).map_err(|error| error.to_string())
        };
        let whole = "title: {en: a, fr: 'à {{ stack.name }}'}\nopening: {en: a, fr: b}\nclosing: {en: a, fr: b}\nfailures: []\nwarnings: []\n";
        assert_eq!(told(&format!("{whole}moments: []\n")).as_deref(), Ok("à s"));
        let error = told("title: {en: a}\n").expect_err("lacks its French");
        assert!(error.starts_with("present/runbook.yaml.j2 is no runbook: ") && error.contains("fr"), "{error}");
        let error =
            told(&format!("{whole}moments: [{{at: stack.name, title: {{en: a, fr: b}}}}]\n")).expect_err("no minute");
        assert!(error.contains("no minute"), "{error}");
    }
}
