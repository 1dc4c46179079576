//! One stack, before and after: both blueprints, the plan from one to the other, and what follows from it. Pure but for
//! the scripts that lie beside the stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use similar::TextDiff;

use super::declared::{self, Part};
use super::{Pair, Permissions, Read, Residency, Review, Risk, Running, Script, Side, Status, Terms, effects};
use crate::blueprint::{self, Materials, blueprint};
use crate::check::Checked;
use crate::cloud::surroundings::{NO_ACCOUNT, Surroundings};
use crate::plan::{Action, Plan, PlanError, plan};
use crate::policy;
use crate::price::{self, Cost};
use crate::residency::EuRegion;
use crate::resource::{Address, Resource};
use crate::stack::{Finding, Severity, Source, Stack};

type Resources = Vec<Arc<dyn Resource>>;

/// A hostile pair of texts takes no longer to compare.
const LONGEST: Duration = Duration::from_millis(500);

/// A stack that can be worked with, and everything it means.
struct Meant<'a> {
    stack: &'a Stack,
    /// Its paths as they were written.
    written: Stack,
    account: String,
    materials: Materials,
    resources: Resources,
    cost: Cost,
}

/// One side of a pair as far as it goes.
struct Half<'a> {
    meant: Option<Meant<'a>>,
    findings: Vec<Finding>,
    sources: Vec<Source>,
    errors: usize,
}

/// Compares a pair.
pub fn compare(pair: &Pair, from: &Side, to: &Side, terms: Terms) -> Review {
    let account = |read: &Option<Read>| read.as_ref()?.told.as_ref().ok()?.stack.account.clone();
    let (old_says, new_says) = (account(&pair.old), account(&pair.new));
    // A number that one side leaves out is the other's.
    let number = |own: &Option<String>, other: &Option<String>| {
        let said = own.as_ref().or(other.as_ref()).map(String::as_str);
        said.or(terms.account).unwrap_or(NO_ACCOUNT).to_owned()
    };
    let old = pair.old.as_ref().map(|read| half(from, read, number(&old_says, &new_says), terms));
    let new = pair.new.as_ref().map(|read| half(to, read, number(&new_says, &old_says), terms));
    let was = old.as_ref().and_then(|half| half.meant.as_ref());
    let is = new.as_ref().and_then(|half| half.meant.as_ref());

    let key = pair.key().to_owned();
    let stack = is.or(was).map_or_else(|| stem(&key), |meant| meant.stack.title());
    let before = pair.old.as_ref().map(|read| read.key.clone()).filter(|before| pair.new.is_some() && *before != key);
    let mut review = Review {
        was: before,
        file: key,
        stack,
        status: Status::Unchanged,
        notes: notes(pair, old.as_ref(), new.as_ref(), from, to),
        plan: Plan { steps: vec![] },
        anew: None,
        blind: old.as_ref().is_some_and(|half| half.meant.is_none()),
        details: vec![],
        declared: vec![],
        running: Running { effect: "none", minutes: None, usd: None, text: String::new() },
        lost: vec![],
        cost_from: was.map(|meant| meant.cost.clone()),
        cost_to: is.map(|meant| meant.cost.clone()),
        residency: residency(was, is, new.as_ref()),
        permissions: Permissions::default(),
        scripts: vec![],
        errors: new.as_ref().map_or(0, |half| half.errors),
        findings: vec![],
        mended: vec![],
        sources: new.as_ref().map_or_else(Vec::new, |half| half.sources.clone()),
        refusals: vec![],
        risk: Risk::default(),
    };
    (review.findings, review.mended) = findings(old.as_ref(), new.as_ref(), from, to);
    if pair.new.is_none() {
        // What is gone is not mended.
        review.mended.clear();
    }
    let is_broken = new.as_ref().is_some_and(|half| half.meant.is_none());
    if !is_broken && let Err(error) = tell(&mut review, was, is) {
        // Lints keep what cannot be ordered from getting here.
        review.notes.push(error.to_string());
        review.status = Status::Broken;
    }
    review.status = match (&old, &new) {
        _ if is_broken || review.status == Status::Broken => Status::Broken,
        (None, Some(_)) => Status::Added,
        (Some(_), None) => Status::Removed,
        _ if was.zip(is).is_none_or(|(was, is)| differ(&review, was, is)) => Status::Changed,
        _ => Status::Unchanged,
    };
    let protected =
        was.and_then(|was| was.stack.cluster.as_ref()).is_some_and(|cluster| cluster.termination_protection);
    review.running = effects::running(&review, review.cost_to.as_ref(), protected);
    review.risk = effects::risk(&review);
    review
}

fn differ(review: &Review, was: &Meant, is: &Meant) -> bool {
    !review.plan.is_empty()
        || !review.declared.is_empty()
        || !review.details.is_empty()
        || !review.scripts.is_empty()
        || review.was.is_some()
        || was.written != is.written
}

fn stem(key: &str) -> String {
    Path::new(key).file_stem().map_or_else(|| key.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn half<'a>(side: &Side, read: &'a Read, account: String, terms: Terms) -> Half<'a> {
    let Checked { sources, findings, .. } = read.checked(side, terms.today, terms.prices);
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let mut half = Half { meant: None, findings, sources, errors };
    let Ok(loaded) = &read.told else { return half };
    match side.whole(read, loaded, &account) {
        Ok(materials) => {
            let stack = &loaded.stack;
            let subnet = stack.cluster.as_ref().and_then(|cluster| cluster.subnet.as_deref());
            let around = Surroundings::offline(stack.region, Some(&account), subnet);
            let resources = blueprint(stack, &materials, &around);
            let cost = price::estimate(stack, terms.prices, stack.limits.lifetime.into());
            let written = declared::as_written(stack, read.path.parent().unwrap_or(Path::new("")));
            half.meant = Some(Meant { stack, written, account, materials, resources, cost });
        }
        // What is wrong with its scripts was found already.
        Err(_) if half.errors > 0 => {}
        Err(broken) => {
            half.errors += broken.findings.len();
            half.findings.extend(broken.findings);
            half.sources.extend(broken.sources);
        }
    }
    half
}

/// Fills in what there is to tell of two sides that can be worked with, or of one where the other is absent.
fn tell(review: &mut Review, was: Option<&Meant>, is: Option<&Meant>) -> Result<(), PlanError> {
    let none: &[Arc<dyn Resource>] = &[];
    let existing = was.map_or(none, |meant| meant.resources.as_slice());
    let desired = is.map_or(none, |meant| meant.resources.as_slice());
    review.plan = plan(desired, existing)?;
    let both = was.zip(is);
    let elsewhere = both.and_then(|(was, is)| elsewhere(was, is));
    if let Some((why, _)) = &elsewhere {
        for step in &mut review.plan.steps {
            if let Action::Keep | Action::Update(_) | Action::Replace(_) = step.action {
                step.action = Action::Replace(step.action.changes().to_vec());
                step.note = Some(why.clone());
            }
        }
    }
    let stays = elsewhere.as_ref().map(|(_, place)| place.as_str());
    if let Some(place) = stays {
        let up = if both.is_some_and(|(was, is)| was.stack.name == is.stack.name && was.account == is.account) {
            "`up` refuses it as long as the old one is there"
        } else {
            "`up` makes a new one beside the old one"
        };
        review.notes.push(format!("{up}: what is there stays with {place} until it is destroyed with its old file"));
    }
    review.lost = effects::losses(&review.plan.steps, stays, is.is_none());
    if let Some((was, is)) = both {
        review.scripts = scripts(&was.materials, &is.materials);
        review.details = declared::hashed(&was.written, &is.written);
        review.declared = declared::quiet(&was.written, &is.written);
        if elsewhere.is_none() {
            name_renamed(&mut review.plan, &was.written, &is.written);
        }
    }
    let same = |text: &str| match both.filter(|_| elsewhere.is_some()) {
        Some((was, is)) => {
            // A region stands in ARNs and endpoints; in a list of regions it is no name of ours.
            let (old, new) = (was.stack.region, is.stack.region);
            let text = text.replace(&format!(":{old}:"), &format!(":{new}:"));
            let text = text.replace(&format!(".{old}."), &format!(".{new}."));
            text.replace(&was.stack.name, &is.stack.name).replace(&was.account, &is.account)
        }
        None => text.to_owned(),
    };
    let changed: BTreeSet<&Address> =
        review.plan.steps.iter().filter(|step| step.action != Action::Keep).map(|step| &step.address).collect();
    let roles = |of: &'_ [Arc<dyn Resource>]| -> Resources {
        let changed = |resource: &&Arc<dyn Resource>| changed.contains(&resource.address());
        of.iter().filter(|resource| resource.address().kind == "role").filter(changed).cloned().collect()
    };
    review.permissions = Permissions::between(&roles(existing), &roles(desired), same);
    let beyond = |meant: &Meant| policy::beyond(&meant.stack.limits, &meant.cost);
    let before = was.map_or_else(Vec::new, beyond);
    review.refusals = is.map_or_else(Vec::new, beyond);
    review.refusals.retain(|refusal| !before.contains(refusal));
    review.anew = elsewhere.map(|(why, _)| why);
    Ok(())
}

/// Why nothing of the old stack is the new one's, and whose it stays.
fn elsewhere(was: &Meant, is: &Meant) -> Option<(String, String)> {
    if was.stack.region != is.stack.region {
        let place = |region: EuRegion| format!("{region} ({})", region.place());
        let why = format!("moved from {} to {}", place(was.stack.region), place(is.stack.region));
        return Some((why, place(was.stack.region)));
    }
    if was.account != is.account {
        return Some((format!("moved to account {}", is.account), format!("account {}", was.account)));
    }
    (was.stack.name != is.stack.name)
        .then(|| (format!("the stack was called {}", was.stack.name), format!("the stack {}", was.stack.name)))
}

/// A renamed key is one that goes and one that comes: both steps say so.
fn name_renamed(plan: &mut Plan<Arc<dyn Resource>>, old: &Stack, new: &Stack) {
    let address = |part: Part, key: &str| match part {
        Part::Bucket => Address::new("bucket", key),
        Part::Job => Address::new("object", format!("job-{key}")),
        Part::Bootstrap => Address::new("object", blueprint::bootstrap_key(key)),
    };
    for (part, from, to) in declared::renamed(old, new) {
        let (from, to) = (address(part, &from), address(part, &to));
        for step in &mut plan.steps {
            if step.address == to && step.action == Action::Create {
                step.note = Some(format!("renamed from {from}: a new one takes its place"));
            } else if step.address == from && step.action == Action::Delete {
                step.note = Some(format!("renamed to {to}"));
            }
        }
    }
}

fn scripts(old: &Materials, new: &Materials) -> Vec<Script> {
    let named = |materials: &Materials| -> BTreeMap<String, String> {
        let bootstrap = materials.bootstrap.iter();
        let bootstrap = bootstrap.map(|(name, text)| (format!("{}.sh", blueprint::bootstrap_key(name)), text.clone()));
        let jobs = materials.jobs.iter().map(|(key, text)| (format!("job-{key}.py"), text.clone()));
        bootstrap.chain(jobs).collect()
    };
    let (old, new) = (named(old), named(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let text = |of: &BTreeMap<String, String>, name: &str| of.get(name).cloned().unwrap_or_default();
    let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    differing.map(|name| script(name, &text(&old, name), &text(&new, name))).collect()
}

fn script(name: &str, old: &str, new: &str) -> Script {
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(old, new);
    let side = |side: &str, text: &str| if text.is_empty() { "/dev/null".into() } else { format!("{side}/{name}") };
    let unified = diff.unified_diff().header(&side("a", old), &side("b", new)).to_string();
    let body = unified.lines().skip(2);
    let (mut added, mut removed) = (0, 0);
    for line in body {
        added += usize::from(line.starts_with('+'));
        removed += usize::from(line.starts_with('-'));
    }
    Script { name: name.to_owned(), added, removed, diff: unified }
}

fn residency(was: Option<&Meant>, is: Option<&Meant>, new: Option<&Half>) -> Residency {
    let region = |meant: Option<&Meant>| meant.map(|meant| meant.stack.region);
    let (from, to) = (region(was), region(is));
    let abroad =
        new.map(|half| half.findings.iter().filter(|finding| finding.code.starts_with("FI2"))).into_iter().flatten();
    let abroad = abroad.filter(|finding| finding.severity == crate::stack::Severity::Error);
    let abroad: Vec<&str> = abroad.map(|finding| finding.message.as_str()).collect();
    let place = |region: EuRegion| format!("{region} ({})", region.place());
    let (ok, text) = match (from, to) {
        _ if !abroad.is_empty() => (false, format!("it would leave the EU: {}", abroad.join("; "))),
        (Some(from), Some(to)) if from == to => (true, format!("stays in the EU: {}", place(to))),
        (Some(from), Some(to)) => (
            true,
            format!("stays in the EU, but moves from {} to {}: everything is made anew there", place(from), place(to)),
        ),
        (None, Some(to)) => (true, format!("in the EU: {}", place(to))),
        (Some(from), None) if new.is_none() => (true, format!("was in the EU: {}", place(from))),
        _ => (true, "not known: the stack cannot be read".to_owned()),
    };
    Residency { ok, from, to, text }
}

fn notes(pair: &Pair, old: Option<&Half>, new: Option<&Half>, from: &Side, to: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    let broken = |half: Option<&Half>| half.filter(|half| half.meant.is_none()).map(|half| half.errors);
    let errors = |count| crate::text::counted(count, "error");
    if let (Some(read), Some(count)) = (&pair.old, broken(old)) {
        let (file, label) = (read.path.display(), &from.label);
        notes.push(format!("{file} in {label} has {}: it is compared with nothing", errors(count)));
    }
    if let (Some(read), Some(count)) = (&pair.new, broken(new)) {
        let (file, label) = (read.path.display(), &to.label);
        notes.push(format!("{file} in {label} has {}: nothing can be planned", errors(count)));
    }
    if pair.new.is_none() && old.is_some_and(|half| half.meant.is_some()) {
        notes.push("removing its file removes nothing in AWS: `destroy` it with the old file".into());
    }
    notes
}

/// Findings that are new, and those that are mended. A place that moved is no other finding.
fn findings(old: Option<&Half>, new: Option<&Half>, from: &Side, to: &Side) -> (Vec<Finding>, Vec<Finding>) {
    let of = |half: Option<&Half>| half.map_or_else(Vec::new, |half| half.findings.clone());
    // What hinders everything is told whole, however old it is.
    let all = new.filter(|half| half.errors > 0).map(|half| half.findings.clone());
    let (old, mut new) = (of(old), of(new));
    let mut mended = Vec::new();
    for finding in old {
        let message = from.plain(&finding.message).into_owned();
        let twin = new.iter().position(|other| {
            (other.code, other.severity) == (finding.code, finding.severity) && to.plain(&other.message) == message
        });
        match twin {
            Some(at) => drop(new.remove(at)),
            None => mended.push(finding),
        }
    }
    (all.unwrap_or(new), mended)
}
