//! What is fuzzed: each target feeds bytes to a part of the library that reads what others wrote, and holds what
//! must be true of its answer. The suite replays them, the engine in `engine/` searches with them. None may reach
//! beyond loopback.

mod answers;

use std::path::Path;
use std::sync::Arc;

use fruitsinfra::blueprint::{self, Materials};
use fruitsinfra::check;
use fruitsinfra::cloud::logs;
use fruitsinfra::cloud::mark::Mark;
use fruitsinfra::cloud::objects::Listed;
use fruitsinfra::cloud::promise::Promise;
use fruitsinfra::cloud::surroundings::Surroundings;
use fruitsinfra::guard::facts::{Warned, Whose};
use fruitsinfra::import::{self, Beside, Format, Refused, Wishes};
use fruitsinfra::job::arguments;
use fruitsinfra::job::results::Report;
use fruitsinfra::job::tables::{Features, points};
use fruitsinfra::job::trouble;
use fruitsinfra::lease::Holder;
use fruitsinfra::ledger::Entry;
use fruitsinfra::plan::plan;
use fruitsinfra::price::table::Update;
use fruitsinfra::resource::Resource;
use fruitsinfra::resources::object::Object;
use fruitsinfra::script::{Language, Origin, Text};
use fruitsinfra::stack::{self, Finding, Links, Loaded, Place, Sample, Source, Split, Upload};
use fruitsinfra::ui::plan::{Shown, json, text};
use fruitsinfra::ui::snippet;
use fruitsinfra::{price, residency, script, sync, wheels};

pub(crate) type Target = fn(&[u8]);

pub(crate) const TARGETS: [(&str, Target); 15] = [
    ("stack", stack_text),
    ("scripts", scripts),
    ("own", own_scripts),
    ("secrets", secrets),
    ("words", words),
    ("lease", lease),
    ("report", report),
    ("objects", objects),
    ("logs", packed_logs),
    ("tables", tables),
    ("pip", pip),
    ("ledger", ledger),
    ("answers", answers::answers),
    ("import", imports),
    ("zips", zips),
];

fn loaded(data: &[u8]) -> Option<Loaded> {
    let text = std::str::from_utf8(data).ok()?.to_owned();
    let lines = text.split('\n').count();
    let (sources, findings, loaded) = match stack::load_text("own.yaml", text, Path::new("")) {
        Ok(loaded) => (vec![loaded.source.clone()], loaded.findings.clone(), Some(loaded)),
        Err(broken) => (broken.sources, broken.findings, None),
    };
    assert!(loaded.is_some() || !findings.is_empty(), "a stack is refused without a word");
    for finding in &findings {
        assert!((1..=lines).contains(&finding.line) && finding.column >= 1, "{finding:?}");
        assert!(finding.message.chars().count() < 1_000, "a message of {} characters", finding.message.len());
    }
    shown(&findings, &sources);
    loaded
}

/// As a person sees them: a few lines each, of whatever length the text's are.
fn shown(findings: &[Finding], sources: &[Source]) {
    let shown = snippet::render(findings, sources, snippet::Style::default());
    assert!(shown.len() < 200_000, "{} bytes are shown", shown.len());
}

/// The loader: YAML text to a stack or to findings.
fn stack_text(data: &[u8]) {
    loaded(data);
}

/// What others wrote of a cluster: a stack or findings at places of the text, whatever it is taken for.
fn imports(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.split('\n').count();
    let beside =
        Beside { script: &|wanted| Some(format!("{}.sh", wanted.base.len())), file: &|_| Some(text.to_owned()) };
    for format in [None, Some(Format::Json), Some(Format::Cli), Some(Format::Terraform), Some(Format::Mrjob)] {
        let (findings, sources) = match import::import("own", text, format, &Wishes::default(), &beside) {
            Ok(imported) => {
                // It may not hold (a type that no release takes); it is YAML of a stack all the same.
                if let Err(broken) = stack::load_text("own.yaml", imported.text.clone(), Path::new("")) {
                    let form = |finding: &Finding| finding.code <= "FI110";
                    let wrong: Vec<&Finding> = broken.findings.iter().filter(|finding| form(finding)).collect();
                    assert!(wrong.is_empty(), "{wrong:#?}\n{}", imported.text);
                }
                (imported.findings, vec![imported.source])
            }
            Err(Refused::Broken(broken) | Refused::Policy(broken)) => {
                assert!(!broken.findings.is_empty(), "a source is refused without a word");
                (broken.findings, broken.sources)
            }
        };
        for finding in &findings {
            assert!((1..=lines).contains(&finding.line) && finding.column >= 1, "{finding:?}");
        }
        shown(&findings, &sources);
    }
}

/// What a stack becomes without a connection: scripts, resources, plan, price.
fn scripts(data: &[u8]) {
    let Some(loaded) = loaded(data) else { return };
    let checked = check::examine(&loaded, Path::new(""), jiff::civil::date(2026, 11, 28), None);
    shown(&checked.findings, &checked.sources);
    let Some(stack) = &checked.stack else { return };
    let mut materials = Materials::default();
    for action in &stack.bootstrap {
        let folder = Path::new("");
        if let Ok(text) = script::bootstrap(stack, action, folder, None) {
            materials.bootstrap.insert(action.name.clone(), text);
        }
    }
    let around = Surroundings::offline(stack.region, stack.account.as_deref(), None);
    for (key, job) in &stack.jobs {
        if let Ok(text) = script::job(stack, key, job, Path::new("")) {
            let args = arguments(stack, job, "s3://home/job.py", None, &around.account);
            assert!(args.iter().map(|arg| arg.chars().count()).sum::<usize>() <= 10_240, "EMR refuses {key}");
            materials.jobs.insert(key.clone(), text);
        }
    }
    let desired = blueprint::blueprint(stack, &materials, &around);
    let cost = price::estimate(stack, &price::Table::built_in(), stack.limits.lifetime.into());
    // A plan may refuse (two resources at one address); it must not panic.
    if let Ok(plan) = plan::<Arc<dyn Resource>>(&desired, &[]) {
        let shown = Shown { cost: Some(&cost), ..Shown::of(stack, &around.account) };
        json(&plan, &shown);
        text(&plan, &shown);
    }
}

/// What is found in scripts of one's own; the first byte chooses the language. Mends are made, and found no more.
fn own_scripts(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let language = if which % 2 == 0 { Language::Shell } else { Language::Python };
    let stack = stack::load_text("own.yaml", OWN.into(), Path::new("")).expect("is a stack").stack;
    let found = |text: &str| {
        let text = Text { file: "own".into(), text: text.to_owned(), language, origin: Origin::File };
        check::script(text, &stack)
    };
    let findings = found(text);
    let lines = text.split('\n').count();
    for finding in &findings {
        assert!((1..=lines).contains(&finding.line) && finding.column >= 1, "{finding:?}");
        assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
    }
    let source = Source { file: "own".into(), text: text.to_owned() };
    shown(&findings, std::slice::from_ref(&source));
    let (mended, made) = stack::fix::apply(&source, &findings);
    assert_eq!(made.is_empty(), mended == text, "{made:?}");
    found(&mended);
}

/// What a job wrote, broken in every way: it is refused, or its rows are counted.
fn tables(data: &[u8]) {
    let mut features = Features::default();
    if features.read(data.to_vec()).is_ok() {
        features.problems(&["s3://bucket/images/A/1.jpg".to_owned()].into(), 1280);
    }
    let _ = points(data.to_vec());
}

/// A zip that somebody serves, whole and a part of it: each entry is what its archive told, or an error; and the same bytes
/// as paths of a data set, a line each.
fn zips(data: &[u8]) {
    let file = std::env::temp_dir().join(format!("fruitsinfra-fuzz-{}.zip", std::process::id()));
    std::fs::write(&file, data).expect("a file to write");
    let sample = Some(Sample { classes: Some(2), images: Some(1) });
    for (split, sample) in [(None, None), (Some(Split::Test), sample)] {
        let to = Place::new("data", "images/");
        let upload = Upload { from: file.clone(), to, links: Links::Within, split, sample };
        let Ok(Some(look)) = sync::look(&upload) else { continue };
        let mut keys = std::collections::BTreeSet::new();
        for local in look.files() {
            let below = local.key().strip_prefix("images/").expect("below its place");
            assert!(below.split('/').all(|part| !["", ".", ".."].contains(&part)), "{below:?}");
            assert!(!below.contains(char::is_control) && keys.insert(below), "{below:?}");
            let read = local.open().map(|mut content| std::io::copy(&mut content, &mut std::io::sink()));
            if let Ok(Ok(read)) = read {
                assert_eq!(read, local.size(), "{below:?}");
            }
        }
        assert!(sample.is_none() || look.images() == look.files().len());
    }
    let text = String::from_utf8_lossy(data);
    let lines = text.lines().count();
    for set in sync::data_sets(text.lines()) {
        assert!(set.classes >= 1 && (1..=lines).contains(&(set.training + set.test)), "{set:?}");
        assert!(set.root.is_empty() || set.root.ends_with('/'), "{set:?}");
    }
    let _ = std::fs::remove_file(file);
}

const OWN: &str = "stack: fruits\nregion: eu-west-3\nowner: a\nbuckets: {logs: {}}\n\
    cluster: {release: emr-7.12.0, primary: {type: m5.xlarge}}\n";

/// Scripts of one's own: what is told of a text that holds a secret shows no character of it.
fn secrets(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let file = ["a.py", "a.sh", "a.yaml", "a.sh.j2"][usize::from(*which) % 4];
    let Ok(text) = std::str::from_utf8(data) else { return };
    match stack::check_script(file, text.to_owned()) {
        Ok(same) => assert_eq!(same, text),
        Err(broken) => {
            let [source] = broken.sources.as_slice() else { panic!("one text, {} sources", broken.sources.len()) };
            assert_eq!((source.text.len(), source.text.lines().count()), (text.len(), text.lines().count()));
            for finding in &broken.findings {
                let shown = &source.text[finding.span.clone()];
                assert!(!shown.is_empty() && shown.chars().all(|c| "*\r\n".contains(c)), "{finding:?}");
                let hidden = &text[finding.span.clone()];
                assert!(hidden.len() < 12 || !finding.message.contains(hidden), "{finding:?}");
            }
            shown(&broken.findings, &broken.sources);
        }
    }
}

/// What is read is written, and read back as the same.
fn same<T: std::str::FromStr + ToString + PartialEq + std::fmt::Debug>(word: &str) {
    if let Ok(read) = word.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().ok().as_ref(), Some(&read), "{word:?}");
    }
}

/// Single words of the language and of addresses.
fn words(data: &[u8]) {
    let Ok(word) = std::str::from_utf8(data) else { return };
    same::<stack::Period>(word);
    same::<stack::Money>(word);
    same::<stack::Cidr>(word);
    same::<stack::Release>(word);
    same::<stack::Place>(word);
    same::<stack::Weights>(word);
    same::<residency::EuRegion>(word);
    if let Ok(range) = word.parse::<stack::Cidr>() {
        assert_eq!(range.network().network(), range.network());
    }
    let _ = residency::region_abroad(word);
    if let Some((bucket, prefix)) = logs::split(word) {
        assert!(word.ends_with(&format!("{bucket}/{prefix}")));
    }
}

/// The body of a lease.
fn lease(data: &[u8]) {
    let Ok(holder) = serde_json::from_slice::<Holder>(data) else { return };
    let _ = holder.to_string();
    let written = serde_json::to_vec(&holder).expect("is written");
    assert_eq!(serde_json::from_slice::<Holder>(&written).ok(), Some(holder));
}

/// Entries of the ledger, and the prices that were read last.
fn ledger(data: &[u8]) {
    if let Ok(entry) = serde_json::from_slice::<Entry>(data) {
        let written = serde_json::to_vec(&entry).expect("is written");
        assert_eq!(serde_json::from_slice::<Entry>(&written).ok(), Some(entry));
    }
    if let Ok(update) = serde_json::from_slice::<Update>(data) {
        let (mut table, region) = (price::Table::built_in(), residency::EuRegion::EuWest3);
        table.update(region, &update);
        let told = update.ec2.keys().filter_map(|name| table.ec2(name, region));
        assert!(told.chain(table.other("ebs_gp3", region)).all(|usd| usd.is_finite() && usd > 0.0));
    }
}

/// What a job reports.
fn report(data: &[u8]) {
    let Ok(report) = serde_json::from_slice::<Report>(data) else { return };
    let written = serde_json::to_vec(&report).expect("is written");
    serde_json::from_slice::<Report>(&written).expect("is read back");
}

/// Keys of objects and tags, a line each.
fn objects(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let tags =
        text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    if let Some(mark) = Mark::read(&tags, "fruits") {
        assert_eq!(Mark::read(&mark.tags(), "fruits"), Some(mark.clone()));
        assert!(mark.key("").is_none_or(|key| mark.address.ends_with(key)));
        mark.belongs_to("data@fruits.example");
    }
    if let Some(promise) = Promise::read(&tags) {
        let told = Promise::read(&promise.tags()).expect("is read back");
        assert_eq!((told.home, told.idle, told.liftable), (promise.home, promise.idle, promise.liftable));
        assert_eq!(told.expires.as_second(), promise.expires.as_second());
    }
    let _ = (Warned::read(&tags), Whose::read(&tags));
    for line in text.lines() {
        let listed = Listed { key: line.to_owned(), size: 0, etag: String::new(), modified: None };
        if let Some(object) = Object::parse("home", &listed) {
            assert_eq!(object.path().as_deref(), Some(line));
            object.url().expect("has an address");
            object.beside_url().expect("has a folder");
            object.fields();
        }
    }
}

/// Logs as EMR packs them.
fn packed_logs(data: &[u8]) {
    for key in ["stderr.gz", "stderr"] {
        let text = logs::unpack(key, data.to_vec());
        let tail = logs::tail(&text, 20);
        assert!(tail.lines().count() <= 20 && tail.len() <= text.len());
        let _ = trouble::of(&text);
        assert!(trouble::end(&text).lines().count() <= 26);
    }
}

/// What pip answers.
fn pip(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(list) = wheels::requirements(text) {
        assert!(list.is_empty() || list.ends_with('\n'));
    }
}
