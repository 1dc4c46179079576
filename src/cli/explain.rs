//! `explain`: what is behind a code, and a job's script step by step. All that it says is written elsewhere: in
//! `docs/codes`, and in the template of the job.

use std::path::Path;

use serde_json::{Value, json};

use super::run::find_job;
use super::session::{find, folder, load};
use super::{DONE, Ended, Failure, Global};
use crate::script::told::Lang;
use crate::script::{self, Origin};
use crate::stack::{Disk, FeatureJob, Job, JobWork, Stack, profile};
use crate::talk::facts::Facts;
use crate::talk::walk::{self, Step};
use crate::text::counted;
use crate::ui::codes::{self, Page};
use crate::ui::talk::{Code, Walk};
use crate::ui::{self, Output, Ui, markdown, width};
use crate::{blueprint, python};

/// Explain the code of a finding, or a job's script step by step
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fruitsinfra explain                            all codes
  fruitsinfra explain FI203                      what one means, what would happen, what to do
  fruitsinfra explain demo features              the script of a job, step by step
  fruitsinfra explain demo features --lang fr    the same in French
  fruitsinfra --output markdown explain demo features --code > walk.md")]
pub(super) struct Args {
    /// A code, as in FI203; or a stack's file, or the bare name of one in stacks/
    #[arg(value_name = "CODE|STACK")]
    subject: Option<String>,
    /// The job's key in the stack
    job: Option<String>,
    /// What a walk-through is written in
    #[arg(long, value_enum, default_value_t)]
    lang: Lang,
    /// Show the code of each step, too
    #[arg(long)]
    code: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    match (&args.subject, &args.job) {
        (None, _) => match ui.output {
            Output::Json => ui.data(&json!({"groups": all()})),
            Output::Markdown => ui.out(codes::index().trim_end()),
            _ => ui.out(codes::list()),
        },
        (Some(name), Some(job)) => return walk(ui, args, name, job),
        (Some(word), None) => match codes::page(word) {
            Some(page) => show(ui, &page, args.lang),
            None if is_stack(word) => return jobs(ui, word),
            None => return Err(unknown(word)),
        },
    }
    Ok(DONE)
}

fn show(ui: Ui, page: &Page, lang: Lang) {
    if lang != Lang::En {
        ui.say("Pages of codes are written in English.");
    }
    match ui.output {
        Output::Json => ui.data(page),
        Output::Markdown => ui.out(page.text.trim_end()),
        _ => ui.out(markdown::render(page.text, width())),
    }
}

/// The codes by subject, without their pages.
fn all() -> Vec<Value> {
    let briefly = |page: &Page| json!({"code": page.code, "title": page.title, "severity": page.severity});
    let groups = codes::groups().into_iter();
    groups.map(|g| json!({"group": g.title, "codes": g.pages.iter().map(briefly).collect::<Vec<_>>()})).collect()
}

fn unknown(word: &str) -> Failure {
    let all = "`fruitsinfra explain` lists all codes";
    let hint = match codes::near(word) {
        Some(near) => format!("did you mean {} ({})? {all}", near.code, near.title),
        None => all.to_owned(),
    };
    Failure::usage(format!("there is no code `{word}`")).hint(hint)
}

/// Whether a word names a stack that is there, rather than a code that is not.
fn is_stack(word: &str) -> bool {
    profile::split(&Disk::default(), &find(word)).0.is_file()
}

/// Which jobs of a stack there are to explain.
fn jobs(ui: Ui, name: &str) -> Ended {
    let stack = load(ui, name)?;
    let quoted = shell_words::quote(name);
    if ui.json() {
        let told = |(key, job): (&String, &Job)| json!({"job": key, "template": job.features().map(|of| &of.template)});
        ui.data(&json!({"stack": stack.title(), "jobs": stack.jobs.iter().map(told).collect::<Vec<_>>()}));
        return Ok(DONE);
    }
    if stack.jobs.is_empty() {
        return Err(
            Failure::usage(format!("stack `{}` has no job to explain", stack.name)).hint("declare one under `jobs:`")
        );
    }
    let told = stack.jobs.iter().map(|(key, job)| match &job.work {
        JobWork::Template(of) => {
            format!("- `fruitsinfra explain {quoted} {}`: rendered from {}", shell_words::quote(key), of.template)
        }
        JobWork::Script { script, .. } => format!("- {key}: a script of your own, {}", script.display()),
    });
    let page = format!("# Jobs of {}\n\n{}\n", stack.title(), told.collect::<Vec<_>>().join("\n"));
    match ui.output {
        Output::Markdown => ui.out(page.trim_end()),
        _ => ui.out(markdown::render(&page, width())),
    }
    Ok(DONE)
}

/// A job's script, step by step.
fn walk(ui: Ui, args: &Args, name: &str, key: &str) -> Ended {
    let stack = load(ui, name)?;
    let job = find_job(&stack, key)?;
    let Some(features) = job.features() else { return Err(own_script(job, key)) };
    let folder = folder(name);
    let wrong = |error: script::ScriptError| Failure::from(blueprint::MaterialError::from(error));
    let script = script::job(&stack, key, job, folder.as_path()).map_err(wrong)?;
    let (template, origin) = script::template(folder.as_path(), &features.template).map_err(wrong)?;
    let facts = Facts::of(&stack, job, features, args.lang, &python::cache());
    let values = values(&stack, key, features, &facts)?;
    let file = file(&folder, features, origin);
    let steps = walk::steps(&script, &file, &template, &values, args.lang).map_err(|error| {
        Failure::usage(error.to_string())
            .hint("mend the comment in the template: the script itself is not touched by it")
    })?;
    if steps.iter().all(|step| step.text.is_none()) {
        return Err(unexplained(&file, &steps, args.lang));
    }
    let title = stack.title();
    let typed = shell_words::quote(name);
    let shown = Walk { stack: &title, typed: &typed, job: key, template: &file, lang: args.lang, steps: &steps };
    match ui.output {
        Output::Json => ui.data(&json!({
            "stack": title, "job": key, "lang": args.lang, "region": stack.region, "template": file,
            "script_lines": script.lines().count(), "facts": facts, "steps": steps,
        })),
        Output::Markdown => {
            let code = if args.code { Code::Plain } else { Code::Left };
            ui.out(ui::talk::walk(&shown, code).trim_end());
        }
        _ => {
            let code = if args.code { Code::Numbered } else { Code::Left };
            ui.out(markdown::render(&ui::talk::walk(&shown, code), width()));
        }
    }
    for step in steps.iter().filter(|step| step.lang != Some(args.lang)) {
        let lang = args.lang.as_str();
        ui.say(format!("{file}: step {} has no `explain {lang}` comment below its heading", step.number));
    }
    Ok(DONE)
}

/// What the script was rendered with, and what else is known of the stack.
fn values(stack: &Stack, key: &str, features: &FeatureJob, facts: &Facts) -> Result<Value, Failure> {
    let mut values = script::values(stack, key, features);
    values["facts"] = serde_json::to_value(facts).map_err(|error| Failure::failed(error.to_string()))?;
    Ok(values)
}

/// The template as a person finds it: a file beside the stack, or one of ours by its name.
fn file(folder: &Path, features: &FeatureJob, origin: Origin) -> String {
    match origin {
        Origin::Template => folder.join("templates").join(&features.template).display().to_string(),
        Origin::File | Origin::Ours => features.template.clone(),
    }
}

fn own_script(job: &Job, key: &str) -> Failure {
    let script = match &job.work {
        JobWork::Script { script, .. } => script.display().to_string(),
        JobWork::Template(of) => of.template.clone(),
    };
    Failure::usage(format!(
        "job `{key}` is a script of your own, {script}: it has no template whose comments would explain it"
    ))
    .hint("a job that names a `template:` can be explained; one of your own stands in templates/ beside the stack")
}

fn unexplained(file: &str, steps: &[Step], lang: Lang) -> Failure {
    let lang = lang.as_str();
    let (lacks, place) = match steps {
        [] => {
            ("no numbered section".to_owned(), "a line `# 1. What is done first` begins a section; below it".to_owned())
        }
        steps => (
            format!("{}, and explains none", counted(steps.len(), "numbered section")),
            format!("below `# {}. {}`", steps[0].number, steps[0].title),
        ),
    };
    Failure::usage(format!("{file} has {lacks}")).hint(format!(
        "{place}, write a comment of the template, which leaves nothing in the script:\n{{#- explain {lang}\nWhy it is done so. {{{{ job.name }}}} is a value of the job.\n#}}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ours, as `explain` would tell it for the stacks of the repository.
    fn steps(lang: Lang, stack: &str) -> Vec<Step> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks").join(stack);
        let stack = crate::stack::load(&path).expect("a stack").stack;
        let (job, folder) = (&stack.jobs["features"], path.parent().expect("a folder"));
        let features = job.features().expect("of a template");
        let script = script::job(&stack, "features", job, folder).expect("renders");
        let (template, origin) = script::template(folder, &features.template).expect("is there");
        assert_eq!(origin, Origin::Ours);
        let facts = Facts::of(&stack, job, features, lang, Path::new("/nonexistent"));
        let values = values(&stack, "features", features, &facts).expect("values");
        walk::steps(&script, "fruit_features.py.j2", &template, &values, lang).expect("explained")
    }

    /// How many sections the script numbers, counted otherwise than the walk does.
    fn numbered(template: &str) -> usize {
        let lines: Vec<&str> = template.lines().collect();
        let heading = |pair: &&[&str]| {
            pair[0].starts_with("# ---")
                && pair[1].get(2..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        lines.windows(2).filter(heading).count()
    }

    #[test]
    fn every_numbered_section_is_explained_in_both_languages_on_every_stack() {
        let template = script::template(Path::new(""), "jobs/fruit_features.py.j2").expect("ours").0;
        let sections = numbered(&template);
        assert!(sections >= 5, "{sections}");
        for stack in ["demo.yaml", "jupyter.yaml", "minimal.yaml", "spot-graviton.yaml"] {
            let [english, french] = Lang::ALL.map(|lang| steps(lang, stack));
            for (lang, steps) in [(Lang::En, &english), (Lang::Fr, &french)] {
                let numbers: Vec<usize> = steps.iter().map(|step| step.number as usize).collect();
                assert_eq!(numbers, (0..=sections).collect::<Vec<_>>(), "{stack}, {lang:?}");
                for step in steps {
                    assert_eq!(step.lang, Some(lang), "{stack}: step {} in {lang:?}", step.number);
                    assert!(step.text.as_ref().is_some_and(|text| text.len() > 200), "{stack}: step {}", step.number);
                    assert!(!step.code.contains("{#") && !step.code.contains("explain fr"), "no comment is left");
                }
            }
            for (english, french) in english.iter().zip(&french) {
                assert_eq!(english.lines, french.lines);
                assert_ne!(english.title, french.title, "a heading is translated too");
            }
        }
    }

    #[test]
    fn the_walk_tells_the_stacks_own_facts() {
        let whole = |lang, stack| steps(lang, stack).into_iter().filter_map(|step| step.text).collect::<String>();
        let english = whole(Lang::En, "demo.yaml");
        for word in
            ["eu-west-3", "Paris", "9.4\u{a0}MB", "2 executors", "18.8\u{a0}MB", "90\u{a0}%", "weights=None", "Arrow"]
        {
            assert!(english.contains(word), "{word}");
        }
        let french = whole(Lang::Fr, "spot-graviton.yaml");
        for word in ["eu-central-1", "Francfort", "9,4\u{a0}Mo", "95\u{a0}%", "500"] {
            assert!(french.contains(word), "{word}");
        }
    }
}
