//! Tasks and threads that must not end unseen. A panic in one of them is either caught, so that its work is started
//! again, or it ends the program: no process looks alive that has stopped working.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    thread::JoinHandle,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::panics;

/// Why the program must end, once something it cannot do without has ended.
static FAILURE: Mutex<Option<String>> = Mutex::new(None);
static FAILED: Notify = Notify::const_new();

/// A panic of a task or thread.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {0}")]
pub struct Panicked(String);

impl Panicked {
    fn new(payload: &(dyn Any + Send)) -> Self {
        Self(panics::message(payload))
    }
}

/// Does work to its end, or until it panics.
pub async fn caught<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(Panicked::new(&*payload))),
    })
    .await
}

/// Starts a thread whose work the program cannot do without: a panic in it ends the program, as [`fail`] does.
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let called = name.to_owned();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
            fail(&format!("thread {called} {}", Panicked::new(&*payload)));
        }
    })
}

/// Ends the program: it drains its connections, and its exit code and last line say that it failed, and why.
pub fn fail(why: &str) {
    FAILURE.lock().get_or_insert_with(|| why.to_owned());
    FAILED.notify_one();
}

/// Waits until the program must end, and says why.
pub(crate) async fn failed() -> String {
    loop {
        FAILED.notified().await;
        if let Some(why) = FAILURE.lock().take() {
            return why;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_message() {
        assert_eq!(caught(async { 7 }).await, Ok(7));
        let text = caught(async { std::panic::panic_any("plain") }).await;
        assert_eq!(text.map(|()| 0).unwrap_err().to_string(), "panicked: plain");
        let made = caught(async {
            tokio::task::yield_now().await;
            panic!("number {}", 7)
        });
        assert_eq!(made.await.map(|()| 0).unwrap_err().to_string(), "panicked: number 7");
        let odd = caught(async { std::panic::panic_any(7_u8) }).await;
        assert_eq!(odd.map(|()| 0).unwrap_err().to_string(), "panicked: without a message");
    }

    #[tokio::test]
    async fn a_thread_that_panics_ends_the_program() {
        thread("lab", || panic!("no more")).unwrap().join().unwrap();
        assert_eq!(failed().await, "thread lab panicked: no more");
    }
}
