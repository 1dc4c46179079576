//! `FI316`: releases past AWS's standard support, which lasts 24 months from a release: what is found in them later is
//! not mended. From the lifecycle tables of the EMR Release Guide; a release that is not in ours is not judged.

use jiff::civil::Date;

use crate::stack::Loaded;
use crate::stack::facts::support;
use crate::stack::finding::Problem;

pub(super) fn problem(loaded: &Loaded, today: Date) -> Option<Problem> {
    let release = loaded.stack.cluster.as_ref()?.release;
    let (until, before) = support(release)?;
    if today <= until {
        return None;
    }
    let since = if before { format!("ended before {until}") } else { format!("ended on {until}") };
    let message = format!("standard support of {release} {since}: what is found in it now is not mended");
    let span = loaded.root.span_of(&["cluster", "release"]);
    Some(Problem::new("FI316", span, message).warning().hint("choose a release of the last two years"))
}
