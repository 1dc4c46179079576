//! The declared uploads of one change: what would be sent, and the sending beside the walk. It never waits for a bucket
//! that will not come.

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::blueprint;
use crate::cli::Failure;
use crate::cli::session::{Session, World};
use crate::cloud::error::CloudError;
use crate::event::Event;
use crate::resource::Address;
use crate::stack::Bucket;
use crate::sync::{self, Batch};

/// What `up` would send.
pub(in crate::cli) async fn surveys(session: &Session, world: &World) -> Result<Vec<Batch>, Failure> {
    let home = blueprint::home_name(&session.stack, &world.around.account);
    let mut batches = Vec::new();
    for upload in &session.stack.uploads {
        if let Some(bucket) = session.stack.bucket_name(&upload.to.bucket, &world.around.account) {
            let ours = matches!(session.stack.buckets.get(&upload.to.bucket), Some(Bucket::Ours(_)));
            let address = ours.then(|| Address::new("bucket", &upload.to.bucket));
            let bucket = (bucket.as_str(), address);
            batches.push(sync::survey(&session.cx, &home, bucket, upload, &session.stack).await?);
        }
    }
    Ok(batches)
}

/// Sends each upload as soon as its bucket is there, while the rest is being made.
pub(super) async fn send(
    session: &Session,
    uploads: Vec<Batch>,
    mut walking: watch::Receiver<bool>,
    events: &UnboundedSender<Event>,
) -> Result<(), CloudError> {
    for batch in uploads.into_iter().filter(Batch::moves) {
        if let Some(bucket) = &batch.bucket_address {
            tokio::select! {
                biased;
                () = session.cx.made(bucket) => {}
                // Its failure is told by the walk.
                _ = walking.wait_for(|over| *over) => continue,
            }
        }
        sync::send(&session.cx, batch, events).await?;
    }
    Ok(())
}
