//! Nodes that write all along, several at once, each as fast as its database answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::conformance::glance::Node;
use crate::support::{DbFailure, Kind, Session, TestDatabase, alone};

/// What a node does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    Old,
    New,
}

/// Nodes at work; they stop at the first write that fails.
pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Result<(), (String, DbFailure)>>>,
}

impl Writers {
    /// Starts nodes of these releases, each with a session of its own on which it runs `setting` first, where there is one.
    pub(super) fn start(db: &TestDatabase, releases: &[Release], setting: &str) -> Self {
        Self::on(db.kind(), db.application_url(), releases, setting, &[])
    }

    /// The same at a URL; a failure of one of these codes is for the application to try again.
    pub(super) fn on(kind: Kind, url: &str, releases: &[Release], setting: &str, retried: &'static [&str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicUsize::new(0));
        let threads = releases
            .iter()
            .enumerate()
            .map(|(number, release)| {
                let (url, setting, release) = (url.to_owned(), setting.to_owned(), *release);
                let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
                let name = format!("{release:?}-{number}").to_lowercase();
                thread::spawn(move || {
                    alone(async || {
                        let mut session = Session::open(kind, &url).await;
                        if !setting.is_empty() {
                            session.run(setting).await;
                        }
                        let mut node = Node::on(kind, session);
                        let mut round = 0;
                        while !stop.load(Ordering::SeqCst) {
                            match write(&mut node, release, &name, round).await {
                                Ok(()) => round += 1,
                                Err((_, failure)) if retried.contains(&failure.code.as_str()) => continue,
                                Err(failed) => return Err(failed),
                            }
                            written.fetch_add(1, Ordering::SeqCst);
                            // It has one writer at a time, and lets in whoever happens to ask.
                            if kind == Kind::Sqlite {
                                tokio::time::sleep(Duration::from_millis(3)).await;
                            }
                        }
                        Ok(())
                    })
                })
            })
            .collect();
        Self { stop, written, threads }
    }

    /// Waits until they have written so much more.
    pub(super) fn wait_for(&self, more: usize) {
        let (from, deadline) = (self.written.load(Ordering::SeqCst), Instant::now() + Duration::from_secs(30));
        while self.written.load(Ordering::SeqCst) < from + more {
            let ended = self.threads.iter().any(JoinHandle::is_finished);
            assert!(Instant::now() < deadline, "the nodes write no more");
            if ended {
                return; // `end` tells what failed.
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops them; fails with the first write that did.
    #[track_caller]
    pub(super) fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            if let Err((what, failure)) = thread.join().expect("a node does not panic") {
                panic!("a node failed to {what}: {failure:?}");
            }
        }
        self.written.load(Ordering::SeqCst)
    }
}

/// An image is made, and an earlier one is changed.
async fn write(node: &mut Node, release: Release, name: &str, round: usize) -> Result<(), (String, DbFailure)> {
    let id = format!("{name}-{round:06}");
    let earlier = format!("{name}-{:06}", round / 2);
    // Each image is changed twice, so that it ends where the next two rounds leave it.
    let (made, changed) = match release {
        Release::Old => (node.create_old(&id, false).await, node.update_old(&earlier, true).await),
        Release::New => (node.create_new(&id, "private").await, node.update_new(&earlier, "community").await),
    };
    // A round that is tried again has made its image.
    if let Err(failure) = made
        && !["1062"].contains(&failure.code.as_str())
    {
        return Err((format!("create {id}"), failure));
    }
    changed.map(drop).map_err(|failure| (format!("change {earlier}"), failure))
}
