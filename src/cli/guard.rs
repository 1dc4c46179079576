//! `guard`: one sweep over the EU regions. It explains, warns and kills; without `--kill` it changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;

use futures::StreamExt;
use tokio::time::Instant;

use super::guard_finish::{self, Ended as EndedStack};
use super::guard_told::Told;
use super::session::{self, heed_signals};
use super::{DONE, Ended, FAILED, Failure, Global, USAGE, guard_install, prices};
use crate::cloud::clock::Clock;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::http::Contacts;
use crate::cloud::regions::{self, Regions};
use crate::cloud::{Cancel, Cloud, Endpoint};
use crate::guard::act::{self, Done, act};
use crate::guard::decide::{Terms, Word};
use crate::guard::facts::{Facts, Stage, Whose};
use crate::guard::remains;
use crate::guard::report::{Line, Report};
use crate::guard::sweep::{self, Judged, Sweep, Swept, Trouble};
use crate::price::Table;
use crate::residency::EuRegion;
use crate::stack::Period;
use crate::text::counted;
use crate::ui::guard as shown;
use crate::ui::{DIM, RED, Ui};

/// Acts at once, in all regions together.
const AT_ONCE: usize = 8;

/// Find clusters that nobody uses, and with --kill end them
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[expect(clippy::struct_excessive_bools, reason = "flags, as a person gives them")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Act: warn and end, and remove what ended stacks left; without it nothing is changed
    #[arg(long)]
    kill: bool,
    /// End at once what would be warned first
    #[arg(long)]
    hard: bool,
    /// Judge clusters without a mark of ours by their idleness too; with --kill that is asked first
    #[arg(long)]
    all: bool,
    /// Answer the question with yes
    #[arg(long)]
    yes: bool,
    /// End with 2 if anything is warned of or to be killed, 1 on errors
    #[arg(long)]
    detailed_exitcode: bool,
    /// Sweep these regions alone
    #[arg(long, value_name = "REGION", num_args = 1..)]
    region: Vec<EuRegion>,
    /// What the sweep may take; what was not looked at by then is an error
    #[arg(long, value_name = "TIME", default_value = "4m")]
    deadline: Period,
    /// An SNS topic in the EU that is told of kills and warnings
    #[arg(long, value_name = "ARN")]
    notify_topic: Option<String>,
    /// A webhook that is told, as Slack and Mattermost take it: better in the environment, where no list of processes shows it
    #[arg(long, value_name = "URL", env = "FRUITSINFRA_WEBHOOK", hide_env_values = true)]
    notify_webhook: Option<String>,
    /// Say nothing of what is as it usually is: regions that are off
    #[arg(long)]
    quiet: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Install(guard_install::Args),
}

impl Args {
    /// Whether it writes files, and sweeps nothing.
    pub(super) fn installs(&self) -> bool {
        matches!(self.what, Some(What::Install(_)))
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    if let Some(What::Install(args)) = &args.what {
        return guard_install::run(global, args);
    }
    let swept = swept(global, args).await;
    // With detailed exit codes, 2 says "a warning or a kill" and nothing else.
    swept.map_err(|mut failure| {
        if args.detailed_exitcode && failure.exit == USAGE {
            failure.exit = FAILED;
        }
        failure
    })
}

async fn swept(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    let deadline = Instant::now().checked_add(args.deadline.into());
    let deadline = deadline.ok_or_else(|| Failure::usage(format!("no sweep may take {}", args.deadline)))?;
    let told = Told::of(args.notify_topic.as_deref(), args.notify_webhook.as_deref())?;
    consented(ui, args)?;
    let endpoint = session::endpoint(global, ui).await?;
    let clock = session::clock(&endpoint).await?;
    let (stop, cancel) = Cancel::pair();
    heed_signals(ui, stop);
    let (terms, prices) = (Terms { hard: args.hard, all: args.all }, prices::table(ui));
    let guard = Guard {
        args,
        endpoint,
        cancel: cancel.clone(),
        sweep: Sweep { terms, prices: &prices, clock: &clock, deadline },
    };
    let report = cancel.in_time(guard.go(&told)).await?;
    show(ui, args, (&clock, &prices), &report);
    let worth = report.clusters.iter().any(|line| line.word() != Word::Keep);
    Ok(match (report.errors.is_empty(), args.detailed_exitcode && worth) {
        (false, _) => FAILED,
        (true, true) => USAGE,
        (true, false) => DONE,
    })
}

/// What is not ours is ended only if a person says so.
fn consented(ui: Ui, args: &Args) -> Result<(), Failure> {
    if !(args.all && args.kill) || args.yes {
        return Ok(());
    }
    match ui.ask("end idle clusters that bear no mark of ours too?") {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(DONE, "nothing was done")),
        None => Err(Failure::usage("this ends clusters of others and nobody is there to ask")
            .hint("look at them with `--all` alone, then add `--yes`")),
    }
}

fn show(ui: Ui, args: &Args, (clock, prices): (&Clock, &Table), report: &Report) {
    let now = clock.now();
    if !args.quiet {
        for region in &report.off {
            ui.say(format!("{DIM}skipped{DIM:#} {region} ({}): this account has not enabled it", region.place()));
        }
        if !report.abroad.is_empty() {
            let (count, names) = (counted(report.abroad.len(), "region"), report.abroad.join(", "));
            if ui.verbose || std::io::stderr().is_terminal() {
                ui.say(format!("{DIM}enabled outside the EU, and not called: {count} ({names}){DIM:#}"));
            }
        }
    }
    if ui.json() {
        ui.data(&shown::json(report, prices, now));
    } else {
        for line in shown::text(report, prices, now, ui.verbose) {
            ui.tell(line);
        }
    }
    for Trouble { region, id, message, hint } in &report.errors {
        let about = [region.map(|region| region.to_string()), id.clone()].into_iter().flatten().collect::<Vec<_>>();
        ui.say(format!("{RED}error{RED:#}: {}: {message}", about.join(", ")));
        if let Some(hint) = hint {
            ui.say(format!("  help: {hint}"));
        }
    }
    if !report.quiet() || ui.verbose || std::io::stderr().is_terminal() {
        ui.say(format!("{DIM}{}{DIM:#}", shown::summary(report)));
    }
    if ui.verbose {
        ui.say(format!("{DIM}hosts called: {}{DIM:#}", report.contacts.join(", ")));
    }
}

struct Guard<'a> {
    args: &'a Args,
    endpoint: Endpoint,
    cancel: Cancel,
    sweep: Sweep<'a>,
}

impl Guard<'_> {
    async fn go(&self, told: &Told) -> Result<Report, Failure> {
        let contacts = Contacts::default();
        let mut report = Report::default();
        let clouds = self.clouds(&mut report).await?;
        report.swept = clouds.iter().map(|cloud| cloud.region).collect();
        // Half of the time is for looking: one region that does not answer stops no act in another.
        let begun = Instant::now();
        let looking = begun + self.sweep.deadline.saturating_duration_since(begun) / 2;
        let swept = sweep::regions(&Sweep { deadline: looking, ..self.sweep }, &clouds).await;
        if let Some(error) = swept.iter().flat_map(|swept| &swept.errors).next()
            && swept.iter().all(|swept| swept.clusters.is_empty() && !swept.errors.is_empty())
            && error.message.contains("no credentials")
        {
            return Err(Failure { hint: error.hint.clone(), ..Failure::failed(error.message.clone()) });
        }
        let active = active(&swept);
        let (mut found, mut marked) = (Vec::new(), Vec::new());
        for (cloud, of) in clouds.iter().zip(swept) {
            report.errors.extend(of.errors);
            report.metrics += of.metrics;
            found.extend(of.clusters.into_iter().map(|judged| (cloud, judged)));
            marked.push((cloud, of.found));
        }
        self.act(found, &mut report).await;
        for (cloud, marked) in marked {
            let (region, what) = (cloud.region, "what ended stacks left");
            let left = remains::left(cloud, &marked, &active);
            match tokio::time::timeout_at(self.sweep.deadline, left).await {
                Ok(Ok(left)) => report.leftovers.extend(left),
                Ok(Err(error)) => {
                    report.errors.push(Trouble::of(region, None, &format!("{what} cannot be read"), &error));
                }
                Err(_) => report.errors.push(Trouble::late(region, None, &format!("{what} was not read"))),
            }
        }
        self.tell(told, &contacts, &mut report).await;
        if self.args.kill {
            self.finish(&contacts, &mut report).await;
        }
        for cloud in &clouds {
            contacts.add(&cloud.contacts);
        }
        report.calls = contacts.hosts().values().sum();
        report.contacts = contacts.hosts().into_keys().collect();
        Ok(report)
    }

    /// The regions that are on, or that were named.
    async fn clouds(&self, report: &mut Report) -> Result<Vec<Cloud>, Failure> {
        let connect = async |region: EuRegion| Cloud::connect(region, &self.endpoint).await;
        if !self.args.region.is_empty() {
            let named: BTreeSet<EuRegion> = self.args.region.iter().copied().collect();
            return Ok(futures::stream::iter(named).then(connect).collect().await);
        }
        let home = match &self.endpoint {
            Endpoint::Local(_) => None,
            Endpoint::Aws | Endpoint::Named(_) => regions::home().await,
        };
        let home = home.unwrap_or(EuRegion::EuWest3);
        let first = connect(home).await;
        // The account is the same in all regions: it is asked for in one.
        let asked = async { futures::join!(first.regions(), first.account()) };
        let asked = tokio::time::timeout_at(self.sweep.deadline, asked).await;
        let (asked, account) = match asked {
            Ok((regions, account)) => (Ok(regions), account.ok().map(str::to_owned)),
            Err(late) => (Err(late), None),
        };
        let known = match asked {
            Ok(Ok(known)) => known,
            // Without credentials there is nothing that could be looked at.
            Ok(Err(error)) if error.class == Class::Denied && error.code.is_none() => return Err(error.into()),
            other => {
                let why = match other {
                    Ok(Err(error)) => error,
                    _ => CloudError::timed_out("no answer within the deadline"),
                };
                let what = "which regions are on is not known: those that need no enabling are swept";
                report.errors.push(Trouble::of(home, None, what, &why));
                let likely = EuRegion::ALL.into_iter().filter(|r| r.partition() == home.partition() && !r.opt_in());
                Regions { on: likely.collect(), ..Regions::default() }
            }
        };
        let Regions { on, off, abroad } = known;
        (report.off, report.abroad) = (off, abroad);
        let others: Vec<Cloud> =
            futures::stream::iter(on.into_iter().filter(|r| *r != home)).then(connect).collect().await;
        if let Some(account) = account {
            for cloud in &others {
                cloud.is_of_account(&account);
            }
        }
        let mut clouds = vec![first];
        clouds.extend(others);
        clouds.sort_by_key(|cloud| cloud.region);
        Ok(clouds)
    }

    /// Carries the verdicts out, if that was asked for.
    async fn act(&self, found: Vec<(&Cloud, Judged)>, report: &mut Report) {
        let carry_out = async |(cloud, judged): (&Cloud, Judged)| {
            if !self.args.kill || self.cancel.requested() {
                return Line::new(judged, Done::default());
            }
            let done = act(&self.sweep, cloud, &judged).await;
            Line::new(judged, done)
        };
        let mut lines = futures::stream::iter(found.into_iter().map(carry_out)).buffered(AT_ONCE);
        while let Some((line, errors)) = lines.next().await {
            report.metrics += line.metrics;
            report.clusters.push(line);
            report.errors.extend(errors);
        }
    }

    async fn tell(&self, told: &Told, contacts: &Contacts, report: &mut Report) {
        let now = self.sweep.clock.now();
        // Where nothing is done, what would be is told; where it is, what was.
        let worth = |line: &&Line| if self.args.kill { !line.deeds.is_empty() } else { line.word() == Word::Kill };
        let lines: Vec<String> = report
            .clusters
            .iter()
            .filter(worth)
            .map(|line| act::told(&line.judged, &line.deeds, line.judged.facts.age(now)))
            .collect();
        if lines.is_empty() || told.nobody() {
            return;
        }
        let text = format!("fruitsinfra guard: {}\n{}", counted(lines.len(), "cluster"), lines.join("\n"));
        for message in told.tell(&self.endpoint, contacts, &text).await {
            report.errors.push(Trouble { region: None, id: None, message, hint: None });
        }
    }

    /// Finishes the end of every stack that has no cluster any more, or whose cluster is ending for good.
    async fn finish(&self, contacts: &Contacts, report: &mut Report) {
        let mut ended: BTreeMap<(EuRegion, String), EndedStack> = BTreeMap::new();
        let now = self.sweep.clock.now();
        for line in &report.clusters {
            let Facts { region, id, stage, whose, .. } = &line.judged.facts;
            let Whose::Ours { mark, promise } = whose else { continue };
            // One whose end somebody else asked for before its time is that one's to finish.
            if line.ended || (*stage == Stage::Terminating && promise.expires <= now) {
                let stack = ended.entry((*region, mark.stack.clone())).or_insert_with(|| EndedStack {
                    stack: mark.stack.clone(),
                    owner: mark.owner.clone(),
                    home: promise.home.clone(),
                    clusters: vec![],
                });
                stack.clusters.push(id.clone());
            }
        }
        for left in report.leftovers.iter().filter(|left| left.goes) {
            ended.entry((left.region, left.stack.clone())).or_insert_with(|| EndedStack {
                stack: left.stack.clone(),
                owner: left.owner.clone(),
                home: left.home.clone(),
                clusters: vec![],
            });
        }
        let work = async |((region, _), stack): ((EuRegion, String), EndedStack)| {
            let cloud = Cloud::connect(region, &self.endpoint).await;
            if let Some(account) = stack.home.rsplit('-').next() {
                // Homes end in it.
                cloud.is_of_account(account);
            }
            let of = cloud.contacts.clone();
            let (clock, deadline) = (self.sweep.clock, self.sweep.deadline);
            let done = guard_finish::finish(cloud, &stack, clock, deadline, self.cancel.clone()).await;
            contacts.add(&of);
            (region, done)
        };
        let done: Vec<_> = futures::stream::iter(ended.into_iter().map(work)).buffered(AT_ONCE).collect().await;
        for (region, (finished, failed)) in done {
            for left in report.leftovers.iter_mut().filter(|left| left.region == region && left.stack == finished.stack)
            {
                left.removed = finished.removed.contains(&left.address);
            }
            if let Some(why) = failed {
                let message = format!("what is left of {} cannot be removed: {why}", finished.stack);
                report.errors.push(Trouble::new(region, None, message));
            }
            report.finished.push(finished);
        }
    }
}

/// The stacks that have a cluster. One whose tags are not known may be of any stack that its name begins with.
fn active(swept: &[Swept]) -> BTreeSet<String> {
    let facts = || swept.iter().flat_map(|swept| &swept.clusters).map(|judged| &judged.facts);
    let known = facts().filter_map(|facts| facts.whose.stack().map(str::to_owned));
    let unknown = facts()
        .filter(|facts| facts.whose == Whose::Unknown)
        .flat_map(|facts| facts.name.match_indices('-').map(|(at, _)| facts.name[..at].to_owned()).collect::<Vec<_>>());
    known.chain(unknown).collect()
}
