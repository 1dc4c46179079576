//! Plans of resources that are only data: what is made, changed, replaced, kept, and in which order it goes.

use async_trait::async_trait;

use super::*;
use crate::cloud::error::CloudError;
use crate::cloud::mark::Mark;
use crate::resource::{Cx, Id, Live, Need};

/// A resource that is only data.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) key: &'static str,
    pub(crate) needs: Vec<Need>,
    pub(crate) fields: Vec<Field>,
    pub(crate) phase: Phase,
    pub(crate) standing: i64,
    pub(crate) guarded: Option<String>,
}

pub(crate) fn at(key: &str) -> Address {
    Address::new("part", key)
}

impl Part {
    pub(crate) fn new(key: &'static str) -> Self {
        Self { key, needs: vec![], fields: vec![], phase: Phase::Standing, standing: 0, guarded: None }
    }

    pub(crate) fn after(mut self, key: &str) -> Self {
        self.needs.push(Need::orders(at(key)));
        self
    }

    pub(crate) fn bound(mut self, key: &str) -> Self {
        self.needs.push(Need::binds(at(key)));
        self
    }

    pub(crate) fn with(self, fields: &[Field]) -> Self {
        Self { fields: fields.to_vec(), ..self }
    }

    pub(crate) fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    pub(crate) fn desired(self) -> Arc<dyn Resource> {
        Arc::new(self)
    }

    pub(crate) fn live(self, owner: &str) -> Live {
        let mark = Mark { stack: "demo".into(), address: self.address().to_string(), owner: owner.into() };
        Live { id: Id(format!("id-{}-{}", self.key, self.standing)), resource: Arc::new(self), mark }
    }
}

#[async_trait]
impl Resource for Part {
    fn address(&self) -> Address {
        at(self.key)
    }

    fn name(&self) -> String {
        format!("demo-{}", self.key)
    }

    fn needs(&self) -> Vec<Need> {
        self.needs.clone()
    }

    fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }

    fn phase(&self) -> Phase {
        self.phase.clone()
    }

    fn standing(&self) -> (bool, i64) {
        (false, self.standing)
    }

    fn guarded(&self) -> Option<String> {
        self.guarded.clone()
    }

    async fn create(&self, _: &Cx) -> Result<Id, CloudError> {
        Ok(Id(format!("id-{}", self.key)))
    }

    async fn update(&self, _: &Cx, _: &Id, _: &[Change]) -> Result<(), CloudError> {
        Ok(())
    }

    async fn delete(&self, _: &Cx, _: &Id) -> Result<(), CloudError> {
        Ok(())
    }
}

fn of<const D: usize, const L: usize>(desired: [Part; D], live: [Part; L]) -> Plan<Live> {
    plan(&desired.map(Part::desired), &live.map(|part| part.live("me"))).expect("a plan")
}

/// `a create, b keep (why)`.
fn words(plan: &Plan<Live>) -> String {
    let note = |step: &Step<Live>| step.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let step = |step: &Step<Live>| format!("{} {}{}", step.address.key, step.action.word(), note(step));
    plan.steps.iter().map(step).collect::<Vec<_>>().join(", ")
}

fn size(value: u8) -> Part {
    Part::new("a").with(&[Field::updates("size", value)])
}

fn zone(value: &str) -> Part {
    Part::new("a").with(&[Field::replaces("zone", value)])
}

#[test]
fn what_is_absent_is_created_and_what_is_not_desired_goes() {
    assert_eq!(words(&of([Part::new("a")], [Part::new("b")])), "a create, b delete");
}

#[test]
fn a_field_tells_what_a_change_of_it_costs() {
    assert_eq!(words(&of([size(1)], [size(1)])), "a keep");
    assert_eq!(words(&of([size(2)], [size(1)])), "a update");
    assert_eq!(words(&of([zone("b")], [zone("a")])), "a replace");
    let change = Change { field: "size", from: 1.into(), to: 2.into(), replaces: false };
    assert_eq!(of([size(2)], [size(1)]).steps[0].action, Action::Update(vec![change]));
}

#[test]
fn what_the_stack_does_not_say_is_not_compared() {
    assert_eq!(words(&of([Part::new("a")], [size(1)])), "a keep");
    assert_eq!(words(&of([size(1)], [Part::new("a")])), "a update");
}

#[test]
fn only_binding_needs_uproot_and_they_do_so_all_the_way() {
    let chain = || [Part::new("b").bound("a"), Part::new("c").bound("b"), Part::new("d").after("a")];
    let [b, c, d] = chain();
    let [b_live, c_live, d_live] = chain();
    assert_eq!(
        words(&of([zone("new"), b, c, d], [zone("old"), b_live, c_live, d_live])),
        "a replace, b replace (bound at birth to part/a), d keep, c replace (bound at birth to part/b)"
    );
}

#[test]
fn one_that_is_absent_uproots_as_one_that_is_replaced() {
    let plan = of([Part::new("a"), Part::new("b").bound("a")], [Part::new("b").bound("a")]);
    assert_eq!(words(&plan), "a create, b replace (bound at birth to part/a)");
}

#[test]
fn a_normal_end_is_history_and_one_that_is_under_way_is_waited_for() {
    let ended = Part::new("a").in_phase(Phase::Ended("02:14 by its idle policy".into()));
    assert_eq!(words(&of([Part::new("a")], [ended.clone()])), "a create (ended 02:14 by its idle policy)");
    assert_eq!(words(&of([], [ended])), "");
    let ending = || Part::new("a").in_phase(Phase::Ending);
    assert_eq!(words(&of([Part::new("a")], [ending()])), "a replace (the present one is ending)");
    assert_eq!(words(&of([], [ending()])), "a delete");
}

#[test]
fn of_twins_the_greatest_stays_and_one_that_ends_never_does() {
    let twin = |standing| Part { standing, ..Part::new("a") };
    let plan = of([Part::new("a")], [twin(1), twin(3), twin(2)]);
    assert_eq!(
        words(&plan),
        "a keep, a delete (a second one at this address), a delete (a second one at this address)"
    );
    assert_eq!(plan.steps[0].existing.as_ref().map(|live| live.id.0.as_str()), Some("id-a-3"));
    let plan = of([Part::new("a")], [twin(1), twin(3).in_phase(Phase::Ending)]);
    assert_eq!(words(&plan), "a keep, a delete (a second one at this address)");
}

#[test]
fn a_removal_leaves_what_stays_even_if_it_is_odd() {
    let twin = |standing| Part { standing, ..Part::new("a") }.after("gone").live("me");
    let live = [twin(1), twin(2), Part::new("b").live("me")];
    let plan = removal(&live, |address| address.key == "a");
    assert_eq!(words(&plan), "a keep, b delete, a keep (a second one at this address)");
}

#[test]
fn what_cannot_be_ordered_is_refused_by_name() {
    let plan = |desired: &[Part]| {
        let desired: Vec<_> = desired.iter().cloned().map(Part::desired).collect();
        plan::<Live>(&desired, &[]).expect_err("is refused").to_string()
    };
    assert_eq!(plan(&[Part::new("a"), Part::new("a")]), "`part/a` is declared twice");
    assert_eq!(plan(&[Part::new("a").after("b")]), "`part/a` needs `part/b`, which the stack does not declare");
    assert_eq!(
        plan(&[Part::new("a").after("b"), Part::new("b").bound("a"), Part::new("c")]),
        "these need each other in a circle: part/a, part/b"
    );
}

#[test]
fn a_plan_counts_its_steps_and_is_empty_when_all_is_kept() {
    let plan = of([Part::new("a"), Part::new("b")], [Part::new("b"), Part::new("c")]);
    assert_eq!(plan.counts(), Counts { create: 1, delete: 1, keep: 1, ..Counts::default() });
    assert!(!plan.is_empty());
    assert!(of([Part::new("a")], [Part::new("a")]).is_empty());
}

/// The newest would be made into it, under its own name, and then it would go as surplus.
#[test]
fn of_twins_the_one_that_is_as_desired_stays() {
    let part = |value: i64| Part::new("a").with(&[Field::updates("content", value)]);
    let twin = |value: i64, standing: i64| Part { standing, ..part(value) }.live("me");
    for (wanted, other) in [(twin(1, 3), twin(2, 3)), (twin(1, 3), twin(2, 9)), (twin(1, 9), twin(2, 3))] {
        for existing in [[wanted.clone(), other.clone()], [other.clone(), wanted.clone()]] {
            let plan = plan(&[part(1).desired()], &existing).expect("a plan");
            let told: Vec<_> = plan
                .steps
                .iter()
                .map(|step| (step.action.word(), step.existing.as_ref().map(|live| live.id.clone())))
                .collect();
            assert_eq!(told, [("keep", Some(wanted.id.clone())), ("delete", Some(other.id.clone()))]);
        }
    }
}
