//! The files by which a sweep is started unattended: systemd, cron, GitHub, GitLab. Pure text: it never asks
//! what is on this machine, and no secret is ever in what it writes.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::residency::EuRegion;
use crate::script::{self, ScriptError};
use crate::stack::Period;

/// Who starts the sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Systemd,
    Cron,
    Github,
    Gitlab,
}

/// What is started, how often, and as whom.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The program, where it will be; a forge builds its own.
    pub binary: PathBuf,
    pub every: Period,
    /// What a sweep may take; unsaid, four fifths of the interval, at most [`LONGEST`].
    pub within: Option<Period>,
    pub kill: bool,
    pub hard: bool,
    /// The topic that is told.
    pub sns: Option<String>,
    pub profile: Option<String>,
    /// Whose service it is; unsaid, systemd makes one up.
    pub user: Option<String>,
    /// The file that credentials and the webhook are read from.
    pub environment: PathBuf,
}

/// What a sweep may take unless it is said: six regions answer in seconds, throttled ones in minutes.
const LONGEST: Period = Period::minutes(4);

/// What a process may take beyond its sweep's own deadline before it is stuck, in seconds.
const STUCK: u64 = 60;

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("`{0}` is no interval of a clock")]
    Interval(Period),
    #[error("a sweep may take {within}, and the next one starts {every} after it")]
    Overlaps { within: Period, every: Period },
    #[error("GitHub starts nothing more often than every 5m, and `{0}` is asked for")]
    TooOften(Period),
    #[error("the {what} `{text}` holds {found}, which what starts the sweep would read as something else")]
    NotPlain { what: &'static str, text: String, found: String },
    #[error("the {what} `{}` is no path from the root", path.display())]
    Relative { what: &'static str, path: PathBuf },
    #[error("a service sees nothing of `{}`: it is in a temporary folder", .0.display())]
    Temporary(PathBuf),
    #[error("a service with a user of its own sees nothing of a home folder, and {0} is in one")]
    Homeless(String),
    #[error("`{0}` is no topic in the EU")]
    Topic(String),
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl InstallError {
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Interval(_) => "minutes that divide an hour, as in 5m, or hours that divide a day, as in 2h",
            Self::Overlaps { .. } => "a shorter `--deadline`, or a longer `--every`",
            Self::TooOften(_) => "`--every 5m`, or a machine of yours with `--systemd`",
            Self::NotPlain { .. } => "letters, digits and any of / . _ - + @ : are safe everywhere",
            Self::Relative { .. } => "write it from `/` on",
            Self::Temporary(_) => "copy it to /usr/local/bin, and name that with `--binary`",
            Self::Homeless(_) => "`--user NAME` names whose service it is",
            Self::Topic(_) => "as in arn:aws:sns:eu-west-3:000000000000:guard",
            Self::Script(_) => return None,
        })
    }
}

/// The files of a form, by name.
pub fn files(form: Form, sweep: &Sweep) -> Result<Vec<(&'static str, String)>, InstallError> {
    let Sweep { binary, every, profile, user, environment, .. } = sweep;
    let beat = Beat::of(*every)?;
    if form == Form::Github && every.as_secs() < 300 {
        return Err(InstallError::TooOften(*every));
    }
    let within = within(sweep)?;
    let arguments = arguments(form, sweep, within)?;
    let here = matches!(form, Form::Systemd | Form::Cron);
    if here {
        for (what, path) in [("program", binary), ("environment file", environment)] {
            if !path.is_absolute() {
                return Err(InstallError::Relative { what, path: path.clone() });
            }
            plain(what, &path.display().to_string())?;
        }
        for (what, name) in [("profile", profile), ("user", user)] {
            name.as_deref().map_or(Ok(()), |name| plain(what, name))?;
        }
    }
    if form == Form::Systemd {
        visible(sweep)?;
    }
    let program = if here { binary.as_path() } else { Path::new("target/debug/fruitsinfra") };
    let command = format!("{} {arguments}", program.display());
    let stuck = within.as_secs() + STUCK;
    let mut values = json!({
        "command": command,
        "every": every.to_string(),
        "within": within.to_string(),
        "stuck": stuck,
        "kills": sweep.kill,
        "profile": profile,
        "user": user,
        "environment": environment,
        "calendar": beat.calendar(),
        "cron": beat.cron(),
        "spread": (every.as_secs() / 10).min(30),
    });
    values["line"] = crontab(sweep, &beat, &command, stuck).into();
    let wanted: &[(&str, &str)] = match form {
        Form::Systemd => &[("fruitsinfra-guard.service", "service"), ("fruitsinfra-guard.timer", "timer")],
        Form::Cron => &[("fruitsinfra-guard.cron", "cron")],
        Form::Github => &[("fruitsinfra-guard.yml", "github")],
        Form::Gitlab => &[("fruitsinfra-guard.gitlab-ci.yml", "gitlab")],
    };
    let file = |(name, template): &(&'static str, &str)| {
        Ok((*name, script::embedded(&format!("guard/{template}.j2"), &values)?))
    };
    wanted.iter().map(file).collect()
}

/// One line: cron gives a job hardly any PATH, and starts it whether or not the last one has ended.
fn crontab(sweep: &Sweep, beat: &Beat, command: &str, stuck: u64) -> String {
    let (binary, environment) = (sweep.binary.display(), sweep.environment.display());
    let profile = sweep.profile.as_ref().map(|name| format!(" AWS_PROFILE={name}")).unwrap_or_default();
    format!(
        "{} export PATH=/usr/local/bin:/usr/bin:/bin{profile}; set -a; [ ! -r {environment} ] || . {environment}; \
         exec flock -n {binary} timeout {stuck} {command}",
        beat.cron()
    )
}

fn within(sweep: &Sweep) -> Result<Period, InstallError> {
    let every = sweep.every;
    let within = sweep.within.unwrap_or_else(|| LONGEST.min(Period::seconds(every.as_secs() * 4 / 5)));
    if within < every { Ok(within) } else { Err(InstallError::Overlaps { within, every }) }
}

/// `guard --kill --deadline 4m`.
fn arguments(form: Form, sweep: &Sweep, within: Period) -> Result<String, InstallError> {
    let mut words = vec!["guard".to_owned()];
    words.extend(sweep.kill.then(|| "--kill".into()));
    words.extend(sweep.hard.then(|| "--hard".into()));
    // cron mails every word.
    words.extend((form == Form::Cron).then(|| "--quiet".into()));
    words.push(format!("--deadline {within}"));
    if let Some(topic) = &sweep.sns {
        region_of(topic)?;
        words.push(format!("--notify-topic {topic}"));
    }
    Ok(words.join(" "))
}

/// Where a topic is, which must be in the EU.
pub fn region_of(topic: &str) -> Result<EuRegion, InstallError> {
    plain("topic", topic)?;
    let parts: Vec<&str> = topic.split(':').collect();
    let region = match parts[..] {
        ["arn", partition, "sns", region, account, name] if account.len() == 12 && !name.is_empty() => {
            region.parse::<EuRegion>().ok().filter(|region| region.partition() == partition)
        }
        _ => None,
    };
    region.ok_or_else(|| InstallError::Topic(topic.to_owned()))
}

/// systemd, cron and shells each have their own marks; none of them is let in.
fn plain(what: &'static str, text: &str) -> Result<(), InstallError> {
    let stranger = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"/._-+@:".contains(*c));
    match (stranger, text.is_empty()) {
        (None, false) => Ok(()),
        (found, _) => {
            let found = found.map_or_else(|| "nothing".into(), |c| format!("{c:?}"));
            Err(InstallError::NotPlain { what, text: text.into(), found })
        }
    }
}

/// Whether the service, hardened as it is, reaches its program and its profile.
fn visible(sweep: &Sweep) -> Result<(), InstallError> {
    let Sweep { binary, profile, user, .. } = sweep;
    if binary.starts_with("/tmp") || binary.starts_with("/var/tmp") {
        return Err(InstallError::Temporary(binary.clone()));
    }
    let at_home = ["/home", "/root", "/run/user"].iter().any(|home| binary.starts_with(home));
    match (user, profile) {
        (None, Some(profile)) => Err(InstallError::Homeless(format!("the profile `{profile}`"))),
        (None, None) if at_home => Err(InstallError::Homeless(format!("`{}`", binary.display()))),
        _ => Ok(()),
    }
}

/// An interval that a clock can show: one that divides an hour, or a day.
#[derive(Clone, Copy, Debug)]
enum Beat {
    Minutes(u64),
    Hours(u64),
}

impl Beat {
    fn of(every: Period) -> Result<Self, InstallError> {
        let seconds = every.as_secs();
        match (seconds / 60, seconds / 3600) {
            (minutes @ 1..60, _) if seconds.is_multiple_of(60) && 60 % minutes == 0 => Ok(Self::Minutes(minutes)),
            (_, hours @ 1..=24) if seconds.is_multiple_of(3600) && 24 % hours == 0 => Ok(Self::Hours(hours)),
            _ => Err(InstallError::Interval(every)),
        }
    }

    /// As systemd writes it.
    fn calendar(self) -> String {
        match self {
            Self::Minutes(minutes) => format!("*:0/{minutes}"),
            Self::Hours(1) => "*:00".into(),
            Self::Hours(24) => "00:00".into(),
            Self::Hours(hours) => format!("0/{hours}:00"),
        }
    }

    /// As cron and the forges write it.
    fn cron(self) -> String {
        match self {
            Self::Minutes(1) => "* * * * *".into(),
            Self::Minutes(minutes) => format!("*/{minutes} * * * *"),
            Self::Hours(1) => "0 * * * *".into(),
            Self::Hours(24) => "0 0 * * *".into(),
            Self::Hours(hours) => format!("0 */{hours} * * *"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep() -> Sweep {
        Sweep {
            binary: "/usr/local/bin/fruitsinfra".into(),
            every: Period::minutes(5),
            within: None,
            kill: true,
            hard: false,
            sns: None,
            profile: None,
            user: None,
            environment: "/etc/fruitsinfra/guard.env".into(),
        }
    }

    fn refused(form: Form, sweep: &Sweep) -> String {
        let error = files(form, sweep).expect_err("is refused");
        assert!(error.hint().is_some(), "{error} says what to do");
        error.to_string()
    }

    #[test]
    fn an_interval_is_one_that_a_clock_can_show() {
        let shown = |text: &str| {
            let beat = Beat::of(text.parse().expect("a period")).expect("an interval");
            (beat.calendar(), beat.cron())
        };
        let words = |calendar: &str, cron: &str| (calendar.to_owned(), cron.to_owned());
        assert_eq!(shown("1m"), words("*:0/1", "* * * * *"));
        assert_eq!(shown("5m"), words("*:0/5", "*/5 * * * *"));
        assert_eq!(shown("60m"), words("*:00", "0 * * * *"));
        assert_eq!(shown("2h"), words("0/2:00", "0 */2 * * *"));
        assert_eq!(shown("1d"), words("00:00", "0 0 * * *"));
        for text in ["30s", "90s", "7m", "45m", "90m", "5h", "2d"] {
            let every = text.parse().expect("a period");
            assert!(refused(Form::Systemd, &Sweep { every, ..sweep() }).contains("no interval"), "{text}");
        }
    }

    #[test]
    fn a_sweep_ends_before_the_next_one_starts() {
        let told = |every, within| {
            let [(_, service), _] = &files(Form::Systemd, &Sweep { every, within, ..sweep() }).expect("files")[..]
            else {
                panic!("a service and a timer")
            };
            service.lines().find(|line| line.starts_with("ExecStart=")).map(ToOwned::to_owned).expect("a command")
        };
        assert!(told(Period::minutes(1), None).ends_with("--deadline 48s"));
        assert!(told(Period::hours(1), None).ends_with("--deadline 4m"));
        assert!(told(Period::hours(1), Some(Period::minutes(10))).ends_with("--deadline 10m"));
        let late = Sweep { within: Some(Period::minutes(5)), ..sweep() };
        assert_eq!(refused(Form::Cron, &late), "a sweep may take 5m, and the next one starts 5m after it");
        let often = Sweep { every: Period::minutes(1), ..sweep() };
        assert!(refused(Form::Github, &often).contains("every 5m"));
    }

    #[test]
    fn nothing_gets_in_that_systemd_cron_or_a_shell_would_read() {
        for path in ["/opt/100%/fruitsinfra", "/opt/a b", "/opt/$HOME", "/opt/x;reboot", "/opt/a\nb", "/opt/\"x"] {
            for form in [Form::Systemd, Form::Cron] {
                let of_program = Sweep { binary: path.into(), ..sweep() };
                let of_file = Sweep { environment: path.into(), ..sweep() };
                assert!(refused(form, &of_program).contains("program") && refused(form, &of_file).contains("file"));
            }
        }
        let named = Sweep { profile: Some("a\nb".into()), user: Some("u".into()), ..sweep() };
        assert!(refused(Form::Systemd, &named).contains("profile"));
        assert!(refused(Form::Cron, &Sweep { binary: "fruitsinfra".into(), ..sweep() }).contains("from the root"));
        for topic in ["guard", "arn:aws:sns:us-east-1:000000000000:guard", "arn:aws:sqs:eu-west-3:000000000000:guard"] {
            assert!(
                refused(Form::Github, &Sweep { sns: Some(topic.into()), ..sweep() }).contains("no topic"),
                "{topic}"
            );
        }
        let expression = Sweep { sns: Some("arn:aws:sns:eu-west-3:000000000000:${{ x }}".into()), ..sweep() };
        assert!(refused(Form::Github, &expression).contains('$'));
    }

    #[test]
    fn a_hardened_service_sees_its_program_and_its_profile() {
        let at = |path: &str| Sweep { binary: path.into(), ..sweep() };
        assert!(refused(Form::Systemd, &at("/tmp/fruitsinfra")).contains("temporary"));
        assert!(refused(Form::Systemd, &at("/home/ada/fruitsinfra")).contains("home folder"));
        let profile = Sweep { profile: Some("fruits".into()), ..sweep() };
        assert!(refused(Form::Systemd, &profile).contains("the profile `fruits`"));
        let ada = Sweep { user: Some("ada".into()), ..at("/home/ada/fruitsinfra") };
        assert!(files(Form::Systemd, &ada).expect("files")[0].1.contains("ProtectHome=read-only"));
        assert!(files(Form::Cron, &at("/home/ada/fruitsinfra")).is_ok());
    }
}
