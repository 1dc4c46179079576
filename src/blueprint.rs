//! What a stack means: stack, scripts and surroundings in, resources out. Pure: every choice is made here, and
//! none is left to the engine. It knows names and defaults, never what is there.

mod cluster;
pub mod policies;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::cloud::error::CloudError;
use crate::cloud::surroundings::{Surroundings, Wish};
use crate::resource::{Id, Live, Phase, Ref, Resource};
use crate::resources::bucket::{Bucket, Settings};
use crate::resources::cluster::Cluster;
use crate::resources::instance_profile::InstanceProfile;
use crate::resources::object::{Beside, Body, Object};
use crate::resources::role::Role;
use crate::resources::security_group::{Rule, SecurityGroup};
use crate::resources::{self, HOME, role_path};
use crate::script::{self, ScriptError};
use crate::stack::facts::instance_type;
use crate::stack::{self, BootstrapWork, Encryption, Folder, Job, NodesRole, PackagesFrom, Place, Stack, Weights};
use crate::weights;
use crate::wheels::{Request, Target, Wheels, WheelsError};

/// The files a stack needs, read and rendered: what is left to know before the blueprint.
#[derive(Debug, Default)]
pub struct Materials {
    /// Text of each bootstrap action, by name.
    pub bootstrap: BTreeMap<String, String>,
    /// Text of each job's script, by key.
    pub jobs: BTreeMap<String, String>,
    /// Each source of weights that a job names, with its hash if the file is on this machine.
    pub weights: BTreeMap<&'static str, (Body, Option<String>)>,
    /// The wheels of each bootstrap action that takes its packages from S3, by name.
    pub wheels: BTreeMap<String, Wheels>,
}

#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("weights cannot be read: {0}")]
    Weights(#[from] std::io::Error),
}

impl Materials {
    /// All of it, weights too: those of `cache`, where they are published ones.
    pub fn gather(
        stack: &Stack,
        folder: &Path,
        cache: &Path,
        home: &str,
        wheels: BTreeMap<String, Wheels>,
    ) -> Result<Self, MaterialError> {
        let mut materials = Self::scripts(stack, folder.into(), home, wheels)?;
        for features in stack.jobs.values().filter_map(Job::features) {
            let wanted = &features.model.weights;
            materials.weights.insert(weights::source(wanted), weights::body(wanted, cache)?);
        }
        Ok(materials)
    }

    /// What is text: reads and renders. `wheels` answer [`requests`], and `home` is the name of the bucket where nodes
    /// find them.
    pub fn scripts(
        stack: &Stack,
        folder: Folder,
        home: &str,
        wheels: BTreeMap<String, Wheels>,
    ) -> Result<Self, ScriptError> {
        let mut materials = Self { wheels, ..Self::default() };
        for action in &stack.bootstrap {
            let staged = materials.wheels.get(&action.name).map(|wheels| wheels.staged(stack.region, home));
            let text = script::bootstrap(stack, action, folder, staged.as_ref())?;
            materials.bootstrap.insert(action.name.clone(), text);
        }
        for (key, job) in &stack.jobs {
            materials.jobs.insert(key.clone(), script::job(stack, key, job, folder)?);
        }
        Ok(materials)
    }
}

/// The wheels that bootstrap actions ask for, by the action's name.
pub fn requests(stack: &Stack) -> Result<BTreeMap<String, Request>, WheelsError> {
    let mut requests = BTreeMap::new();
    for action in &stack.bootstrap {
        if let BootstrapWork::Template { packages, from: PackagesFrom::S3, .. } = &action.work {
            let packages = script::installed(stack, packages);
            let packages = packages.map(|(name, version)| (name.clone(), version.clone())).collect();
            let request = Request { action: plain(&action.name), packages, target: target(stack, &action.name)? };
            requests.insert(action.name.clone(), request);
        }
    }
    Ok(requests)
}

/// What the nodes run: every group the same, for a bootstrap action is one for all.
fn target(stack: &Stack, action: &str) -> Result<Target, WheelsError> {
    let unknown = |what| WheelsError::Unknown { action: action.to_owned(), what };
    let cluster = stack.cluster.as_ref().ok_or_else(|| unknown("Python"))?;
    let types = cluster.groups().flat_map(|(_, group)| group.types().map(|(name, _)| name));
    let found: BTreeSet<&'static str> = types.filter_map(|name| Some(instance_type(name)?.arch)).collect();
    if found.len() > 1 {
        return Err(WheelsError::Mixed { action: action.to_owned(), found: found.into_iter().collect() });
    }
    Ok(Target {
        python: stack.python().ok_or_else(|| unknown("Python"))?,
        arch: found.first().ok_or_else(|| unknown("processor"))?,
        glibc: cluster.release.glibc().ok_or_else(|| unknown("C library"))?,
    })
}

/// The key of the object that holds the weights of a source.
pub fn weights_key(wanted: &Weights) -> String {
    format!("weights-{}", weights::source(wanted))
}

/// The name of the stack's home.
pub fn home_name(stack: &Stack, account: &str) -> String {
    resources::home_name(&stack.name, account)
}

/// The name of the bucket of a place. A stack that was read names declared buckets alone.
pub fn bucket_of(stack: &Stack, place: &Place, account: &str) -> Result<String, CloudError> {
    let name = stack.bucket_name(&place.bucket, account);
    name.ok_or_else(|| CloudError::failed(format!("no bucket `{}` is declared", place.bucket)))
}

/// `s3://bucket/prefix` of a place of the stack.
pub fn url(stack: &Stack, place: &Place, account: &str) -> String {
    let bucket = stack.bucket_name(&place.bucket, account).unwrap_or_else(|| format!("<{}>", place.bucket));
    format!("s3://{bucket}/{}", place.prefix)
}

/// What a stack asks of its network, given what is there; `None` for one without a cluster.
pub fn wish(stack: &Stack, live: &[Live]) -> Option<Wish> {
    let cluster = stack.cluster.as_ref()?;
    let present = known(live, "cluster", "subnet");
    let stays = cluster.subnet.is_none() || cluster.subnet == present;
    // Where the groups are somebody else's, nothing of ours is made in the network itself.
    let vpc = if stack.security_groups.is_some() {
        Some(String::new())
    } else {
        // Another subnet may lie in another network.
        known(live, "security_group", "vpc").filter(|_| stays)
    };
    let types = cluster.groups().map(|(_, group)| group.instance_type.clone()).collect();
    Some(Wish { subnet: cluster.subnet.clone().or(present), vpc, types })
}

/// A field of what is there, for inputs that follow it.
fn known(live: &[Live], kind: &str, name: &str) -> Option<String> {
    let of = |live: &&Live| {
        live.resource.address().kind == kind && !matches!(live.resource.phase(), Phase::Ending | Phase::Ended(_))
    };
    let field = live.iter().find(of)?.resource.fields().into_iter().find(|field| field.name == name)?;
    field.value.as_str().map(str::to_owned)
}

/// The cluster that a stack means, alone.
pub fn cluster_of(stack: &Stack, materials: &Materials, around: &Surroundings) -> Option<Cluster> {
    cluster::cluster(stack, &objects(stack, materials, around), around)
}

/// Everything a stack means, as resources.
pub fn blueprint(stack: &Stack, materials: &Materials, around: &Surroundings) -> Vec<Arc<dyn Resource>> {
    let mut all: Vec<Arc<dyn Resource>> = Vec::new();
    all.extend(buckets(stack, around).into_iter().map(|bucket| Arc::new(bucket) as Arc<dyn Resource>));
    let objects = objects(stack, materials, around);
    if stack.cluster.is_some() {
        all.extend(roles(stack, around).into_iter().map(|role| Arc::new(role) as Arc<dyn Resource>));
        all.extend(profile(stack).map(|profile| Arc::new(profile) as Arc<dyn Resource>));
        all.extend(groups(stack, around).into_iter().map(|group| Arc::new(group) as Arc<dyn Resource>));
    }
    if let Some(cluster) = cluster::cluster(stack, &objects, around) {
        all.push(Arc::new(cluster));
        all.push(Arc::new(cluster::end(stack)));
    }
    all.extend(objects.into_iter().map(|object| Arc::new(object) as Arc<dyn Resource>));
    all
}

fn buckets(stack: &Stack, around: &Surroundings) -> Vec<Bucket> {
    let bucket = |key: &str, name: String, ours: &stack::OurBucket| {
        let encryption = match stack.encryption(ours) {
            Encryption::S3 => "AES256".to_owned(),
            Encryption::Kms(arn) => arn.to_owned(),
        };
        let days = |period: &stack::Period| i32::try_from(period.as_days().unwrap_or(1)).unwrap_or(i32::MAX);
        Bucket {
            key: key.to_owned(),
            region: around.region,
            settings: Settings {
                public_access_blocked: true,
                ownership: "BucketOwnerEnforced".into(),
                encryption,
                versioning: ours.versioning,
                expire: ours.expire.iter().map(|(prefix, age)| (prefix.clone(), days(age))).collect(),
                policy: Bucket::tls_only(around.region, &name),
                tags: stack.tags.clone(),
            },
            name,
        }
    };
    let home = bucket(HOME, home_name(stack, &around.account), &stack::OurBucket::default());
    let declared = stack.buckets.iter().filter_map(|(key, declared)| match declared {
        stack::Bucket::Ours(ours) => Some(bucket(key, stack.bucket_name(key, &around.account)?, ours)),
        stack::Bucket::Existing(_) => None,
    });
    std::iter::once(home).chain(declared).collect()
}

/// The address of an object of ours in home; `None` while its content, and so its name, is not known.
pub fn object_url(stack: &Stack, materials: &Materials, around: &Surroundings, key: &str) -> Option<String> {
    objects(stack, materials, around).iter().find(|object| object.key == key)?.url()
}

fn objects(stack: &Stack, materials: &Materials, around: &Surroundings) -> Vec<Object> {
    let home = home_name(stack, &around.account);
    let bootstrap =
        materials.bootstrap.iter().map(|(name, text)| Object::text(&bootstrap_key(name), &home, "sh", text));
    let jobs = materials.jobs.iter().map(|(key, text)| Object::text(&format!("job-{key}"), &home, "py", text));
    let weights = materials.weights.iter().map(|(source, (body, content))| Object {
        key: format!("weights-{source}"),
        bucket: home.clone(),
        content: content.clone(),
        // Keras tells its formats apart by the name's end.
        extension: if *source == "imagenet" { "h5".into() } else { "weights.h5".into() },
        body: body.clone(),
        beside: Beside::Nothing,
        etag: None,
        modified: 0,
    });
    let wheels = materials.wheels.values().map(|wheels| wheels.object(&home));
    let all = bootstrap.chain(jobs).chain(weights).chain(wheels);
    // Of what a KMS key encrypts, S3 tells no MD5.
    let told = stack.kms_key.is_none();
    all.map(|object| Object { etag: object.etag.clone().filter(|_| told), ..object }).collect()
}

/// The key of the object that holds a bootstrap action.
pub fn bootstrap_key(name: &str) -> String {
    format!("bootstrap-{}", plain(name))
}

/// A bootstrap action's name may be anything; a key that tells it apart may not.
fn plain(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let plain: String = plain.collect();
    if plain == name { plain } else { format!("{plain}-{}", &crate::cloud::mark::fingerprint(name)[..4]) }
}

/// The roles of a stack, as they would be made.
pub fn roles(stack: &Stack, around: &Surroundings) -> Vec<Role> {
    let role = |key: &str, trust, policy| Role {
        key: key.into(),
        name: format!("{}-{key}", stack.name),
        trust,
        policy,
        attached: BTreeSet::new(),
        tags: stack.tags.clone(),
    };
    // A profile of somebody else brings its own.
    let nodes = stack
        .grants()
        .filter(|_| stack.instance_profile.is_none())
        .map(|grants| role("nodes", policies::nodes_trust(around), policies::nodes(stack, &grants, around)));
    let service = stack.roles.service.is_none();
    let service = service.then(|| role("service", policies::service_trust(around), policies::service(stack, around)));
    let end = stack.roles.end.is_none();
    let end = end.then(|| role("end", policies::end_trust(around), policies::end(stack, around)));
    nodes.into_iter().chain(service).chain(end).collect()
}

/// The role of the nodes, as the profile and the service role's policy name it.
pub(crate) fn nodes_role(stack: &Stack) -> Ref {
    let theirs = |existing: &stack::Existing| Ref::Theirs(Id(existing.name().into()));
    match (&stack.roles.nodes, &stack.instance_profile) {
        (NodesRole::Existing(role), _) => theirs(role),
        // Somebody else's profile brings its own role, which is called as the profile is unless `roles.nodes` says.
        (NodesRole::Ours(_), Some(profile)) => theirs(profile),
        (NodesRole::Ours(_), None) => Ref::Ours(Role::at("nodes")),
    }
}

fn profile(stack: &Stack) -> Option<InstanceProfile> {
    stack.instance_profile.is_none().then(|| InstanceProfile {
        key: "nodes".into(),
        name: format!("{}-nodes", stack.name),
        path: role_path(&stack.name),
        roles: [nodes_role(stack)].into(),
    })
}

fn groups(stack: &Stack, around: &Surroundings) -> Vec<SecurityGroup> {
    let (None, Some(network), Some(cluster)) = (&stack.security_groups, &around.network, &stack.cluster) else {
        return vec![];
    };
    let access =
        cluster.access.iter().map(|access| Rule::tcp(access.port, access.from.network().to_string())).collect();
    let group = |key: &str, access| SecurityGroup {
        key: key.into(),
        name: format!("{}-{key}", stack.name),
        vpc: network.vpc.clone(),
        access,
        tags: stack.tags.clone(),
    };
    vec![group("primary", access), group("core", std::collections::BTreeSet::new())]
}
