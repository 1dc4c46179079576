//! Every call to AWS answered by the fuzzer: a server of loopback, a cloud that knows no other, and the calls whose
//! answers the program reads. What comes back may be an error; it may not be a panic.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

use fruitsinfra::cloud::clock::Clock;
use fruitsinfra::cloud::{Cancel, Cloud, Endpoint};
use fruitsinfra::job::{logs, results};
use fruitsinfra::lease::{Holder, Lease, Terms};
use fruitsinfra::residency::EuRegion;
use fruitsinfra::resource::Cx;
use fruitsinfra::stack::{Links, Place, Upload, load_text};
use fruitsinfra::{resources, sync};
use tokio::sync::mpsc;

/// What is asked, and which statuses an answer may have. None of them is one the SDK would try again after.
const ASKED: [&str; 8] = ["object", "listing", "emr", "iam", "ec2", "schedule", "metrics", "prices"];
const STATUSES: [&str; 6] =
    ["200 OK", "400 Bad Request", "403 Forbidden", "404 Not Found", "409 Conflict", "412 Precondition Failed"];

/// A page that names itself as the next would be asked for without end.
const MOST_ANSWERS: usize = 12;

struct Wire {
    cx: Cx,
    runtime: tokio::runtime::Runtime,
}

static ANSWER: Mutex<(usize, usize, Vec<u8>)> = Mutex::new((0, 0, Vec::new()));
static ANSWERED: AtomicUsize = AtomicUsize::new(0);
static WIRE: LazyLock<Wire> = LazyLock::new(wire);

fn wire() -> Wire {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(answer(stream)));
        }
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let cloud = runtime.block_on(Cloud::connect(EuRegion::EuWest3, &Endpoint::Local(url)));
    let (_, cancel) = Cancel::pair();
    let (say, _) = mpsc::unbounded_channel();
    let cx = Cx::new(cloud, "fruits", "data@fruits.example", Clock::System, cancel, say);
    Wire { cx, runtime }
}

/// Reads one request and answers it.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 8192]);
    let head = loop {
        let read = stream.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..read]);
        if let Some(head) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            break head + 4;
        }
        if read == 0 {
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0_usize);
    while request.len() < head + length {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        request.extend_from_slice(&buffer[..read]);
    }
    let body = String::from_utf8_lossy(&request[head..]);
    let asked = if text.contains("awspricelistservice") {
        "prices"
    } else if text.contains("x-amz-target") {
        "emr"
    } else if text.contains("/operation/getmetricdata") {
        "metrics"
    } else if text.starts_with("get /schedules") {
        "schedule"
    } else if body.contains("GetCallerIdentity") {
        "sts"
    } else if body.contains("2010-05-08") {
        "iam"
    } else if body.starts_with("Action=") {
        "ec2"
    } else if text.starts_with("get") && !text.contains("list-type=2") && text.contains("x-id=getobject") {
        "object"
    } else if text.starts_with("get") {
        "listing"
    } else {
        "write"
    };
    let (status, body) = if asked == "sts" {
        ("200 OK", br"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>".to_vec())
    } else {
        let told = ANSWER.lock().expect("no answer panics");
        if ASKED[told.0] == asked && ANSWERED.fetch_add(1, Ordering::Relaxed) < MOST_ANSWERS {
            (STATUSES[told.1], told.2.clone())
        } else {
            ("400 Bad Request", b"<Error><Code>NoSuchKey</Code></Error>".to_vec())
        }
    };
    let head =
        format!("HTTP/1.1 {status}\r\netag: \"e\"\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

/// The first byte says which call is answered, the second with which status, the rest what.
pub(super) fn answers(data: &[u8]) {
    let [asked, status, body @ ..] = data else { return };
    let asked = usize::from(*asked) % ASKED.len();
    *ANSWER.lock().expect("no answer panics") = (asked, usize::from(*status) % STATUSES.len(), body.to_vec());
    ANSWERED.store(0, Ordering::Relaxed);
    let Wire { cx, runtime } = &*WIRE;
    runtime.block_on(async {
        match ASKED[asked] {
            "object" => {
                let _ = results::report(cx, "data", "out/").await;
                let _ = logs::read(cx, "logs", "stderr.gz").await;
                let to = Place::new("data", "images/");
                let upload = Upload {
                    from: concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into(),
                    to,
                    links: Links::Within,
                    split: None,
                    sample: None,
                };
                let stack = load_text("own.yaml", super::OWN.into(), Path::new("")).expect("is a stack").stack;
                let _ = sync::survey(cx, "home", ("data", None), &upload, &stack).await;
                let me = Holder::me("data@fruits.example", "fuzz", jiff::Timestamp::UNIX_EPOCH);
                let terms = Terms { patience: std::time::Duration::ZERO, heeds: false };
                let (stop, cancel) = Cancel::pair();
                if let Ok(lease) = tokio::time::timeout(
                    std::time::Duration::from_millis(200),
                    Lease::take(&cx.cloud, "home", me, terms, (stop, &cancel), |_| ()),
                )
                .await
                .unwrap_or_else(|_| {
                    Err(fruitsinfra::lease::LeaseError::Cloud(fruitsinfra::cloud::error::CloudError::interrupted()))
                }) {
                    let _ = lease.release().await;
                }
            }
            "emr" => {
                let _ = cx.cloud.steps("j-0").await;
                let _ = cx.cloud.recent_steps("j-0").await;
                let _ = cx.cloud.describe("j-0").await;
                let _ = cx.cloud.cluster_span("j-0").await;
                let _ = cx.cloud.active_clusters().await;
                let _ = resources::list_all(cx).await;
            }
            "ec2" => {
                let _ = cx.cloud.fleets().await;
                let _ = cx.cloud.regions().await;
                let _ = cx.cloud.marked_groups().await;
                let _ = resources::list_all(cx).await;
            }
            "schedule" => {
                let _ = cx.cloud.schedules("-end").await;
                let _ = resources::end::read(&cx.cloud, "fruits").await;
            }
            "metrics" => {
                let then = jiff::Timestamp::UNIX_EPOCH;
                let _ = cx.cloud.metrics(&[("j-0".into(), then)], then + std::time::Duration::from_hours(3)).await;
            }
            "prices" => {
                let quotes = cx.cloud.quotes(EuRegion::EuWest3, |_| true).await.unwrap_or_default();
                let amounts = quotes.ec2.values().chain(quotes.emr.values()).chain(&quotes.ebs_gp3);
                assert!(amounts.into_iter().all(|usd| usd.is_finite() && *usd > 0.0), "{quotes:?}");
            }
            _ => {
                let _ = cx.cloud.list_objects("data", "images/").await;
                let _ = resources::list_all(cx).await;
            }
        }
    });
}
