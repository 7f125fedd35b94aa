//! Hands what a ring buffer says to those who follow events of that type, with the names of the containers.

use std::time::Duration;

use super::{
    object::Ring,
    pump::{Next, Pump, Turn},
};
use crate::{
    books::{Books, ledger::Ledger, moment::Moment},
    events::{Event, Feeds},
    spec::Unavailable,
};

/// The pump's period; since nothing is ever left unfinished, it waits for records alone.
const PERIOD: Duration = Duration::from_secs(1);

/// Starts a thread that reads records with `decode` and tells what `event` makes of each. The books are locked once for all
/// records that came together.
pub(super) fn start<R: Send + 'static, E: Event>(
    thread: &str,
    ring: Ring,
    (books, feeds): (Books, Feeds),
    decode: fn(&[u8]) -> Option<R>,
    event: impl Fn(R, &Ledger, Moment) -> E + Send + 'static,
) -> Result<Pump, Unavailable> {
    let mut waiting = Vec::new();
    let pump = Pump::start(thread, ring, PERIOD, move |turn| {
        match turn {
            Turn::Record(bytes) => waiting.extend(decode(bytes)),
            Turn::Idle if waiting.is_empty() => {}
            Turn::Idle => {
                let now = Moment::now();
                let events: Vec<E> =
                    books.look(|ledger| waiting.drain(..).map(|record| event(record, ledger, now)).collect());
                for event in events {
                    feeds.tell(event);
                }
            }
        }
        Next::Record
    });
    pump.map_err(|error| Unavailable(format!("cannot start the thread: {error}")))
}
