//! `Instances`: groups by their parts, the network, and how long the cluster stays.

use std::collections::BTreeMap;

use super::notes::{Sort, brief};
use super::places::{KEY, free_key, slug};
use super::request::Reading;
use super::text::Part;
use super::tree::{self, Fields};
use crate::stack::node::Node;
use crate::stack::{VolumeKind, is_id};

/// What `Instances` says, by the words of a stack.
#[derive(Debug, Default)]
pub(super) struct Instances {
    pub(super) primary: Option<Part>,
    pub(super) core: Option<Part>,
    pub(super) task: Vec<(String, Part)>,
    pub(super) security_groups: Option<Part>,
    /// Entries of `cluster`.
    pub(super) entries: BTreeMap<&'static str, Part>,
}

/// What a group is made of, before it is written.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) role: String,
    pub(super) entries: Vec<(&'static str, Part)>,
    pub(super) name: Option<String>,
    /// What makes it a fleet.
    pub(super) fleet: Option<Vec<(&'static str, Part)>>,
}

const TYPE: &str = "m5.xlarge";

impl Reading<'_> {
    pub(super) fn instances(&mut self, node: Option<&Node>, has_steps: bool) -> Instances {
        let mut said = Instances::default();
        let fields = node.and_then(|node| self.notes.fields(node, "Instances"));
        let kept = fields.map(|mut fields| {
            self.groups(&mut fields, &mut said);
            self.network(&mut fields, &mut said);
            let protected = fields.take("TerminationProtected");
            if protected.and_then(|node| self.notes.flag(node, "Instances.TerminationProtected")) == Some(true) {
                said.entries.insert("termination_protection", Part::word(true));
            }
            let kept = fields.take("KeepJobFlowAliveWhenNoSteps");
            let kept = kept.and_then(|node| self.notes.flag(node, "Instances.KeepJobFlowAliveWhenNoSteps"));
            self.notes.leave(fields);
            kept
        });
        match kept.flatten() {
            Some(true) => {}
            Some(false) => drop(said.entries.insert("keep_alive", Part::word(false))),
            None => {
                let why =
                    if has_steps { "its steps are not in the stack" } else { "the stack's cluster waits for `run`" };
                let message =
                    format!("whether the cluster stays when it has no steps is not said: it stays, for {why}");
                let at = node.map_or(0..0, |node| node.span.start..node.span.start);
                self.notes.add(Sort::Chosen, &at, message, "write `keep_alive: false` for one that ends at once");
            }
        }
        if said.primary.is_none() {
            let message = format!("no primary group is said: one node of {TYPE} was taken");
            let at = node.map_or(0..0, |node| node.span.start..node.span.start);
            self.notes.add(Sort::Chosen, &at, message, "write the type that is wanted under `cluster.primary`");
            said.primary = Some(Part::map([("type", Part::text(TYPE))]));
        }
        said
    }

    fn groups(&mut self, fields: &mut Fields<'_>, said: &mut Instances) {
        let mut groups = Vec::new();
        if let Some(node) = fields.take("InstanceGroups") {
            for item in self.notes.items(node, "Instances.InstanceGroups") {
                groups.extend(self.group(item));
            }
        }
        if let Some(node) = fields.take("InstanceFleets") {
            for item in self.notes.items(node, "Instances.InstanceFleets") {
                groups.extend(self.fleet(item));
            }
            // One that says something makes fleets of all; where none does, the first says just that.
            let says = |group: &Group| group.fleet.as_ref().is_some_and(|fleet| !fleet.is_empty());
            let plain = !groups.iter().any(says);
            for (n, group) in groups.iter_mut().enumerate() {
                if let Some(fleet) = group.fleet.take().filter(|fleet| !fleet.is_empty() || (plain && n == 0)) {
                    group.entries.push(("fleet", Part::map(fleet)));
                }
            }
        }
        groups.extend(self.short(fields));
        for group in groups {
            self.place_group(group, said);
        }
    }

    /// The short form: two types and how many nodes in all.
    fn short(&mut self, fields: &mut Fields<'_>) -> Vec<Group> {
        let mut text = |name: &str| {
            let node = fields.take(name)?;
            self.notes.text(node, name).map(str::to_owned)
        };
        let (primary, core) = (text("MasterInstanceType"), text("SlaveInstanceType"));
        let count = fields.take("InstanceCount").and_then(|node| self.notes.number(node, "Instances.InstanceCount"));
        let Some(primary) = primary.or_else(|| core.clone()) else { return vec![] };
        let group = |role: &str, kind: &str, count: u32| {
            let mut entries = vec![("type", Part::text(kind))];
            if count > 1 {
                entries.push(("count", Part::word(count)));
            }
            Group { role: role.to_owned(), entries, ..Group::default() }
        };
        let others = count.unwrap_or(1).saturating_sub(1);
        let core = (others > 0).then(|| group("CORE", core.as_deref().unwrap_or(&primary), others));
        std::iter::once(group("MASTER", &primary, 1)).chain(core).collect()
    }

    fn group(&mut self, node: &Node) -> Option<Group> {
        const AT: &str = "InstanceGroups";
        let mut fields = self.notes.fields(node, AT)?;
        let mut group = Group::default();
        let role = fields.take("InstanceRole").or_else(|| fields.take("InstanceGroupType"));
        group.role = self.plays(role, node, "InstanceRole")?;
        group.name = fields.take("Name").and_then(|node| self.notes.text(node, "Name")).map(str::to_owned);
        let kind = fields.take("InstanceType");
        let kind = self.instance_type(kind, node);
        group.entries.push(("type", kind));
        let count = fields.take("InstanceCount").and_then(|node| self.notes.number(node, "InstanceCount"));
        if let Some(count) = count.filter(|count| *count != 1) {
            group.entries.push(("count", Part::word(count)));
        }
        let market = fields.take("Market").and_then(tree::scalar).map(str::to_uppercase);
        let bid = fields.take("BidPrice");
        if market.as_deref() == Some("SPOT") || market.is_none() && bid.is_some() {
            group.entries.push(("market", Part::word("spot")));
        }
        let bid = bid.filter(|_| market.as_deref() != Some("ON_DEMAND"));
        group.entries.extend(bid.and_then(|bid| self.bid(bid)).map(|bid| ("bid", bid)));
        if let Some(ebs) = fields.take("EbsConfiguration") {
            group.entries.extend(self.volumes(ebs).map(|volumes| ("volumes", volumes)));
        }
        if let Some(settings) = fields.take("Configurations") {
            group.entries.extend(
                self.configurations(settings, "InstanceGroups.Configurations").map(|said| ("configurations", said)),
            );
        }
        self.notes.leave(fields);
        Some(group)
    }

    /// The part that a group or a fleet plays; told where EMR knows no such part.
    pub(super) fn plays(&mut self, said: Option<&Node>, around: &Node, name: &str) -> Option<String> {
        let role = said.and_then(tree::scalar).unwrap_or_default().to_uppercase();
        if ["MASTER", "CORE", "TASK"].contains(&role.as_str()) {
            return Some(role);
        }
        self.notes.wrong(said.unwrap_or(around), name, "MASTER, CORE or TASK");
        None
    }

    pub(super) fn bid(&mut self, node: &Node) -> Option<Part> {
        let price = tree::scalar(node).unwrap_or_default();
        if price.parse::<f64>().is_ok_and(|usd| usd > 0.0) {
            return Some(Part::text(&format!("{price} USD")));
        }
        if price != "OnDemandPrice" {
            self.notes.wrong(node, "BidPrice", "an amount of USD, as in 0.12");
        }
        None
    }

    pub(super) fn instance_type(&mut self, node: Option<&Node>, around: &Node) -> Part {
        let said = node.and_then(tree::scalar);
        match said.and_then(tree::placeholder) {
            None if said.is_some_and(|said| !said.is_empty()) => Part::text(said.unwrap_or_default()),
            found => {
                let shown =
                    found.map_or_else(|| "not at all".to_owned(), |found| format!("as `{}`", tree::shown(found)));
                let message = format!("the type of a group is said {shown}: {TYPE} was taken");
                let span = node.map_or(&around.span, |node| &node.span);
                self.notes.add(Sort::Fill, span, message, "write the type that is wanted");
                Part::text(TYPE)
            }
        }
    }

    pub(super) fn volumes(&mut self, node: &Node) -> Option<Part> {
        let mut fields = self.notes.fields(node, "EbsConfiguration")?;
        let mut volumes = Vec::new();
        let devices = fields.take("EbsBlockDeviceConfigs");
        for device in devices.map(|node| self.notes.items(node, "EbsBlockDeviceConfigs")).unwrap_or_default() {
            let mut fields = self.notes.fields(device, "EbsBlockDeviceConfigs")?;
            let each = fields.take("VolumesPerInstance").and_then(|node| self.notes.number(node, "VolumesPerInstance"));
            let specification = fields.take("VolumeSpecification");
            self.notes.leave(fields);
            let Some(mut of) = specification.and_then(|node| self.notes.fields(node, "VolumeSpecification")) else {
                self.notes.wrong(device, "EbsBlockDeviceConfigs", "a VolumeSpecification");
                continue;
            };
            let mut entries = Vec::new();
            let volume_type = of.take("VolumeType");
            if let Some((node, kind)) = volume_type.and_then(|node| Some((node, self.notes.text(node, "VolumeType")?)))
            {
                let kind = kind.to_lowercase();
                if VolumeKind::ALL.iter().any(|known| known.as_str() == kind) {
                    entries.push(("type", Part::text(&kind)));
                } else {
                    self.notes.unsayable("VolumeType", &node.span, &kind, "the stack's volumes are gp3 unless said");
                }
            }
            for (name, word) in [("SizeInGB", "size"), ("Iops", "iops"), ("Throughput", "throughput")] {
                let number = of.take(name).and_then(|node| self.notes.number(node, name));
                entries.extend(number.map(|number| (word, Part::word(number))));
            }
            entries.extend(each.filter(|each| *each != 1).map(|each| ("per_instance", Part::word(each))));
            self.notes.leave(of);
            volumes.push(Part::map(entries));
        }
        // EMR optimises for EBS whatever it is told, where the type can.
        let _ = fields.take("EbsOptimized");
        self.notes.leave(fields);
        (!volumes.is_empty()).then(|| Part::list(volumes))
    }

    /// Each group in its part; task groups by a key of their own.
    fn place_group(&mut self, group: Group, said: &mut Instances) {
        let Group { role, mut entries, name, fleet: _ } = group;
        let named = |entries: &mut Vec<(&'static str, Part)>, part: &str| {
            if let Some(name) = name.as_deref().filter(|name| *name != part && !name.is_empty()) {
                entries.insert(0, ("name", Part::text(&tree::shown(name))));
            }
        };
        match role.as_str() {
            "MASTER" if said.primary.is_none() => {
                named(&mut entries, "primary");
                said.primary = Some(Part::map(entries));
            }
            "CORE" if said.core.is_none() => {
                named(&mut entries, "core");
                said.core = Some(Part::map(entries));
            }
            "TASK" => {
                let taken =
                    |key: &str| ["primary", "core"].contains(&key) || said.task.iter().any(|(other, _)| other == key);
                let wanted = name.as_deref().map_or_else(|| "task".to_owned(), |name| slug(name, KEY));
                let wanted = if wanted == "imported" { "task".to_owned() } else { wanted };
                let key = free_key(&wanted, taken);
                named(&mut entries, &key);
                said.task.push((key, Part::map(entries)));
            }
            _ => {
                let message = format!("a second {role} group cannot be: the first one stays");
                self.notes.add(Sort::Changed, &(0..0), message, "join the two");
            }
        }
    }

    /// Subnet, key pair and security groups, each by a name or id that AWS could know.
    fn network(&mut self, fields: &mut Fields<'_>, said: &mut Instances) {
        if let Some(node) = fields.take("Ec2KeyName")
            && let Some(name) = self.notes.text(node, "Instances.Ec2KeyName").filter(|name| !name.is_empty())
        {
            said.entries.insert(
                "key_pair",
                self.or_fill(
                    node,
                    name,
                    "cluster.key_pair",
                    "name a key pair of the region",
                    tree::placeholder(name).is_none(),
                ),
            );
        }
        let subnets = match fields.take("Ec2SubnetIds") {
            Some(node) => match self.notes.items(node, "Instances.Ec2SubnetIds") {
                [one] => Some(one),
                several => {
                    if let Some(first) = several.first() {
                        self.notes.unsayable(
                            "Instances.Ec2SubnetIds",
                            &first.span,
                            &brief(node),
                            "a stack's cluster has one subnet: name it as `cluster.subnet`",
                        );
                    }
                    None
                }
            },
            None => None,
        };
        if let Some(node) = fields.take("Ec2SubnetId").or(subnets)
            && let Some(id) =
                self.notes.text(node, "Instances.Ec2SubnetId").filter(|id| !id.is_empty() && *id != "<subnet>")
        {
            said.entries.insert(
                "subnet",
                self.or_fill(
                    node,
                    id,
                    "cluster.subnet",
                    "name it by its id; without one the stack takes one of the default network",
                    is_id(id, "subnet-"),
                ),
            );
        }
        let mut group = |name: &str| {
            let node = fields.take(name)?;
            let id = self.notes.text(node, name)?.to_owned();
            // What `render` writes of groups that the stack makes itself.
            (!id.starts_with("<security_group/")).then(|| (node.span.clone(), id))
        };
        let (primary, core) = (group("EmrManagedMasterSecurityGroup"), group("EmrManagedSlaveSecurityGroup"));
        let service = group("ServiceAccessSecurityGroup");
        let known = |of: &Option<(std::ops::Range<usize>, String)>| {
            of.as_ref().filter(|(_, id)| is_id(id, "sg-")).map(|(_, id)| Part::existing(id))
        };
        match (known(&primary), known(&core)) {
            (Some(primary), Some(core)) => {
                let mut entries = vec![("primary", primary), ("core", core)];
                entries.extend(known(&service).map(|service| ("service", service)));
                said.security_groups = Some(Part::map(entries));
                if let Some((span, id)) = service.filter(|(_, id)| !is_id(id, "sg-")) {
                    self.fill_groups(&span, &id);
                }
            }
            _ => {
                for (span, id) in [primary, core, service].into_iter().flatten() {
                    self.fill_groups(&span, &id);
                }
            }
        }
    }

    fn fill_groups(&mut self, span: &std::ops::Range<usize>, id: &str) {
        let message =
            format!("the security group `{}` is not enough to go by: the stack makes its own", tree::shown(id));
        let hint = "name all of them by id: `security_groups: {primary: {existing: sg-...}, core: {existing: sg-...}}`";
        self.notes.add(Sort::Fill, span, message, hint);
    }

    /// The value where AWS could know it; else a comment that waits for it.
    fn or_fill(&mut self, node: &Node, said: &str, place: &str, hint: &str, known: bool) -> Part {
        let part = Part::text(&tree::shown(said));
        if known {
            return part;
        }
        let message = format!("`{place}` is given as `{}`", tree::shown(said));
        self.notes.add(Sort::Fill, &node.span, message, hint);
        part.off()
    }
}
