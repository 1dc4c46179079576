//! What managed scaling may come to: its maximum, in the dearest nodes that it may be. It scales nothing.

use super::{Nodes, Table, of_nodes};
use crate::residency::EuRegion;
use crate::stack::facts::instance_type;
use crate::stack::{ManagedScaling, ScalingUnit};

/// Sizes the groups beside the primary one as EMR may size them at worst. A type without a price counts as the
/// dearest: what it may cost is not known then.
pub(super) fn at_most(
    nodes: &mut [Nodes<'_>],
    bounds: &ManagedScaling,
    has_core: bool,
    table: &Table,
    region: EuRegion,
) {
    // Processors of a node; of a type that is not known, the fewest there are.
    let units = |name: &str| match bounds.unit {
        ScalingUnit::Instances => 1,
        ScalingUnit::Vcpu => instance_type(name).map_or(1, |of| of.vcpu.max(1)),
    };
    let price = |of: &Nodes<'_>| {
        let one = Nodes { count: 1, ..*of };
        let hour = of_nodes(table, region, &[one], &mut vec![]).total.unwrap_or(f64::INFINITY);
        hour / f64::from(units(of.instance_type))
    };
    let Some((_, scaled)) = nodes.split_first_mut() else { return };
    let mut order: Vec<usize> = (0..scaled.len()).filter(|n| scaled[*n].count > 0).collect();
    order.sort_by(|a, b| price(&scaled[*b]).total_cmp(&price(&scaled[*a])));
    let is_core = |n: usize| has_core && n == 0;
    let mut left = bounds.maximum;
    for n in order {
        let most = bounds.maximum_core.filter(|_| is_core(n)).unwrap_or(left).min(left);
        let size = units(scaled[n].instance_type);
        // A core group has one node at least, whatever is left.
        let count = (most / size).max(u32::from(is_core(n)));
        scaled[n].count = count;
        left = left.saturating_sub(count.saturating_mul(size));
    }
}
