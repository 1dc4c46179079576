//! A stack as it is, as a diagram: what lies where, what runs, who acts, and what is left after `down`. Out of the
//! blueprint's resources and the stack, in their order; it never shows what a plan would not make.

mod mermaid;
mod picture;
mod svg;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Written, name_of};
use crate::blueprint::{self, Materials, bootstrap_key};
use crate::cloud::surroundings::Surroundings;
use crate::resource::{OnDown, Resource};
use crate::resources::{HOME, on_down};
use crate::stack::{
    Bootstrap, BootstrapWork, Bucket, Cluster, FeatureJob, Group, JobWork, Market, Place, ScalingUnit, Stack, Theirs,
};
use crate::text::{about, counted};
use crate::weights;

use picture::{Card, End, Fate, Link, Picture, Row, Section, Sort};

/// `diagram.mmd` and `diagram.svg`.
#[must_use]
pub fn diagram(stack: &Stack, materials: &Materials, account: Option<&str>) -> Written {
    let picture = picture_of(stack, materials, account);
    let files = vec![("diagram.mmd".into(), mermaid::write(&picture)), ("diagram.svg".into(), svg::write(&picture))];
    Written { files, remarks: vec![] }
}

fn picture_of(stack: &Stack, materials: &Materials, account: Option<&str>) -> Picture {
    let around = Surroundings::offline(stack.region, account, None);
    let resources = blueprint::blueprint(stack, materials, &around);
    let place = format!("{} ({})", stack.region, stack.region.place());
    let mut storage = buckets(stack, &resources);
    let (who, clusters): (Vec<Card>, Vec<Card>) = {
        let others = resources.iter().filter(|of| !["bucket", "object"].contains(&of.address().kind));
        let cards = others.map(|of| card(stack, of.as_ref(), &resources));
        let theirs = others_of(stack);
        let (clusters, who) = cards.chain(theirs).partition(|card: &Card| card.id.starts_with("cluster/"));
        (who, clusters)
    };
    let jobs = jobs(stack);
    let machine: Vec<Card> = stack.uploads.iter().map(|upload| folder(&upload.from)).collect();
    let links = links(stack, &resources, &storage, &who);
    storage.sort_by_key(|card| card.id != at("bucket", HOME));
    let section = |heading: &str, cards: Vec<Card>| Section { heading: heading.into(), cards };
    let mut columns = vec![
        vec![section("this machine", machine)],
        vec![section("storage (S3)", storage)],
        vec![section("jobs", jobs), section("who acts", who)],
        vec![section("cluster (EMR)", clusters)],
    ];
    for column in &mut columns {
        column.retain(|section| !section.cards.is_empty());
    }
    while columns.last().is_some_and(Vec::is_empty) {
        columns.pop();
    }
    let (jobs, buckets) = (counted(stack.jobs.len(), "job"), counted(stack.buckets.len() + 1, "bucket"));
    let runs = if stack.cluster.is_some() { ", and a cluster that goes on down" } else { "" };
    Picture {
        title: format!("{} in {place}", stack.title()),
        says: format!("All of it is in {place}: {buckets}, {jobs}{runs}. What is in the buckets stays on down."),
        region: format!("European Union: {place}"),
        columns,
        links,
    }
}

fn at(kind: &str, key: &str) -> String {
    format!("{kind}/{key}")
}

fn folder(path: &Path) -> Card {
    let name = "sent by up".to_owned();
    Card { id: folder_id(path), title: name_of(path), name, rows: vec![], fate: Fate::Ours }
}

fn folder_id(path: &Path) -> String {
    at("folder", &path.display().to_string())
}

fn fate(kind: &str) -> Fate {
    if on_down(kind) == OnDown::Stays { Fate::Stays } else { Fate::Goes }
}

/// The buckets and what lies in them.
fn buckets(stack: &Stack, resources: &[Arc<dyn Resource>]) -> Vec<Card> {
    let ours = resources.iter().filter(|of| of.address().kind == "bucket").map(|of| {
        let key = of.address().key;
        let mut rows: Vec<Row> = places(stack, &key).into_iter().map(Row::new).collect();
        if key == HOME {
            rows.extend(
                resources.iter().filter(|of| of.address().kind == "object").map(|of| Row::new(of.address().key)),
            );
        }
        rows.extend(settings(stack, &key));
        Card {
            id: of.address().to_string(),
            title: of.address().to_string(),
            name: of.name(),
            rows,
            fate: fate("bucket"),
        }
    });
    let theirs =
        stack.buckets.iter().filter_map(|(key, bucket)| Some((key, bucket.existing()?))).map(|(key, theirs)| Card {
            id: at("bucket", key),
            title: at("bucket", key),
            name: theirs.name().to_owned(),
            rows: places(stack, key).into_iter().map(Row::new).collect(),
            fate: Fate::Theirs,
        });
    ours.chain(theirs).collect()
}

/// What is read and written in a bucket, a row each.
fn places(stack: &Stack, key: &str) -> Vec<String> {
    let features = || stack.jobs.values().filter_map(|job| job.features());
    let sent = stack.uploads.iter().map(|upload| upload.to.clone());
    let mut rows: Vec<String> = sent
        .chain(features().flat_map(|job| job.inputs(stack)))
        .chain(stack.logs())
        .filter(|place| place.bucket == key)
        .map(|place| prefix(&place))
        .chain(features().filter(|job| job.output.bucket == key).map(outputs))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|row| seen.insert(row.clone()));
    rows
}

fn prefix(place: &Place) -> String {
    if place.prefix.is_empty() { "the whole bucket".into() } else { place.prefix.clone() }
}

fn outputs(job: &FeatureJob) -> String {
    job.outputs().iter().map(prefix).collect::<Vec<_>>().join(", ")
}

fn settings(stack: &Stack, key: &str) -> Vec<Row> {
    let Some(Bucket::Ours(ours)) = stack.buckets.get(key) else { return vec![] };
    let expire = ours.expire.iter().map(|(prefix, age)| {
        let what = if prefix.is_empty() { "everything" } else { prefix };
        format!("{what} goes after {}", about((*age).into()))
    });
    let versions = ours.versioning.then(|| "older versions are kept".to_owned());
    let key = ours.kms_key.is_some().then(|| "encrypted with a key of its own".to_owned());
    let rows: Vec<String> = expire.chain(versions).chain(key).collect();
    let opening = (!rows.is_empty()).then(|| Row::opening("settings"));
    opening.into_iter().chain(rows.into_iter().map(Row::new)).collect()
}

/// A resource that is neither bucket nor object.
fn card(stack: &Stack, of: &dyn Resource, all: &[Arc<dyn Resource>]) -> Card {
    let address = of.address();
    let rows = match (address.kind, &stack.cluster) {
        ("cluster", Some(cluster)) => cluster_rows(stack, cluster),
        ("role", _) if address.key == "nodes" => grants(stack),
        ("security_group", Some(cluster)) if address.key == "primary" => {
            let opening =
                |access: &crate::stack::Access| Row::new(format!("lets in {} to port {}", access.from, access.port));
            cluster.access.iter().map(opening).collect()
        }
        ("schedule", _) => vec![Row::new(format!("ends it after {} at most", about(stack.limits.lifetime.into())))],
        _ => vec![],
    };
    // What stands in the same column is named instead of being led to.
    let beside = all
        .iter()
        .map(|of| of.address())
        .filter(|other| other.kind != "cluster" && !["bucket", "object"].contains(&other.kind));
    let needs = of.needs();
    let with = beside.filter(|other| address.kind != "cluster" && needs.iter().any(|need| need.address == *other));
    let with: Vec<Row> = with.map(|other| Row::new(format!("with {other}"))).collect();
    let rows = rows.into_iter().chain(with).collect();
    Card { id: address.to_string(), title: address.to_string(), name: of.name(), rows, fate: fate(address.kind) }
}

/// What is somebody else's, but for buckets.
fn others_of(stack: &Stack) -> impl Iterator<Item = Card> {
    let named: BTreeMap<String, Theirs> = stack
        .others()
        .into_iter()
        .filter(|(what, _)| *what != Theirs::Bucket && stack.cluster.is_some())
        .map(|(what, name)| (at(what.kind(), name), what))
        .collect();
    named.into_keys().map(|id| {
        let (kind, name) = id.split_once('/').unwrap_or_default();
        Card { title: kind.to_owned(), name: name.to_owned(), id: id.clone(), rows: vec![], fate: Fate::Theirs }
    })
}

fn grants(stack: &Stack) -> Vec<Row> {
    let grants = stack.grants().unwrap_or_default();
    let reads = grants.read.iter().map(|place| format!("may read {place}"));
    reads.chain(grants.write.iter().map(|place| format!("may write {place}"))).map(Row::new).collect()
}

fn cluster_rows(stack: &Stack, cluster: &Cluster) -> Vec<Row> {
    let mut rows =
        vec![Row::new(format!("{}: {}", cluster.release, cluster.applications.join(", "))), Row::opening("nodes")];
    rows.extend(cluster.groups().map(|(part, group)| Row::new(group_row(part, group))));
    if let Some(bounds) = &cluster.managed_scaling {
        let unit = if bounds.unit == ScalingUnit::Vcpu { "vCPU" } else { "instances" };
        rows.push(Row::new(format!("EMR scales from {} to {} {unit}", bounds.minimum, bounds.maximum)));
    }
    if !stack.bootstrap.is_empty() {
        rows.push(Row::opening("bootstrap, in this order"));
        rows.extend(stack.bootstrap.iter().enumerate().map(|(n, action)| Row::new(action_row(n, action))));
    }
    rows.push(Row::opening("ends"));
    rows.push(Row::new(format!("after {} without work", about(stack.idle().into()))));
    rows
}

fn group_row(part: &str, group: &Group) -> String {
    let types: Vec<&str> = group.types().map(|(name, _)| name).collect();
    let spot = match &group.fleet {
        Some(fleet) if fleet.spot > 0 => format!(" and {} on spot", fleet.spot),
        _ if group.market == Market::Spot => " on spot".to_owned(),
        _ => String::new(),
    };
    format!("{part}: {} x {}{spot}", group.count, types.join(" or "))
}

fn action_row(n: usize, action: &Bootstrap) -> String {
    let what = match &action.work {
        BootstrapWork::Template { packages, .. } => counted(packages.len(), "package"),
        BootstrapWork::Script(path) => name_of(path),
    };
    format!("{}. {}: {what}", n + 1, action.name)
}

fn jobs(stack: &Stack) -> Vec<Card> {
    let one = |(key, job): (&String, &crate::stack::Job)| {
        let (name, rows) = match &job.work {
            JobWork::Script { script, .. } => (name_of(script), vec![]),
            JobWork::Template(features) => {
                let source = weights::source(&features.model.weights);
                let model = format!("{}, weights: {source}", features.model.name);
                let pca = format!("PCA to {:.0} % of the variance", features.pca.variance * 100.0);
                (features.template.clone(), vec![Row::new(model), Row::new(pca)])
            }
        };
        Card { id: at("job", key), title: format!("job {key}"), name, rows, fate: Fate::Ours }
    };
    stack.jobs.iter().map(one).collect()
}

fn links(stack: &Stack, resources: &[Arc<dyn Resource>], storage: &[Card], who: &[Card]) -> Vec<Link> {
    let bucket = |place: &Place, row: String| End::row(at("bucket", &place.bucket), row);
    let home = |key: &str| End::row(at("bucket", HOME), key);
    let link = |from: End, to: End, sort: Sort, says: String| Link { from, to, sort, says };
    let mut links = vec![];
    for upload in &stack.uploads {
        let says = format!("goes to {}", upload.to);
        links.push(link(
            End::card(folder_id(&upload.from)),
            bucket(&upload.to, prefix(&upload.to)),
            Sort::Writes,
            says,
        ));
    }
    for (key, job) in &stack.jobs {
        let work = || End::card(at("job", key));
        links.push(link(home(&format!("job-{key}")), work(), Sort::Reads, "script".into()));
        if let Some(features) = job.features() {
            let key = blueprint::weights_key(&features.model.weights);
            links.push(link(home(&key), work(), Sort::Reads, "weights".into()));
            for place in features.inputs(stack) {
                links.push(link(bucket(&place, prefix(&place)), work(), Sort::Reads, format!("reads {place}")));
            }
            let output = bucket(&features.output, outputs(features));
            links.push(link(work(), output, Sort::Writes, format!("writes to {}", features.output)));
        }
    }
    let Some(cluster) = resources.iter().find(|of| of.address().kind == "cluster") else { return links };
    let it = || End::card(cluster.address().to_string());
    links.extend(stack.jobs.keys().map(|key| link(End::card(at("job", key)), it(), Sort::Acts, "runs on".into())));
    for (n, action) in stack.bootstrap.iter().enumerate() {
        let to = End::row(cluster.address().to_string(), action_row(n, action));
        links.push(link(home(&bootstrap_key(&action.name)), to, Sort::Reads, "runs first".into()));
    }
    if let Some(logs) = stack.logs() {
        links.push(link(it(), bucket(&logs, prefix(&logs)), Sort::Writes, "logs".into()));
    }
    let needs = cluster.needs();
    for card in who {
        let needed = needs.iter().any(|need| need.address.to_string() == card.id);
        let ends = resources.iter().find(|of| of.address().to_string() == card.id);
        let ends = ends.is_some_and(|of| of.needs().iter().any(|need| need.address == cluster.address()));
        let says = if ends { "ends" } else { "serves" };
        if needed || ends || card.fate == Fate::Theirs {
            links.push(link(End::card(card.id.clone()), it(), Sort::Acts, says.into()));
        }
    }
    // A place may name a bucket that is nowhere: nothing leads there.
    let known = |end: &End| !end.card.starts_with("bucket/") || storage.iter().any(|card| card.id == end.card);
    links.retain(|link| known(&link.from) && known(&link.to));
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> (String, String) {
        let stack = crate::stack::load_text("s.yaml", text.into(), Path::new("")).expect("a stack").stack;
        let materials = Materials::scripts(&stack, Path::new("").into(), "home", BTreeMap::new()).expect("texts");
        let [(_, mermaid), (_, svg)] = <[_; 2]>::try_from(diagram(&stack, &materials, None).files).expect("two");
        (mermaid, svg)
    }

    const STORAGE: &str = "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nbuckets:\n  data: {expire: {old/: 30d}}\n  old: {existing: theirs}\n\
         uploads: [{from: 'a \"b\" <c> & #d; é', to: data/in/}]\n";

    #[test]
    fn storage_alone_is_a_picture_and_texts_stay_texts() {
        let (mermaid, svg) = drawn(STORAGE);
        insta::assert_snapshot!(mermaid, @r#"
        ---
        title: "s in eu-west-3 (Paris)"
        ---
        %% European Union: eu-west-3 (Paris)
        flowchart LR
          accTitle: s in eu-west-3 (Paris)
          accDescr: All of it is in eu-west-3 (Paris): 3 buckets, 0 jobs. What is in the buckets stays on down.
            subgraph s0x0["this machine"]
              n0["a #34;b#34; #60;c#62; #38; #35;d#59; é<br>sent by up"]:::ours
            end
          subgraph region["European Union: eu-west-3 (Paris)"]
            subgraph s1x0["storage (S3)"]
              n1["bucket/home<br>s-home-#60;account#62;"]:::stays
              n2["bucket/data<br>s-data-#60;account#62;<br>in/<br>settings<br>old/ goes after 30 d"]:::stays
              n3["bucket/old<br>theirs"]:::theirs
            end
          end
          n0 -->|"goes to data/in/"| n2
          classDef stays stroke-width:2px
          classDef goes stroke-width:2px,stroke-dasharray:6 4
          classDef theirs stroke-width:2px,stroke-dasharray:1 4
          classDef ours stroke-width:1px
        "#);
        assert!(svg.contains("a &quot;b&quot; &lt;c&gt;") && !svg.contains("<c>"), "{svg}");
        assert!(svg.contains("role=\"img\"") && svg.contains("prefers-color-scheme:dark"));
        assert_eq!(drawn(STORAGE), drawn(STORAGE));
    }

    #[test]
    fn every_end_of_every_link_is_drawn() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for file in
            ["stacks/demo.yaml", "stacks/jupyter.yaml", "stacks/spot-graviton.yaml", "tests/cases/everything.yaml"]
        {
            let path = root.join(file);
            let stack = crate::stack::load(&path).expect("a stack").stack;
            let folder = path.parent().expect("a folder");
            let materials = Materials::scripts(&stack, folder.into(), "home", BTreeMap::new()).expect("texts");
            let picture = picture_of(&stack, &materials, Some("000000000000"));
            let cards: Vec<&Card> = picture.columns.iter().flatten().flat_map(|section| &section.cards).collect();
            for end in picture.links.iter().flat_map(|link| [&link.from, &link.to]) {
                let card = cards.iter().find(|card| card.id == end.card).unwrap_or_else(|| panic!("{file}: {end:?}"));
                // Weights are among a stack's objects once they are gathered, which these materials are not.
                let weights = end.row.as_deref().is_some_and(|row| row.starts_with("weights-"));
                let there = |row: &String| card.rows.iter().any(|of| of.text == *row);
                assert!(weights || end.row.as_ref().is_none_or(there), "{file}: {end:?}");
            }
        }
    }
}
