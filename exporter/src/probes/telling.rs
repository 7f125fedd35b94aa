//! Hands what a ring buffer says to those who follow events of that type, with the names of the containers. Programs send
//! records only while the events are wanted.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    object::{Object, Ring, Table},
    pump::{Next, Pump, Turn},
};
use crate::{
    books::{Books, ledger::Ledger, moment::Moment},
    events::{Event, Feeds, Producer},
    spec::Unavailable,
};

/// Bytes of a ring that nobody wanted records from when it was loaded: enough for some hundreds, should somebody come.
pub(super) const UNUSED_RING: u32 = 64 << 10;

/// The pump's period; since nothing is ever left unfinished, it waits for records alone.
const PERIOD: Duration = Duration::from_secs(1);

/// The switch of a feature's records (`streaming.h`), and the thread that reads them.
pub(super) struct Telling {
    switch: Table,
    one_of: u32,
    thread: Mutex<Thread>,
}

enum Thread {
    /// Nobody has wanted events yet.
    Waits(Box<dyn FnOnce() -> Result<Pump, Unavailable> + Send>),
    /// Reads until the feature ends: a record can be on its way when the last follower goes.
    Runs { _pump: Pump },
    /// Could not be started.
    Failed,
}

impl Telling {
    /// Sends a record of one of `one_of` events into `ring` while somebody wants them, and has a thread read each with
    /// `decode` and tell what `event` makes of it. The books are locked once for all records that came together.
    pub(super) fn of<R: Send + 'static, E: Event>(
        object: &Object,
        ring: &str,
        one_of: u32,
        thread: &'static str,
        (books, feeds): (Books, Feeds),
        decode: fn(&[u8]) -> Option<R>,
        event: impl Fn(R, &Ledger, Moment) -> E + Send + 'static,
    ) -> Result<Arc<Self>, Unavailable> {
        let (switch, ring, to) = (object.table("streaming")?, object.ring(ring)?, feeds.clone());
        let waits = Thread::Waits(Box::new(move || start(thread, ring, (books, to), decode, event)));
        let telling = Arc::new(Self { switch, one_of, thread: Mutex::new(waits) });
        feeds.produced_by::<E>(&telling);
        Ok(telling)
    }
}

impl Producer for Telling {
    fn switch(&self, wanted: bool) {
        let mut thread = self.thread.lock();
        *thread = match std::mem::replace(&mut *thread, Thread::Failed) {
            Thread::Waits(start) if wanted => match start() {
                Ok(pump) => Thread::Runs { _pump: pump },
                Err(error) => {
                    tracing::error!(%error, "cannot read events of containers; nobody is told of them until a restart");
                    Thread::Failed
                }
            },
            thread => thread,
        };
        let one_of = if wanted { self.one_of } else { 0 };
        if let Err(error) = self.switch.set(&0_u32, &one_of) {
            tracing::warn!(%error, wanted, "cannot switch a stream of events; restart the agent");
        }
    }
}

fn start<R: Send + 'static, E: Event>(
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
