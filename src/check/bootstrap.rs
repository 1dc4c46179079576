//! `FI62x`: what goes wrong on nodes with the shell scripts that people bring: failures that EMR calls a success,
//! packages that land where Spark does not look, words that the shell takes for something else.

use std::collections::BTreeSet;

use super::Nodes;
use super::pip::{self, Install};
use super::shell::{Command, Script, Word};
use crate::residency::region_abroad;
use crate::stack::finding::{Problem, Severity};
use crate::stack::normal_package;
use crate::stack::packages::{self, Verdict};

/// All that is found in a bootstrap action.
pub(super) fn problems(text: &str, script: &Script, nodes: &Nodes) -> Vec<Problem> {
    let mut problems = Vec::new();
    whole(text, script, &mut problems);
    let yes = script.commands.iter().filter(|command| command.program == "yes");
    let told_yes: BTreeSet<&str> = yes.filter_map(|command| command.into.as_deref()).collect();
    for command in &script.commands {
        managers(command, &told_yes, &mut problems);
        downloads(command, nodes, &mut problems);
        openings(command, &mut problems);
        if let Some(install) = pip::install(command) {
            installation(text, &install, nodes, &mut problems);
        }
    }
    problems
}

/// The first line, what becomes of failures, and lines that are not joined as they look.
fn whole(text: &str, script: &Script, problems: &mut Vec<Problem>) {
    let first = text.lines().next().unwrap_or_default();
    let shebang = first.starts_with("#!");
    if !shebang {
        let message = "no `#!` line says which shell reads this script";
        problems.push(
            Problem::new("FI620", 0..first.len(), message)
                .warning()
                .hint("begin with #!/bin/bash")
                .mended(0..0, "#!/bin/bash\n"),
        );
    }
    let sets = |command: &Command| {
        command.program == "set" && (command.short('e') || (command.short('o') && command.says(&["errexit"])))
    };
    let heeded = shebang && first.split_whitespace().skip(1).any(|word| word.starts_with("-e"));
    // With one command alone its own outcome is the script's.
    if !heeded && script.commands.len() > 1 && !script.commands.iter().any(sets) {
        let after = if shebang { text.find('\n').map_or(text.len(), |end| end + 1) } else { 0 };
        let message = "a command that fails here is passed over: EMR judges the script by its last one, and Spark starts \
            without what was to be installed";
        problems.push(
            Problem::new("FI621", 0..first.len(), message)
                .warning()
                .hint("write `set -euo pipefail` below the first line")
                .mended(after..after, "set -euo pipefail\n"),
        );
    }
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end_matches(['\n', '\r']);
        let code = trimmed.trim_end_matches([' ', '\t']);
        if code.len() < trimmed.len() && ends_in_escape(code) && !code.trim_start().starts_with('#') {
            let at = from + code.len() - 1..from + trimmed.len();
            let message = "this `\\` escapes the space after it, so the command ends here and the next line is another";
            problems.push(
                Problem::new("FI630", at, message).hint("let `\\` be the last character of the line").becomes("\\"),
            );
        }
        from += line.len();
    }
    if let Some(unread) = &script.unread {
        let message = "bash would stumble here: a quote, a bracket or a keyword has no partner";
        problems.push(
            Problem::new("FI627", unread.clone(), message).warning().hint("run `bash -n` on the script, and mend it"),
        );
    }
}

fn ends_in_escape(code: &str) -> bool {
    (code.len() - code.trim_end_matches('\\').len()) % 2 == 1
}

/// The package manager of the nodes' own system, and one that does not wait for an answer.
fn managers(command: &Command, told_yes: &BTreeSet<&str>, problems: &mut Vec<Problem>) {
    let foreign = ["apt", "apt-get", "aptitude", "dpkg", "apk", "zypper", "pacman", "brew"];
    let program = command.program.as_str();
    if foreign.contains(&program) {
        let message = format!("`{program}` is not there: the nodes run Amazon Linux");
        let hint = "use `sudo dnf install -y` on EMR 7, `sudo yum install -y` before; names differ (python3-devel)";
        problems.push(Problem::new("FI624", command.at.clone(), message).hint(hint));
    } else if ["yum", "dnf"].contains(&program)
        && let Some(verb) = command.args.iter().find(|arg| {
            ["install", "update", "upgrade", "groupinstall", "localinstall", "remove"]
                .contains(&arg.text.as_deref().unwrap_or_default())
        })
        && !command.short('y')
        && !command.says(&["--assumeyes"])
        && !told_yes.contains(program)
    {
        let message = format!("`{program}` asks before it installs, and nobody answers: it gives up");
        let after = verb.span.end..verb.span.end;
        problems.push(Problem::new("FI625", command.at.clone(), message).hint("add -y").mended(after, " -y"));
    }
}

fn installation(text: &str, install: &Install<'_>, nodes: &Nodes, problems: &mut Vec<Problem>) {
    swallowed(text, install, problems);
    if let Some(user) = &install.user {
        let sudo = install.command.sudo;
        let home =
            if sudo { "root's home, where Spark never looks" } else { "one user's home, and Spark may run as another" };
        let problem = Problem::new("FI623", user.clone(), format!("the packages land in {home}"));
        let problem = if sudo { problem } else { problem.warning() };
        let end = user.end + text[user.end..].chars().take_while(|c| *c == ' ').count();
        let hint = if sudo { "leave --user out" } else { "leave --user out, and write sudo in front" };
        problems.push(problem.hint(hint).mended(user.start..end, ""));
    }
    if let (Some(other), Some(python)) = (&install.python, &nodes.python)
        && other != python
    {
        let message = format!("this installs for Python {other}, and Spark runs {python}");
        problems.push(
            Problem::new("FI629", install.command.at.clone(), message)
                .warning()
                .hint(format!("write python{python} -m pip, or set PYSPARK_PYTHON to /usr/bin/python{other}")),
        );
    }
    let mut loose: Vec<&str> = Vec::new();
    for requirement in &install.requirements {
        let package = normal_package(&requirement.name);
        let on = install.python.as_ref().or(nodes.python.as_ref());
        let unfit = requirement.version.as_ref().zip(on);
        let unfit = unfit.and_then(|(version, python)| packages::version(&requirement.name, version, python));
        let twice = packages::twice(&requirement.name, nodes.tensorflow_application);
        // What a script installs may be for itself.
        let twice = twice.map(|verdict| Verdict { severity: Severity::Warning, ..verdict });
        let foreign = packages::foreign(&requirement.name, nodes.arm.as_deref());
        for Verdict { code, severity, message, hint } in
            packages::name(&requirement.name).into_iter().chain(unfit).chain(twice).chain(foreign)
        {
            let problem = Problem::new(code, requirement.span.clone(), message).hint(hint);
            problems.push(Problem { severity, ..problem });
        }
        let tools = ["pip", "setuptools", "wheel"].contains(&package.as_str());
        // What the shell cut off is told already.
        let cut = install.command.redirects.iter().any(|redirect| redirect.span.start == requirement.span.end);
        if requirement.version.is_none() && !tools && !cut {
            loose.push(&requirement.name);
        }
    }
    if !loose.is_empty() {
        let message = format!("{} unpinned: what is installed changes from day to day", said(&loose));
        let hint = "pin each, as in 'pandas==2.3.3', or declare them as `packages` of a template";
        problems.push(Problem::new("FI626", install.command.span.clone(), message).warning().hint(hint));
    }
}

fn said(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} is"),
        [one, other] => format!("{one} and {other} are"),
        [one, other, ..] => format!("{one}, {other} and {} more are", names.len() - 2),
        [] => String::new(),
    }
}

/// `pip install pandas<1.3` reads a file called 1.3.
fn swallowed(text: &str, install: &Install<'_>, problems: &mut Vec<Problem>) {
    for redirect in &install.command.redirects {
        let target = redirect.target.as_ref().and_then(|target| target.text.as_deref()).unwrap_or_default();
        let version = target.trim_start_matches('=');
        let Some(sign) = text[redirect.span.clone()].chars().find(|c| "<>".contains(*c)) else { continue };
        if !version.starts_with(|c: char| c.is_ascii_digit())
            || !packages::is_version(version.split(',').next().unwrap_or(version))
        {
            continue;
        }
        // The name stands in front, with or without a space.
        let before = text[..redirect.span.start].trim_end();
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let written = &text[start..redirect.span.end];
        // What has its version already is only written somewhere.
        if text[start..redirect.span.start].contains("==") {
            continue;
        }
        let does = if sign == '<' { "looks for" } else { "writes into" };
        let message = format!(
            "`{sign}` is a redirection here: the shell {does} a file called `{target}`, and pip sees no version"
        );
        let quoted = format!("'{}'", written.replace([' ', '\'', '"', '\\'], ""));
        problems.push(
            Problem::new("FI622", start..redirect.span.end, message)
                .hint(format!("quote it: {quoted}"))
                .becomes(quoted),
        );
    }
}

/// What a script fetches or asks outside, as far as it names where.
fn downloads(command: &Command, nodes: &Nodes, problems: &mut Vec<Problem>) {
    let fetches = ["curl", "wget"].contains(&command.program.as_str());
    if fetches && command.into.as_deref().is_some_and(|into| ["sh", "bash", "python", "python3"].contains(&into)) {
        let message = "what is fetched here runs as it is found that day, with the rights of the nodes";
        let hint = "keep it in a bucket of the stack, and check its sha256 before it runs";
        problems.push(Problem::new("FI628", command.span.clone(), message).warning().hint(hint));
    }
    for arg in &command.args {
        let Some((abroad, place)) = arg.text.as_deref().and_then(region_abroad) else { continue };
        let problem = Problem::new("FI209", arg.span.clone(), format!("{abroad} is named here: it lies in {place}"));
        // A download brings no data there; anything else may.
        let problem = if fetches { problem.warning() } else { problem };
        problems.push(problem.hint(format!("name {}, or leave it out", nodes.region)));
    }
}

/// `BlockPublicAcls=false`, alone or among others.
fn says_false(arg: &Word) -> bool {
    arg.text
        .as_deref()
        .is_some_and(|text| text.to_lowercase().replace([' ', '"'], "").replace(':', "=").contains("=false"))
}

/// Doors opened and buckets published by a script, which no plan shows.
fn openings(command: &Command, problems: &mut Vec<Problem>) {
    if command.program != "aws" {
        return;
    }
    let world = command.args.iter().find(|arg| {
        let text = arg.text.as_deref().unwrap_or_default();
        text.contains("0.0.0.0/0") || text.contains("::/0")
    });
    if let Some(world) = world.filter(|_| command.says(&["authorize-security-group-ingress"])) {
        let message = "this opens a port to the whole world, and no plan shows it";
        problems.push(
            Problem::new("FI411", world.span.clone(), message)
                .hint("say it as `access` of the cluster, from your own address"),
        );
    }
    let public = ["public-read", "public-read-write"];
    if let Some(arg) = command.args.iter().find(|arg| arg.text.as_deref().is_some_and(|text| public.contains(&text))) {
        let message = "this lets everybody on the internet read what lies in the bucket";
        problems.push(
            Problem::new("FI412", arg.span.clone(), message).hint("leave it out: whoever needs it is given a role"),
        );
    } else if command.says(&["delete-public-access-block"])
        || command.says(&["put-public-access-block"]) && command.args.iter().any(says_false)
    {
        let message = "this takes away what keeps the bucket from being public";
        problems.push(Problem::new("FI412", command.span.clone(), message).hint("leave it out"));
    } else if let Some(arg) = command.args.iter().find(|arg| arg.text.as_deref() == Some("--no-sign-request")) {
        let message = "this only works on a bucket that everybody can read";
        problems.push(
            Problem::new("FI412", arg.span.clone(), message)
                .warning()
                .hint("leave it out: the nodes' role signs requests"),
        );
    }
}
