//! What a request says of sizes: how far EMR may scale the cluster by itself, and the disk of the system.

use super::Reading;
use crate::import::text::Part;
use crate::import::tree::{self, Fields};
use crate::stack::node::Node;

impl Reading<'_> {
    pub(super) fn scaling(&mut self, node: &Node) -> Option<Part> {
        let mut policy = self.notes.fields(node, "ManagedScalingPolicy")?;
        let limits = policy.take("ComputeLimits");
        self.notes.leave(policy);
        let mut limits = self.notes.fields(limits?, "ManagedScalingPolicy.ComputeLimits")?;
        let unit = limits.take("UnitType").and_then(tree::scalar).unwrap_or("Instances").to_lowercase();
        let mut said = Vec::new();
        for (name, word) in [
            ("MinimumCapacityUnits", "minimum"),
            ("MaximumCapacityUnits", "maximum"),
            ("MaximumCoreCapacityUnits", "maximum_core"),
            ("MaximumOnDemandCapacityUnits", "maximum_on_demand"),
        ] {
            let number = limits.take(name).and_then(|node| self.notes.number(node, name));
            said.extend(number.map(|number| (word, Part::word(number))));
        }
        self.notes.leave(limits);
        match unit.as_str() {
            // Of fleets, what a stack calls instances are units.
            "instances" | "instancefleetunits" => {}
            "vcpu" => said.push(("unit", Part::word("vcpu"))),
            _ => self.notes.unsayable("ManagedScalingPolicy.UnitType", &node.span, &unit, "count instances or vcpu"),
        }
        Some(Part::map(said))
    }

    pub(super) fn root_volume(&mut self, fields: &mut Fields<'_>) -> Option<Part> {
        let mut said = Vec::new();
        for (name, word) in
            [("EbsRootVolumeSize", "size"), ("EbsRootVolumeIops", "iops"), ("EbsRootVolumeThroughput", "throughput")]
        {
            let number = fields.take(name).and_then(|node| self.notes.number(node, name));
            said.extend(number.map(|number| (word, Part::word(number))));
        }
        if !said.is_empty() && !said.iter().any(|(word, _)| *word == "size") {
            said.insert(0, ("size", Part::word(15)));
        }
        (!said.is_empty()).then(|| Part::map(said))
    }
}
