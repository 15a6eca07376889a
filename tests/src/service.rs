//! Routers and notifiers as tasks of this process.

use std::{fmt::Display, future::Future};

use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::wait::LONG;

/// A router or notifier at work in this process. Dropping it cuts it off at its next wait.
#[derive(Debug)]
pub struct Here {
    name: &'static str,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), String>>,
}

impl Here {
    /// Starts what `run` makes of the signal to stop.
    pub(crate) fn start<F, E>(name: &'static str, run: impl FnOnce(oneshot::Receiver<()>) -> F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let (stop, stopped) = oneshot::channel();
        let running = run(stopped);
        let task = tokio::spawn(async move { running.await.map_err(|why| why.to_string()) });
        Self { name, stop: Some(stop), task }
    }

    /// Asks it to stop, as SIGTERM does, and waits until it has.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        let ended = timeout(LONG, &mut self.task).await;
        let ended = ended.unwrap_or_else(|_| panic!("the {} did not stop when asked", self.name));
        ended.unwrap().unwrap_or_else(|why| panic!("the {} failed: {why}", self.name));
    }

    /// Cuts it off at its next wait.
    pub fn cut_off(self) {}

    /// Whether it still works.
    pub fn works(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.task.abort();
    }
}
