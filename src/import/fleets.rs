//! `InstanceFleets`: a fleet is a group that takes several types. What differs from type to type beside its weight cannot be
//! said, and is told.

use super::groups::Group;
use super::notes::brief;
use super::request::Reading;
use super::text::Part;
use super::tree::{self, Fields};
use crate::stack::node::Node;
use crate::stack::{OnDemandAllocation, SPOT_WAIT, SpotAllocation};

/// One type of a fleet.
struct Type<'n> {
    name: Part,
    text: String,
    weight: u32,
    priority: Option<f64>,
    bid: Option<&'n Node>,
    disks: Option<&'n Node>,
}

impl Reading<'_> {
    pub(super) fn fleet(&mut self, node: &Node) -> Option<Group> {
        let mut fields = self.notes.fields(node, "InstanceFleets")?;
        let role = fields.take("InstanceFleetType");
        let mut group = Group { role: self.plays(role, node, "InstanceFleetType")?, ..Group::default() };
        group.name = fields.take("Name").and_then(|node| self.notes.text(node, "Name")).map(str::to_owned);
        let types = self.types(&mut fields, node);
        let mut capacity = |name: &str| fields.take(name).and_then(|node| self.notes.number(node, name)).unwrap_or(0);
        let (on_demand, spot) = (capacity("TargetOnDemandCapacity"), capacity("TargetSpotCapacity"));
        let (count, more) = if on_demand == 0 { (spot, 0) } else { (on_demand, spot) };
        let mut fleet: Vec<(&'static str, Part)> = Vec::new();
        let others: Vec<Part> = types.iter().skip(1).map(|of| of.name.clone()).collect();
        if !others.is_empty() {
            fleet.push(("or", Part::list(others)));
        }
        let weights: Vec<(String, Part)> =
            types.iter().filter(|of| of.weight != 1).map(|of| (of.text.clone(), Part::word(of.weight))).collect();
        if !weights.is_empty() {
            fleet.push(("weights", Part::map(weights)));
        }
        if more > 0 {
            fleet.push(("spot", Part::word(more)));
        }
        if let Some(launch) = fields.take("LaunchSpecifications") {
            self.launch(launch, spot > 0, &mut fleet);
        }
        group.entries.extend(types.first().map(|of| ("type", of.name.clone())));
        if count > 1 {
            group.entries.push(("count", Part::word(count)));
        }
        if on_demand == 0 && spot > 0 {
            group.entries.push(("market", Part::word("spot")));
        }
        let bid = self.shared(&types, "BidPrice", |of| of.bid);
        group.entries.extend(bid.and_then(|bid| self.bid(bid)).map(|bid| ("bid", bid)));
        let disks = self.shared(&types, "EbsConfiguration", |of| of.disks);
        group.entries.extend(disks.and_then(|disks| self.volumes(disks)).map(|volumes| ("volumes", volumes)));
        group.fleet = Some(fleet);
        self.notes.leave(fields);
        Some(group)
    }

    /// The types of a fleet, the preferred ones first.
    fn types<'n>(&mut self, fields: &mut Fields<'n>, around: &'n Node) -> Vec<Type<'n>> {
        const AT: &str = "InstanceTypeConfigs";
        let mut types = Vec::new();
        for item in fields.take(AT).map(|node| self.notes.items(node, AT)).unwrap_or_default() {
            let Some(mut of) = self.notes.fields(item, AT) else { continue };
            let name = of.take("InstanceType");
            let weight = of.take("WeightedCapacity").and_then(|node| self.notes.number(node, "WeightedCapacity"));
            let share = of.take("BidPriceAsPercentageOfOnDemandPrice");
            // The price on demand is what is bid where nothing is said.
            if let Some(share) = share.filter(|share| tree::scalar(share).and_then(|n| n.parse().ok()) != Some(100.0)) {
                let hint = "write `bid: 0.12 USD`, in dollars an hour";
                self.notes.unsayable("BidPriceAsPercentageOfOnDemandPrice", &share.span, &brief(share), hint);
            }
            if let Some(settings) = of.take("Configurations") {
                let hint = "settings of one type of a fleet: write them under `cluster.configurations`";
                self.notes.unsayable("InstanceTypeConfigs.Configurations", &settings.span, &brief(settings), hint);
            }
            types.push(Type {
                text: name.and_then(tree::scalar).unwrap_or_default().to_owned(),
                name: self.instance_type(name, around),
                weight: weight.unwrap_or(1).max(1),
                priority: of.take("Priority").and_then(tree::scalar).and_then(|text| text.parse().ok()),
                bid: of.take("BidPrice"),
                disks: of.take("EbsConfiguration"),
            });
            self.notes.leave(of);
        }
        if types.is_empty() {
            let name = self.instance_type(None, around);
            types.push(Type { name, text: String::new(), weight: 1, priority: None, bid: None, disks: None });
        }
        // What has no priority comes last (its API reference, "InstanceTypeConfig").
        let rank = |of: &Type<'_>| of.priority.unwrap_or(f64::INFINITY);
        types.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        types
    }

    /// What is said of all types alike; where it differs, that is told, and nothing is taken.
    fn shared<'n>(
        &mut self,
        types: &[Type<'n>],
        what: &str,
        of: impl Fn(&Type<'n>) -> Option<&'n Node>,
    ) -> Option<&'n Node> {
        let first = of(types.first()?);
        let alike = types.iter().all(|other| match (first, of(other)) {
            (Some(first), Some(other)) => tree::same(first, other),
            (first, other) => first.is_none() && other.is_none(),
        });
        if !alike && let Some(said) = types.iter().find_map(&of) {
            let hint = "a fleet of a stack says it once, for all of its types";
            self.notes.unsayable(&format!("InstanceTypeConfigs.{what}"), &said.span, &brief(said), hint);
        }
        first.filter(|_| alike)
    }

    /// How a fleet is filled.
    fn launch(&mut self, node: &Node, spot: bool, fleet: &mut Vec<(&'static str, Part)>) {
        let Some(mut launch) = self.notes.fields(node, "LaunchSpecifications") else { return };
        if let Some(node) = launch.take("OnDemandSpecification")
            && let Some(mut of) = self.notes.fields(node, "OnDemandSpecification")
        {
            let known = OnDemandAllocation::ALL.map(OnDemandAllocation::as_str);
            fleet.extend(self.allocation(&mut of, &known).map(|word| ("on_demand_allocation", word)));
            self.notes.leave(of);
        }
        if let Some(node) = launch.take("SpotSpecification") {
            if spot {
                self.on_spot(node, fleet);
            } else {
                let hint = "say what is bought there: `fleet: {spot: 2}`";
                self.notes.unsayable("SpotSpecification of a fleet without Spot", &node.span, &brief(node), hint);
            }
        }
        self.notes.leave(launch);
    }

    fn on_spot(&mut self, node: &Node, fleet: &mut Vec<(&'static str, Part)>) {
        let Some(mut of) = self.notes.fields(node, "SpotSpecification") else { return };
        let known = SpotAllocation::ALL.map(SpotAllocation::as_str);
        fleet.extend(self.allocation(&mut of, &known).map(|word| ("allocation", word)));
        let wait = of.take("TimeoutDurationMinutes").and_then(|node| self.notes.number(node, "TimeoutDurationMinutes"));
        let wait = wait.filter(|wait| *wait != SPOT_WAIT);
        fleet.extend(wait.map(|wait| ("wait", Part::word(format!("{wait}m")))));
        let action = of.take("TimeoutAction").and_then(tree::scalar).unwrap_or_default();
        if action.eq_ignore_ascii_case("TERMINATE_CLUSTER") {
            fleet.push(("then", Part::word("end")));
        }
        self.notes.leave(of);
    }

    fn allocation(&mut self, fields: &mut Fields<'_>, known: &[&str]) -> Option<Part> {
        let node = fields.take("AllocationStrategy")?;
        let word = self.notes.text(node, "AllocationStrategy")?.to_lowercase().replace('_', "-");
        if known.contains(&word.as_str()) {
            return Some(Part::word(word));
        }
        self.notes.wrong(node, "AllocationStrategy", &known.join(", "));
        None
    }
}
