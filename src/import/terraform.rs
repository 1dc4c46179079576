//! Terraform's `aws_emr_cluster`, with the groups and the scaling policy that refer to it. Literals are read; what refers
//! to something else stands for it and is told. It evaluates nothing.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body};
use hcl_edit::template::{Element, Template};

use super::notes::{Notes, Wrong};
use super::{json, tree};
use crate::stack::node::{Key, Node, Value};

/// Attributes of the cluster, and what a request calls them.
const ATTRIBUTES: [(&str, &str); 19] = [
    ("name", "Name"),
    ("release_label", "ReleaseLabel"),
    ("os_release_label", "OSReleaseLabel"),
    ("applications", "Applications"),
    ("log_uri", "LogUri"),
    ("service_role", "ServiceRole"),
    ("autoscaling_role", "AutoScalingRole"),
    ("scale_down_behavior", "ScaleDownBehavior"),
    ("security_configuration", "SecurityConfiguration"),
    ("custom_ami_id", "CustomAmiId"),
    ("ebs_root_volume_size", "EbsRootVolumeSize"),
    ("step_concurrency_level", "StepConcurrencyLevel"),
    ("visible_to_all_users", "VisibleToAllUsers"),
    ("tags", "Tags"),
    ("step", "Steps"),
    ("bootstrap_action", "BootstrapActions"),
    ("configurations_json", "Configurations"),
    ("log_encryption_kms_key_id", "LogEncryptionKmsKeyId"),
    ("region", "Region"),
];

/// Of `Instances`, wherever Terraform says it.
const INSTANCES: [(&str, &str); 12] = [
    ("keep_job_flow_alive_when_no_steps", "KeepJobFlowAliveWhenNoSteps"),
    ("termination_protection", "TerminationProtected"),
    ("unhealthy_node_replacement", "UnhealthyNodeReplacement"),
    ("master_instance_type", "MasterInstanceType"),
    ("core_instance_type", "SlaveInstanceType"),
    ("subnet_id", "Ec2SubnetId"),
    ("subnet_ids", "Ec2SubnetIds"),
    ("key_name", "Ec2KeyName"),
    ("emr_managed_master_security_group", "EmrManagedMasterSecurityGroup"),
    ("emr_managed_slave_security_group", "EmrManagedSlaveSecurityGroup"),
    ("service_access_security_group", "ServiceAccessSecurityGroup"),
    ("core_instance_count", "InstanceCount"),
];

/// Terraform's own affairs.
const OF_TERRAFORM: [&str; 4] = ["depends_on", "lifecycle", "provider", "timeouts"];

/// Words within groups, policies and actions.
const WITHIN: [(&str, &str); 28] = [
    ("name", "Name"),
    ("instance_type", "InstanceType"),
    ("instance_count", "InstanceCount"),
    ("bid_price", "BidPrice"),
    ("autoscaling_policy", "AutoScalingPolicy"),
    ("path", "Path"),
    ("args", "Args"),
    ("idle_timeout", "IdleTimeout"),
    ("unit_type", "UnitType"),
    ("minimum_capacity_units", "MinimumCapacityUnits"),
    ("maximum_capacity_units", "MaximumCapacityUnits"),
    ("maximum_core_capacity_units", "MaximumCoreCapacityUnits"),
    ("maximum_ondemand_capacity_units", "MaximumOnDemandCapacityUnits"),
    ("compute_limits", "ComputeLimits"),
    ("target_on_demand_capacity", "TargetOnDemandCapacity"),
    ("target_spot_capacity", "TargetSpotCapacity"),
    ("instance_type_configs", "InstanceTypeConfigs"),
    ("weighted_capacity", "WeightedCapacity"),
    ("configurations_json", "Configurations"),
    ("ebs_optimized", "EbsOptimized"),
    ("bid_price_as_percentage_of_on_demand_price", "BidPriceAsPercentageOfOnDemandPrice"),
    ("launch_specifications", "LaunchSpecifications"),
    ("spot_specification", "SpotSpecification"),
    ("on_demand_specification", "OnDemandSpecification"),
    ("allocation_strategy", "AllocationStrategy"),
    ("timeout_action", "TimeoutAction"),
    ("timeout_duration_minutes", "TimeoutDurationMinutes"),
    ("block_duration_minutes", "BlockDurationMinutes"),
];

pub(super) fn read(text: &str, notes: &mut Notes) -> Result<Node, Wrong> {
    let body = hcl_edit::parser::parse_body(text).map_err(|error| {
        let at = text.floor_char_boundary(error.location().offset().min(text.len()));
        Wrong::new(at..at, format!("not Terraform: {}", error.message()), "check quotes and brackets around this place")
    })?;
    let resources = |kind: &'static str| {
        let of_kind = move |block: &&Block| block.labels.first().is_some_and(|label| label.as_str() == kind);
        body.get_blocks("resource").filter(of_kind)
    };
    let mut clusters = resources("aws_emr_cluster");
    let Some(cluster) = clusters.next() else {
        let hint = "give the file with its `resource \"aws_emr_cluster\"`";
        return Err(Wrong::new(0..0, "there is no aws_emr_cluster here", hint));
    };
    for another in clusters {
        notes.unsayable(
            "aws_emr_cluster",
            &span_of(another.span()),
            &label(another),
            "a stack has one cluster: import the other from a file of its own",
        );
    }
    let reader = Reader { text };
    let whole = span_of(cluster.span());
    let mut request = vec![];
    let mut instances = vec![];
    let mut lists: [Vec<Node>; 4] = Default::default();
    reader.cluster(&cluster.body, &mut request, &mut instances, &mut lists, notes);
    let name = label(cluster);
    let refers = |block: &Block| {
        let id =
            block.body.get_attribute("cluster_id").map(|attribute| attribute.value.to_string()).unwrap_or_default();
        id.split('.').any(|part| part == name)
    };
    let [groups, fleets, actions, steps] = &mut lists;
    for block in resources("aws_emr_instance_group").filter(|block| refers(block)) {
        groups.push(reader.group(&block.body, "TASK", &span_of(block.span())));
    }
    for block in resources("aws_emr_managed_scaling_policy").filter(|block| refers(block)) {
        let policy = reader.within(&block.body, &span_of(block.span()));
        request.push((tree::key("ManagedScalingPolicy", &policy.span), policy));
    }
    for (key, list, within) in [
        ("InstanceGroups", groups, true),
        ("InstanceFleets", fleets, true),
        ("BootstrapActions", actions, false),
        ("Steps", steps, false),
    ] {
        if !list.is_empty() {
            let node = tree::list(std::mem::take(list), &whole);
            let entry = (tree::key(key, &whole), node);
            if within { instances.push(entry) } else { request.push(entry) }
        }
    }
    // The provider's default: a cluster stays.
    if !instances.iter().any(|(key, _)| key.text == "KeepJobFlowAliveWhenNoSteps") {
        instances.push((tree::key("KeepJobFlowAliveWhenNoSteps", &whole), tree::plain("true", &whole)));
    }
    request.push((tree::key("Instances", &whole), tree::map(instances, &whole)));
    if !request.iter().any(|(key, _)| key.text == "Region") {
        let aws = |block: &&Block| block.labels.first().is_some_and(|label| label.as_str() == "aws");
        let mut providers: Vec<&Block> = body.get_blocks("provider").filter(aws).collect();
        providers.sort_by_key(|block| block.body.has_attribute("alias"));
        let region = providers.into_iter().find_map(|block| block.body.get_attribute("region"));
        request.extend(region.map(|attribute| (tree::key("Region", &whole), reader.node(&attribute.value))));
    }
    Ok(tree::map(request, &whole))
}

fn label(block: &Block) -> String {
    block.labels.get(1).map(|label| label.as_str().to_owned()).unwrap_or_default()
}

fn span_of(span: Option<Range<usize>>) -> Range<usize> {
    span.unwrap_or(0..0)
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn cluster(
        &self,
        body: &Body,
        request: &mut Vec<(Key, Node)>,
        instances: &mut Vec<(Key, Node)>,
        lists: &mut [Vec<Node>; 4],
        notes: &mut Notes,
    ) {
        for attribute in body.attributes() {
            let name = attribute.key.as_str();
            let span = span_of(attribute.key.span());
            let node = self.node(&attribute.value);
            match name {
                "configurations_json" => match self.configurations(node) {
                    Ok(node) => request.push((tree::key("Configurations", &span), node)),
                    Err(wrong) => notes.broken(wrong),
                },
                own if OF_TERRAFORM.contains(&own) => {}
                name => {
                    let within = INSTANCES.iter().find(|(attribute, _)| *attribute == name);
                    let of_request = ATTRIBUTES.iter().find(|(attribute, _)| *attribute == name);
                    match (of_request, within) {
                        (Some((_, key)), _) => request.push((tree::key(key, &span), node)),
                        (_, Some((_, key))) => instances.push((tree::key(key, &span), node)),
                        _ => request.push((tree::key(name, &span), node)),
                    }
                }
            }
        }
        let [groups, fleets, actions, steps] = lists;
        for block in body.blocks() {
            let span = span_of(block.ident.span());
            match block.ident.as_str() {
                "ec2_attributes" => {
                    for attribute in block.body.attributes() {
                        let (name, node) = (attribute.key.as_str(), self.node(&attribute.value));
                        let span = span_of(attribute.key.span());
                        let known = INSTANCES.iter().find(|(attribute, _)| *attribute == name);
                        match (name, known) {
                            ("instance_profile", _) => request.push((tree::key("JobFlowRole", &span), node)),
                            (_, Some((_, key))) => instances.push((tree::key(key, &span), node)),
                            _ => instances.push((tree::key(name, &span), node)),
                        }
                    }
                }
                "master_instance_group" => groups.push(self.group(&block.body, "MASTER", &span)),
                "core_instance_group" => groups.push(self.group(&block.body, "CORE", &span)),
                "master_instance_fleet" => fleets.push(self.fleet(&block.body, "MASTER", &span)),
                "core_instance_fleet" => fleets.push(self.fleet(&block.body, "CORE", &span)),
                "bootstrap_action" => actions.push(self.within(&block.body, &span)),
                "step" => steps.push(self.within(&block.body, &span)),
                "auto_termination_policy" => {
                    request.push((tree::key("AutoTerminationPolicy", &span), self.within(&block.body, &span)));
                }
                "kerberos_attributes" => {
                    request.push((tree::key("KerberosAttributes", &span), self.within(&block.body, &span)));
                }
                own if OF_TERRAFORM.contains(&own) => {}
                other => request.push((tree::key(other, &span), self.within(&block.body, &span))),
            }
        }
    }

    /// JSON as a text, or what `jsonencode` is given.
    fn configurations(&self, node: Node) -> Result<Node, Wrong> {
        let Value::Scalar { text, .. } = &node.value else { return Ok(node) };
        if tree::placeholder(text).is_some_and(|of| of == text) {
            return Ok(node);
        }
        let held =
            self.text.get(node.span.clone()).and_then(|own| own.find(text.as_str())).map(|at| node.span.start + at);
        let mut read = json::parse(text).map_err(|wrong| {
            let span = held.map_or_else(|| node.span.clone(), |at| at + wrong.span.start..at + wrong.span.end);
            Wrong { span, message: format!("configurations_json: {}", wrong.message), ..wrong }
        })?;
        tree::at(&mut read, &node.span);
        Ok(read)
    }

    fn group(&self, body: &Body, role: &str, span: &Range<usize>) -> Node {
        let Node { value: Value::Map(mut entries), .. } = self.within(body, span) else {
            return tree::map(vec![], span);
        };
        entries.insert(0, (tree::key("InstanceRole", span), tree::text(role, span)));
        // Where a group belongs is known.
        entries.retain(|(key, _)| key.text != "cluster_id");
        tree::map(self.with_disks(body, entries, span), span)
    }

    /// Disks are blocks of their own.
    fn with_disks(&self, body: &Body, mut entries: Vec<(Key, Node)>, span: &Range<usize>) -> Vec<(Key, Node)> {
        let disks = body.get_blocks("ebs_config").map(|block| self.disk(&block.body, &span_of(block.ident.span())));
        let disks: Vec<Node> = disks.collect();
        entries.retain(|(key, _)| key.text != "ebs_config");
        if !disks.is_empty() {
            let devices = (tree::key("EbsBlockDeviceConfigs", span), tree::list(disks, span));
            entries.push((tree::key("EbsConfiguration", span), tree::map(vec![devices], span)));
        }
        entries
    }

    fn disk(&self, body: &Body, span: &Range<usize>) -> Node {
        let (mut specification, mut device) = (vec![], vec![]);
        for attribute in body.attributes() {
            let node = self.node(&attribute.value);
            let at = span_of(attribute.key.span());
            match attribute.key.as_str() {
                "size" => specification.push((tree::key("SizeInGB", &at), node)),
                "type" => specification.push((tree::key("VolumeType", &at), node)),
                "iops" => specification.push((tree::key("Iops", &at), node)),
                "throughput" => specification.push((tree::key("Throughput", &at), node)),
                "volumes_per_instance" => device.push((tree::key("VolumesPerInstance", &at), node)),
                other => device.push((tree::key(other, &at), node)),
            }
        }
        device.push((tree::key("VolumeSpecification", span), tree::map(specification, span)));
        tree::map(device, span)
    }

    fn fleet(&self, body: &Body, role: &str, span: &Range<usize>) -> Node {
        let Node { value: Value::Map(mut entries), .. } = self.within(body, span) else {
            return tree::map(vec![], span);
        };
        entries.push((tree::key("InstanceFleetType", span), tree::text(role, span)));
        // One block a type.
        let types = body.get_blocks("instance_type_configs").map(|block| {
            let at = span_of(block.ident.span());
            match self.within(&block.body, &at).value {
                Value::Map(fields) => tree::map(self.with_disks(&block.body, fields, &at), &at),
                _ => tree::map(vec![], &at),
            }
        });
        let types: Vec<Node> = types.collect();
        entries.retain(|(key, _)| key.text != "InstanceTypeConfigs");
        if !types.is_empty() {
            entries.push((tree::key("InstanceTypeConfigs", span), tree::list(types, span)));
        }
        tree::map(entries, span)
    }

    /// A block as a mapping; of blocks of one name the first.
    fn within(&self, body: &Body, span: &Range<usize>) -> Node {
        let name = |word: &str| WITHIN.iter().find(|(of, _)| *of == word).map_or(word, |(_, name)| name).to_owned();
        let mut entries: Vec<(Key, Node)> = Vec::new();
        for attribute in body.attributes() {
            let node = self.node(&attribute.value);
            let key = tree::key(&name(attribute.key.as_str()), &span_of(attribute.key.span()));
            let node =
                if key.text == "Configurations" { self.configurations(node.clone()).unwrap_or(node) } else { node };
            entries.push((key, node));
        }
        for block in body.blocks() {
            let at = span_of(block.ident.span());
            let key = tree::key(&name(block.ident.as_str()), &at);
            if !entries.iter().any(|(earlier, _)| earlier.text == key.text) {
                entries.push((key, self.within(&block.body, &at)));
            }
        }
        tree::map(entries, span)
    }

    fn node(&self, expression: &Expression) -> Node {
        let span = span_of(expression.span());
        match expression {
            Expression::Null(_) => Node { span, value: Value::Nothing },
            Expression::Bool(value) => tree::plain(&value.value().to_string(), &span),
            Expression::Number(value) => tree::plain(&value.value().to_string(), &span),
            Expression::String(value) => tree::text(value.value(), &span),
            Expression::Array(items) => tree::list(items.iter().map(|item| self.node(item)).collect(), &span),
            Expression::Object(object) => {
                let entries = object.iter().map(|(key, value)| {
                    let name = match key {
                        ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                        ObjectKey::Expression(key) => match tree::scalar(&self.node(key)) {
                            Some(text) => text.to_owned(),
                            None => key.to_string(),
                        },
                    };
                    (tree::key(&name, &span_of(key.span())), self.node(value.expr()))
                });
                tree::map(entries.collect(), &span)
            }
            Expression::StringTemplate(template) => {
                let text: String = template.iter().map(|element| self.element(element)).collect();
                tree::text(&text, &span)
            }
            Expression::HeredocTemplate(heredoc) => tree::text(&self.template(&heredoc.template), &span),
            Expression::Parenthesis(inner) => self.node(inner.inner()),
            Expression::FuncCall(call)
                if ["jsonencode", "toset", "tolist", "tostring", "tomap"].contains(&call.name.name.as_str()) =>
            {
                match call.args.iter().next() {
                    Some(argument) => self.node(argument),
                    None => Node { span, value: Value::Nothing },
                }
            }
            other => {
                let own = self.text.get(span.clone()).filter(|own| !own.is_empty());
                let own = own.map_or_else(|| other.to_string(), str::to_owned);
                tree::text(&tree::reference(&own.split_whitespace().collect::<Vec<_>>().join(" ")), &span)
            }
        }
    }

    fn template(&self, template: &Template) -> String {
        template.iter().map(|element| self.element(element)).collect()
    }

    fn element(&self, element: &Element) -> String {
        match element {
            Element::Literal(text) => text.value().clone(),
            Element::Interpolation(of) => match tree::scalar(&self.node(&of.expr)) {
                Some(text) => text.to_owned(),
                None => tree::reference(of.expr.to_string().trim()),
            },
            Element::Directive(_) => tree::reference("a directive"),
        }
    }
}
