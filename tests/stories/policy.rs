//! Least permissions, proven by enforcement: callers with exactly the policies that `render` prints go the whole way,
//! every single permission is needed and named when it is missing, and what the stack makes may do no more than its work.

mod callers;
mod fleets;
mod roles;
mod secrets;
mod stages;

use std::collections::{BTreeMap, BTreeSet};

use fruitsinfra::permissions::{Command, calls, table::TABLE};
use fruitsinfra::python;

use self::callers::{Caller, Permission, Rendered, refused, rendered};
use self::stages::{FILE, FIRST_UP, JOURNEY, NOT_MADE, Place, Step};
use crate::support::oracle::ACCOUNT;
use crate::support::sources::Source;
use crate::support::{Aws, Ran};

/// A call in the sources that no policy of ours grants, and why.
const NEVER_MADE: [&str; 1] = [
    // Every cluster of ours has an idle policy: the stack's, or the limit's.
    "emr RemoveAutoTerminationPolicy",
];

fn with_spark() -> Aws {
    let aws = Aws::start();
    aws.wait(python::install("spark", &python::cache(), |_| {})).expect("Spark");
    aws
}

#[test]
fn the_table_names_every_call_that_the_sources_make_and_no_other() {
    let mut made = BTreeSet::new();
    for source in Source::all("src").into_iter().filter(|source| ["cloud", "resources"].contains(&source.room())) {
        let code = source.code();
        let texts = code.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
        made.extend(texts.filter(|text| is_call(text)).map(str::to_owned));
    }
    let mut told: BTreeSet<String> = TABLE.iter().map(|row| row.call.to_owned()).collect();
    assert!(told.len() > 60, "{told:?}");
    told.extend(NEVER_MADE.map(str::to_owned));
    assert_eq!(made, told);
}

/// `s3 PutBucketPolicy`.
fn is_call(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(service, operation)| {
        ["s3", "emr", "iam", "ec2", "sts", "cloudwatch", "scheduler", "servicequotas", "sns"].contains(&service)
            && operation.starts_with(char::is_uppercase)
            && operation.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

#[test]
fn callers_with_exactly_their_policies_go_the_whole_way() {
    let aws = with_spark();
    let place = Place::new(&aws, ACCOUNT, false);
    let callers: BTreeMap<Command, Caller> = rendered(&aws, FILE, ACCOUNT)
        .into_iter()
        .map(|(command, policy)| {
            let caller = Caller::new(&aws, &place.root, command.name());
            caller.attach(&aws, &place.root, policy.documents());
            (command, caller)
        })
        .collect();
    let mut made: BTreeMap<Command, BTreeSet<String>> = BTreeMap::new();
    for step in &JOURNEY {
        (step.before)(&place);
        aws.forget_calls();
        let caller = &callers[&step.by];
        let ran = caller.run(&aws, step.args).expect(0);
        if step.args[0] == "logs" && step.args.len() == 3 {
            for what in ["reading another bucket", "writing into another bucket", "writing beside its prefixes"] {
                assert!(ran.out.contains(&format!("refused: {what}")), "{}", ran.out);
            }
            assert!(ran.out.contains("images: 4"), "{}", ran.out);
        }
        let calls = aws.calls().into_iter().filter(|call| call.caller == caller.key);
        let service = |name: &str| if name == "elasticmapreduce" { "emr".into() } else { name.to_owned() };
        made.entry(step.by)
            .or_default()
            .extend(calls.map(|call| format!("{} {}", service(&call.service), call.operation)));
    }
    let (mut beyond, mut idle) = (Vec::new(), Vec::new());
    for command in Command::ALL {
        let told: BTreeSet<String> = calls(command).into_iter().map(str::to_owned).collect();
        beyond.extend(made[&command].difference(&told).map(|call| (command, call.clone())));
        let excepted = |call: &&String| NOT_MADE.iter().any(|(by, name, _)| *by == command && name == call);
        idle.extend(
            told.difference(&made[&command]).filter(|call| !excepted(call)).map(|call| (command, call.clone())),
        );
    }
    assert!(beyond.is_empty(), "calls that the table does not know: {beyond:?}");
    assert!(idle.is_empty(), "permissions for calls that are never made: {idle:?}");
}

/// A caller who begins with less than its policy, and is granted what AWS names until the journey goes on.
struct Learner<'a> {
    place: &'a Place<'a>,
    caller: Caller,
    policy: &'a Rendered,
    all: BTreeSet<Permission>,
    granted: BTreeSet<Permission>,
    /// Permissions without which the journey stopped, naming them.
    missed: BTreeSet<Permission>,
}

impl<'a> Learner<'a> {
    fn new(place: &'a Place, policy: &'a Rendered, name: &str, granted: &BTreeSet<Permission>) -> Self {
        let (all, caller) = (policy.permissions(), Caller::new(place.aws, &place.root, name));
        let granted = all.intersection(granted).cloned().collect();
        let learner = Self { place, caller, policy, all, granted, missed: BTreeSet::new() };
        learner.put(&learner.granted);
        learner
    }

    fn put(&self, granted: &BTreeSet<Permission>) {
        self.caller.allow(self.place.aws, &self.place.root, self.policy, granted);
    }

    fn walk(&mut self, step: &Step) {
        loop {
            let ran = self.caller.run(self.place.aws, step.args);
            if ran.code == Some(0) {
                return;
            }
            for action in self.named(&ran) {
                self.grant(&action, step);
            }
        }
    }

    /// What a failed command named: something that was withheld.
    fn named(&self, ran: &Ran) -> BTreeSet<String> {
        let named = refused(ran);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(!named.is_empty(), "no action is named: {ran:?}");
        let withheld: BTreeSet<&String> = self.all.difference(&self.granted).map(|(_, action)| action).collect();
        let strange: Vec<_> = named.iter().filter(|action| !withheld.contains(action)).collect();
        assert!(strange.is_empty(), "the policy lacks {strange:?}: {ran:?}");
        named
    }

    /// Grants the one permission by which the action is no longer missing. Where none alone does, all are needed.
    fn grant(&mut self, action: &str, step: &Step) {
        let withheld: Vec<Permission> =
            self.all.difference(&self.granted).filter(|(_, a)| a == action).cloned().collect();
        let mut needed = withheld.clone();
        if withheld.len() > 1 {
            let helps = |permission: &&Permission| {
                let mut more = self.granted.clone();
                more.insert((*permission).clone());
                self.put(&more);
                !refused(&self.caller.run(self.place.aws, step.args)).contains(action)
            };
            if let Some(one) = withheld.iter().find(helps) {
                needed = vec![one.clone()];
            }
        }
        self.missed.extend(needed.iter().cloned());
        self.granted.extend(needed);
        self.put(&self.granted);
    }
}

#[test]
fn every_permission_is_needed_and_named_where_it_is_missing() {
    let aws = with_spark();
    let place = Place::new(&aws, ACCOUNT, true);
    let policies = rendered(&aws, FILE, ACCOUNT);
    // What `plan` shows to be needed is not taken from the others a second time: see the soak.
    let of_plan = policies[&Command::Plan].permissions();
    let mut learners: BTreeMap<Command, Learner> = policies
        .iter()
        .map(|(command, policy)| {
            let begin = if *command == Command::Plan { BTreeSet::new() } else { of_plan.clone() };
            (*command, Learner::new(&place, policy, command.name(), &begin))
        })
        .collect();
    for step in &JOURNEY {
        (step.before)(&place);
        learners.get_mut(&step.by).expect("a learner").walk(step);
    }
    for (command, learner) in learners {
        let spared = |(sid, action): &Permission| {
            SPARED.iter().any(|(by, name, _)| *by == command && *name == format!("{sid} {action}"))
        };
        let idle: Vec<_> = learner.all.difference(&learner.granted).filter(|one| !spared(one)).collect();
        assert!(idle.is_empty(), "{command:?} does without {idle:?}");
        assert!(!learner.missed.is_empty(), "{command:?} missed nothing");
    }
}

/// Permissions without which a command goes the whole way, and why they are there.
const SPARED: [(Command, &str, &str); 25] = [
    (Command::Up, "Logs s3:GetObject", "read where a bootstrap or a step fails"),
    (Command::Up, "Results s3:GetObject", "read where the job is the template's"),
    (Command::Up, "KeysBesideByWayOfS3 kms:Decrypt", "for reports"),
    (Command::Down, "KeyOfHomeByWayOfS3 kms:Decrypt", "to read who holds the lease"),
    (Command::Destroy, "KeyOfHomeByWayOfS3 kms:Decrypt", "to read who holds the lease"),
    (Command::Up, "Roles iam:DetachRolePolicy", "where somebody attached one"),
    (Command::Destroy, "Roles iam:DetachRolePolicy", "where somebody attached one"),
    (Command::Up, "GroupsOfThisStack ec2:RevokeSecurityGroupEgress", "where a rule outwards names a group"),
    (Command::Up, "EverythingInItsRegion ec2:DescribeNetworkInterfaces", "where something holds on to a group"),
    (Command::Down, "GroupsOfThisStack ec2:RevokeSecurityGroupEgress", "where a rule outwards names a group"),
    (Command::Down, "EverythingInItsRegion ec2:DescribeNetworkInterfaces", "where something holds on to a group"),
    (Command::Destroy, "GroupsOfThisStack ec2:RevokeSecurityGroupEgress", "where a rule outwards names a group"),
    (Command::Destroy, "EverythingInItsRegion ec2:DescribeNetworkInterfaces", "where something holds on to a group"),
    (Command::Down, "ClustersOfThisStack elasticmapreduce:ListSteps", "of two clusters at one address"),
    (Command::Destroy, "ClustersOfThisStack elasticmapreduce:ListSteps", "of two clusters at one address"),
    (Command::Guard, "EverythingInTheEu cloudwatch:GetMetricData", "of clusters past their grace"),
    (Command::Guard, "ClustersOfAllMarked elasticmapreduce:ListInstanceFleets", "of a cluster of fleets: its story"),
    (Command::Guard, "ClustersOfAllMarked elasticmapreduce:AddTags", "to warn"),
    (Command::Guard, "ClustersOfAllMarked elasticmapreduce:SetTerminationProtection", "of one that is protected"),
    (Command::Guard, "Homes s3:GetBucketTagging", "of homes past their term"),
    (Command::Guard, "Topics sns:Publish", "where a topic is to be told"),
    (Command::Guard, "GroupsOfAllMarked ec2:RevokeSecurityGroupEgress", "where a rule outwards names a group"),
    (Command::Guard, "EverythingInTheEu ec2:DescribeVpcEndpoints", "where the sweep finishes the `down` itself"),
    (Command::Guard, "EverythingInTheEu ec2:DescribeNetworkInterfaces", "where something holds on to a group"),
    (Command::Guard, "KeyOfHomeByWayOfS3 kms:Decrypt", "to read who holds the lease"),
];

/// Accounts are numbers of twelve digits.
const FIRST_ACCOUNT: u64 = 100_000_000_000;

/// Each permission of a policy is taken away alone, in an account of its own.
fn each_alone(command: Command) {
    let aws = with_spark();
    let _stack = Place::new(&aws, ACCOUNT, true);
    let policy = rendered(&aws, FILE, ACCOUNT)[&command].permissions();
    let name = |(sid, action): &Permission| format!("{sid} {action}");
    let mut spared: BTreeSet<&str> =
        SPARED.iter().filter(|(by, ..)| *by == command).map(|(_, name, _)| *name).collect();
    let (mut account, mut wrong) = (FIRST_ACCOUNT, Vec::new());
    for missing in policy {
        account += 1;
        let stopped = without(&aws, &account.to_string(), command, &missing);
        let spared = spared.remove(&*name(&missing));
        match stopped {
            Some(named) if !spared && named.contains(&missing.1) => {}
            None if spared => {}
            other => wrong.push(format!("without {}: {other:?}", name(&missing))),
        }
    }
    assert!(spared.is_empty(), "no permission of {command:?}: {spared:?}");
    assert!(wrong.is_empty(), "of {} journeys: {wrong:#?}", account - FIRST_ACCOUNT);
}

#[test]
#[ignore = "takes minutes: scripts/soak runs it"]
fn soak_without_any_one_permission_plan_stops_and_names_it() {
    each_alone(Command::Plan);
}

#[test]
#[ignore = "takes minutes: scripts/soak runs it"]
fn soak_without_any_one_permission_up_stops_and_names_it() {
    each_alone(Command::Up);
}

#[test]
#[ignore = "takes minutes: scripts/soak runs it"]
fn soak_without_any_one_permission_down_stops_and_names_it() {
    each_alone(Command::Down);
}

#[test]
#[ignore = "takes minutes: scripts/soak runs it"]
fn soak_without_any_one_permission_destroy_stops_and_names_it() {
    each_alone(Command::Destroy);
}

/// The actions named where the journey stopped; `None` where it did not. Others' steps are left out where they can be.
fn without(aws: &Aws, account: &str, command: Command, missing: &Permission) -> Option<BTreeSet<String>> {
    let place = Place::new(aws, account, true);
    let callers: BTreeMap<Command, Caller> = rendered(aws, FILE, account)
        .into_iter()
        .map(|(by, policy)| {
            let caller = Caller::new(aws, &place.root, &format!("{}-{account}", by.name()));
            let mut granted = policy.permissions();
            if by == command {
                assert!(granted.remove(missing), "{missing:?}");
            }
            caller.allow(aws, &place.root, &policy, &granted);
            (by, caller)
        })
        .collect();
    let about_steps = missing.1.contains("Step");
    let needed = JOURNEY.iter().enumerate().filter(|(n, step)| {
        let runs = step.args.contains(&"own");
        (step.by == command || *n == FIRST_UP || runs) && (about_steps || !runs)
    });
    let mut steps = needed.map(|(_, step)| step);
    steps.find_map(|step| {
        (step.before)(&place);
        let ran = callers[&step.by].run(aws, step.args);
        (ran.code != Some(0)).then(|| {
            assert_eq!((ran.code, step.by), (Some(1), command), "without {missing:?}: {ran:?}");
            refused(&ran)
        })
    })
}
