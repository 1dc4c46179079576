//! What `scripts/bench` measures as a process of its own and no command can reach: the sending itself, against a server of
//! objects that is nothing else. Nothing here checks anything; it ends badly where the work does.

use std::path::PathBuf;

use fruitsinfra::cloud::clock::Clock;
use fruitsinfra::cloud::{Cancel, Cloud, Endpoint};
use fruitsinfra::event::Event;
use fruitsinfra::residency::EuRegion;
use fruitsinfra::resource::Cx;
use fruitsinfra::stack::load_text;
use fruitsinfra::sync;
use tokio::sync::mpsc::unbounded_channel;

/// Sends a folder into `data/images/`. It is not looked at once more: s3s-fs lists objects without their ETags, by which
/// what is there is known.
#[test]
#[ignore = "scripts/bench runs it"]
fn sends() {
    let told = |name: &str| std::env::var(name).expect(name);
    let folder = PathBuf::from(told("BENCH_FOLDER"));
    let text = format!(
        "stack: bench\nregion: eu-west-1\nowner: data@fruits.example\nbuckets: {{data: {{}}}}\nuploads: [{{from: {}, to: data/images/}}]\n",
        folder.display()
    );
    let stack = load_text("bench.yaml", text, &folder).expect("a stack").stack;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let endpoint = Endpoint::Local(told("BENCH_ENDPOINT"));
        let cloud = Cloud::connect(EuRegion::EuWest1, &endpoint).await;
        cloud.is_of_account("000000000000");
        let ((_, cancel), (say, _progress), (events, mut heard)) =
            (Cancel::pair(), unbounded_channel(), unbounded_channel());
        let cx = Cx::new(cloud, &stack.name, &stack.owner, Clock::System, cancel, say);
        let batch = sync::survey(&cx, "home", ("data", None), &stack.uploads[0], &stack).await.expect("surveyed");
        let files = batch.files;
        sync::send(&cx, batch, &events).await.expect("sent");
        let mut sent = 0;
        while let Ok(event) = heard.try_recv() {
            if let Event::Upload { files, .. } = event {
                sent = files;
            }
        }
        assert_eq!(sent, files);
    });
}
