//! Plan x limits -> approved or refused. Pure: whatever the engine carries out passed through here.

use serde::Serialize;

use crate::plan::{Action, Plan, PlanError};
use crate::resource::Live;

/// A plan that may be carried out. Only [`check`] makes one.
#[derive(Debug)]
pub struct Approved(Plan<Live>);

impl Approved {
    pub fn plan(&self) -> &Plan<Live> {
        &self.0
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

/// Everything that forbids this plan to this owner.
pub fn refusals(plan: &Plan<Live>, owner: &str) -> Vec<Refusal> {
    strangers(plan, owner).chain(guarded(plan)).collect()
}

fn guarded(plan: &Plan<Live>) -> impl Iterator<Item = Refusal> {
    let removed = plan.steps.iter().filter(|step| matches!(step.action, Action::Delete | Action::Replace(_)));
    removed.filter_map(|step| {
        let why = step.existing.as_ref()?.resource.guarded()?;
        Some(Refusal { code: "FI902", message: format!("`{}` would be removed, but {why}", step.address) })
    })
}

fn strangers(plan: &Plan<Live>, owner: &str) -> impl Iterator<Item = Refusal> {
    plan.steps
        .iter()
        .filter(|step| step.action != Action::Keep || step.address.key == "home")
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
pub fn check(plan: Plan<Live>, owner: &str) -> Result<Approved, Vec<Refusal>> {
    let refusals = refusals(&plan, owner);
    if refusals.is_empty() { Ok(Approved(plan)) } else { Err(refusals) }
}
