//! Plan x limits -> approved or refused. Pure: whatever the engine carries out passed through here.

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::{Action, Plan, PlanError, Step};
use crate::price::Cost;
use crate::resource::{Address, Live};
use crate::resources::HOME;
use crate::stack::{Limits, Stack, Theirs};

/// A plan that may be carried out. Only [`check`] makes one.
#[derive(Debug)]
pub struct Approved {
    plan: Plan<Live>,
    allowed: Vec<Refusal>,
}

impl Approved {
    pub fn plan(&self) -> &Plan<Live> {
        &self.plan
    }

    /// What would have forbidden it, were it not allowed this time.
    pub fn allowed(&self) -> &[Refusal] {
        &self.allowed
    }
}

/// Why a plan may not be carried out: exit code 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
}

impl From<PlanError> for Refusal {
    fn from(error: PlanError) -> Self {
        Self { code: "FI900", message: error.to_string() }
    }
}

/// What a plan is held against.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    pub owner: &'a str,
    /// Bounds on money, and what the stack costs; `None` where nothing is started.
    pub spending: Option<(&'a Limits, &'a Cost)>,
    /// What the stack names as somebody else's.
    pub others: Vec<(Theirs, &'a str)>,
    /// When the cluster is to end, and when at the latest it may.
    pub end: Option<(Timestamp, Timestamp)>,
    /// The limit that a person passes this time.
    pub allowed: Option<&'a Allowance>,
}

/// A limit that may be passed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub code: &'static str,
    pub because: String,
}

/// Limits are the stack's own, so its people may pass them. Whose a thing is, and where, nobody may.
const ALLOWABLE: [&str; 2] = [MONEY, TIME];
/// A bound on money.
pub(crate) const MONEY: &str = "FI910";
/// A bound on time.
const TIME: &str = "FI911";

impl Allowance {
    /// Fails with what may be passed, if this may not.
    pub fn new(code: &str, because: &str) -> Result<Self, String> {
        let Some(code) = ALLOWABLE.into_iter().find(|allowable| *allowable == code) else {
            return Err(format!("`--allow {code}`: only a limit can be passed, {}", ALLOWABLE.join(" or ")));
        };
        match because.trim() {
            "" => Err("`--because` is empty: say why, for whoever reads the ledger".into()),
            because => Ok(Self { code, because: because.into() }),
        }
    }
}

impl<'a> Terms<'a> {
    /// What a stack says; without a cost, nothing is started.
    pub fn of(stack: &'a Stack, cost: Option<&'a Cost>) -> Self {
        let spending = cost.map(|cost| (&stack.limits, cost));
        Self { owner: &stack.owner, spending, others: stack.others(), end: None, allowed: None }
    }
}

impl<'a> From<&'a str> for Terms<'a> {
    /// An owner who starts nothing.
    fn from(owner: &'a str) -> Self {
        Self { owner, spending: None, others: vec![], end: None, allowed: None }
    }
}

/// Everything that forbids this plan, and what would, were it not allowed this time.
pub fn objections<'a>(plan: &Plan<Live>, terms: impl Into<Terms<'a>>) -> (Vec<Refusal>, Vec<Refusal>) {
    let Terms { owner, spending, others, end, allowed } = terms.into();
    let all = strangers(plan, owner).chain(guarded(plan)).chain(disowned(plan, &others));
    let all = all.chain(overspending(plan, spending)).chain(overlong(end));
    all.partition(|refusal| allowed.is_none_or(|allowed| allowed.code != refusal.code))
}

/// Everything that forbids this plan.
pub fn refusals<'a>(plan: &Plan<Live>, terms: impl Into<Terms<'a>>) -> Vec<Refusal> {
    objections(plan, terms).0
}

/// An end beyond the cluster's longest life.
fn overlong(end: Option<(Timestamp, Timestamp)>) -> Option<Refusal> {
    let (until, latest) = end.filter(|(until, latest)| until > latest)?;
    let told = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC");
    let message = format!(
        "it would end on {}, and `limits.lifetime` allows {} at the latest: choose an end until then, or raise it",
        told(until),
        told(latest)
    );
    Some(Refusal { code: TIME, message })
}

/// Bounds that the stack's cost exceeds, if the plan starts or changes anything.
fn overspending(plan: &Plan<Live>, spending: Option<(&Limits, &Cost)>) -> Vec<Refusal> {
    let starts = plan.steps.iter().any(|step| !matches!(step.action, Action::Keep | Action::Delete));
    spending.filter(|_| starts).map_or_else(Vec::new, |(limits, cost)| beyond(limits, cost))
}

/// What a cost is refused for, whatever is planned.
pub fn beyond(limits: &Limits, cost: &Cost) -> Vec<Refusal> {
    exceeded(limits, cost).map(|(_, message)| Refusal { code: MONEY, message }).collect()
}

/// Bounds that a cost exceeds by what is known of it: the field of the limit, and what to do.
pub fn exceeded(limits: &Limits, cost: &Cost) -> impl Iterator<Item = (&'static str, String)> {
    let bounds = [
        ("an hour", "hourly", limits.hourly, cost.known[0], cost.hourly.total),
        ("its whole life", "demo", limits.demo, cost.known[1], cost.lives.until_end),
    ];
    let fits = cost.fits.as_deref();
    let fits = fits.map_or_else(|| "take fewer or smaller nodes".into(), |fits| format!("`{fits}` would fit"));
    bounds.into_iter().filter_map(move |(what, name, bound, amount, all)| {
        let bound = bound.filter(|bound| amount > bound.usd())?;
        let least = if all.is_none() { "at least " } else { "" };
        let message = format!(
            "{what} would cost {least}{amount:.2} USD, and `limits.{name}` allows {bound}: {fits}, or raise it"
        );
        Some((name, message))
    })
}

/// What would be removed.
fn removed(plan: &Plan<Live>) -> impl Iterator<Item = (&Step<Live>, &Live)> {
    let removed = plan.steps.iter().filter(|step| matches!(step.action, Action::Delete | Action::Replace(_)));
    removed.filter_map(|step| Some((step, step.existing.as_ref()?)))
}

/// What bears this stack's own mark, and is called somebody else's: it would be removed as no longer declared.
fn disowned(plan: &Plan<Live>, others: &[(Theirs, &str)]) -> impl Iterator<Item = Refusal> {
    let named = |live: &Live, address: &Address| {
        others.iter().any(|(what, name)| what.kind() == address.kind && *name == live.id.0)
    };
    removed(plan).filter(move |(step, live)| named(live, &step.address)).map(|(step, live)| Refusal {
        code: "FI903",
        message: format!(
            "`{}` ({}) bears this stack's own mark and would be removed, but the stack calls it somebody else's (`existing`): declare it as the stack's own again, or hand it over by removing its `fruitsinfra:` tags",
            step.address, live.id
        ),
    })
}

fn guarded(plan: &Plan<Live>) -> impl Iterator<Item = Refusal> {
    removed(plan).filter_map(|(step, live)| {
        let why = live.resource.guarded()?;
        Some(Refusal { code: "FI902", message: format!("`{}` would be removed, but {why}", step.address) })
    })
}

fn strangers(plan: &Plan<Live>, owner: &str) -> impl Iterator<Item = Refusal> {
    plan.steps
        .iter()
        .filter(|step| step.action != Action::Keep || step.address.key == HOME)
        .filter_map(|step| step.existing.as_ref().map(|live| (step, live)))
        .filter(|(_, live)| !live.mark.belongs_to(owner))
        .map(|(step, live)| Refusal {
            code: "FI901",
            message: format!(
                "`{}` ({}) bears the mark of another owner, {}: this stack is theirs, choose another name for yours",
                step.address, live.id, live.mark.owner
            ),
        })
}

/// Lets a plan pass, or says why not.
pub fn check<'a>(plan: Plan<Live>, terms: impl Into<Terms<'a>>) -> Result<Approved, Vec<Refusal>> {
    let (refusals, allowed) = objections(&plan, terms);
    if refusals.is_empty() { Ok(Approved { plan, allowed }) } else { Err(refusals) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::mark::fingerprint;
    use crate::plan::plan;
    use crate::plan::tests::Part;
    use crate::resource::Field;

    fn codes(desired: Vec<Part>, live: &[Live]) -> Vec<&'static str> {
        let desired: Vec<_> = desired.into_iter().map(Part::desired).collect();
        let plan = plan(&desired, live).expect("a plan");
        let said = refusals(&plan, "me").into_iter().map(|refusal| refusal.code).collect::<Vec<_>>();
        assert_eq!(check(plan, "me").is_err(), !said.is_empty());
        said
    }

    fn sized(size: u8) -> Part {
        Part::new("a").with(&[Field::updates("size", size)])
    }

    #[test]
    fn another_owners_things_are_kept_and_nothing_else() {
        assert_eq!(codes(vec![sized(1)], &[sized(1).live("you")]), Vec::<&str>::new());
        assert_eq!(codes(vec![sized(2)], &[sized(1).live("you")]), ["FI901"]);
        assert_eq!(codes(vec![], &[sized(1).live("you")]), ["FI901"]);
    }

    #[test]
    fn a_stack_whose_home_is_anothers_is_theirs() {
        assert_eq!(codes(vec![Part::new("home")], &[Part::new("home").live("you")]), ["FI901"]);
    }

    #[test]
    fn an_owner_is_known_by_the_fingerprint_that_leaves_the_eu() {
        assert_eq!(codes(vec![], &[sized(1).live(&fingerprint("me"))]), Vec::<&str>::new());
        assert_eq!(codes(vec![], &[sized(1).live(&fingerprint("you"))]), ["FI901"]);
    }

    #[test]
    fn what_is_guarded_may_change_and_may_not_go() {
        let guarded = |part: Part| Part { guarded: Some("it is protected".into()), ..part }.live("me");
        assert_eq!(codes(vec![sized(2)], &[guarded(sized(1))]), Vec::<&str>::new());
        assert_eq!(codes(vec![], &[guarded(sized(1))]), ["FI902"]);
        let zone = |zone: &str| Part::new("a").with(&[Field::replaces("zone", zone)]);
        assert_eq!(codes(vec![zone("b")], &[guarded(zone("a"))]), ["FI902"]);
    }

    #[test]
    fn a_stack_beyond_its_limits_starts_nothing_and_still_ends() {
        let text = "stack: s\nregion: eu-west-3\nowner: me\nlimits: {hourly: 0.50 USD}\n\
                    cluster: {release: emr-7.12.0, primary: {type: m5.xlarge}, core: {type: m5.xlarge}}\n";
        let stack = crate::stack::load_text("s.yaml", text.into(), std::path::Path::new("")).expect("a stack").stack;
        let cost = crate::price::estimate(&stack, &crate::price::Table::built_in(), stack.limits.lifetime.into());
        let terms = Terms { owner: "me", ..Terms::of(&stack, Some(&cost)) };
        let codes = |desired: Vec<Part>, live: &[Live]| {
            let desired: Vec<_> = desired.into_iter().map(Part::desired).collect();
            let plan = plan(&desired, live).expect("a plan");
            refusals(&plan, terms.clone()).into_iter().map(|refusal| refusal.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(vec![sized(1)], &[]), ["FI910"]);
        assert_eq!(codes(vec![sized(1)], &[sized(1).live("me")]), Vec::<&str>::new());
        assert_eq!(codes(vec![], &[sized(1).live("me")]), Vec::<&str>::new());
    }

    #[test]
    fn a_refusal_names_what_and_whose() {
        let live = Part::new("a").live("you@else.example");
        let (address, id) = (live.resource.address(), live.id.clone());
        let plan = plan(&[], &[live]).expect("a plan");
        let [refusal] = refusals(&plan, "me").try_into().expect("one");
        for said in [address.to_string(), id.to_string(), "you@else.example".into()] {
            assert!(refusal.message.contains(&said), "{}", refusal.message);
        }
    }

    #[test]
    fn a_plan_that_cannot_be_made_is_a_refusal_too() {
        let twice = plan::<Live>(&[Part::new("a").desired(), Part::new("a").desired()], &[]).expect_err("is refused");
        assert_eq!(Refusal::from(twice).code, "FI900");
    }
}
