//! The streams of all types of event, as producers and followers get them.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU8, Ordering::Relaxed},
    mpsc::Receiver,
};

use parking_lot::Mutex;

use super::{flow::Flow, life::Life, started::Started, stream::Stream};

/// The types of event, for declarations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// [`Flow`].
    Flow,
    /// [`Started`].
    Started,
    /// [`Life`].
    Life,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Flow, Self::Started, Self::Life];

    /// Its name in docs: `flow`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Started => "started",
            Self::Life => "life",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A type of event that has a stream.
pub trait Event: Send + Sync + Sized + 'static {
    /// Which.
    const KIND: Kind;

    #[doc(hidden)]
    fn stream(streams: &Streams) -> &Stream<Self>;
}

impl Event for Flow {
    const KIND: Kind = Kind::Flow;

    fn stream(streams: &Streams) -> &Stream<Self> {
        &streams.flows
    }
}

impl Event for Started {
    const KIND: Kind = Kind::Started;

    fn stream(streams: &Streams) -> &Stream<Self> {
        &streams.starts
    }
}

impl Event for Life {
    const KIND: Kind = Kind::Life;

    fn stream(streams: &Streams) -> &Stream<Self> {
        &streams.lives
    }
}

/// What produces a type of event.
pub trait Producer: Send + Sync {
    /// Somebody wants the events, or nobody does any more.
    fn switch(&self, wanted: bool);
}

/// The streams of this agent. They outlive a reload of the configuration. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Feeds(Arc<Streams>);

/// One stream a type of event.
#[derive(Default)]
pub struct Streams {
    flows: Stream<Flow>,
    starts: Stream<Started>,
    lives: Stream<Life>,
    /// Bits of the kinds that slices listen to.
    listened: AtomicU8,
    /// Held while one is told, so that what is told last is true.
    producers: Mutex<Vec<(Kind, Weak<dyn Producer>)>>,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("listened", &self.listened).finish_non_exhaustive()
    }
}

impl Feeds {
    /// Follows until the result is dropped, with a queue of `room` events.
    pub fn follow<E: Event>(&self, room: usize) -> Receiver<Arc<E>> {
        let events = E::stream(&self.0).follow(room);
        self.switch(E::KIND);
        events
    }

    /// Has a producer told, now and as long as it lives, whether anybody wants its events.
    pub fn produced_by<E: Event>(&self, producer: &Arc<impl Producer + 'static>) {
        let weak: Weak<dyn Producer> = Arc::downgrade(producer) as Weak<dyn Producer>;
        let mut producers = self.0.producers.lock();
        producers.retain(|(_, known)| known.strong_count() > 0);
        producers.push((E::KIND, weak));
        drop(producers);
        self.switch(E::KIND);
    }

    fn switch(&self, kind: Kind) {
        let producers = self.0.producers.lock();
        let its = producers.iter().filter(|(of, _)| *of == kind);
        let its: Vec<_> = its.filter_map(|(_, producer)| producer.upgrade()).collect();
        for producer in &its {
            producer.switch(self.wants(kind));
        }
        // One that has ended meanwhile waits for its threads: not with the lock held.
        drop(producers);
    }

    /// Hands an event to all who follow.
    pub fn tell<E: Event>(&self, event: E) {
        E::stream(&self.0).tell(event);
    }

    /// Sets which kinds the slices that are switched on listen to. Called before any slice is built, at a reload too.
    pub fn set_listened(&self, kinds: impl IntoIterator<Item = Kind>) {
        self.0.listened.store(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()), Relaxed);
        for kind in Kind::ALL {
            self.switch(kind);
        }
    }

    /// Whether there is a reason to produce events of this type.
    pub fn is_wanted<E: Event>(&self) -> bool {
        self.wants(E::KIND)
    }

    fn wants(&self, kind: Kind) -> bool {
        let is_followed = match kind {
            Kind::Flow => self.0.flows.is_followed(),
            Kind::Started => self.0.starts.is_followed(),
            Kind::Life => self.0.lives.is_followed(),
        };
        is_followed || self.0.listened.load(Relaxed) & kind.bit() != 0
    }

    /// Events that were dropped because a follower's queue was full; an event is counted for each such follower.
    pub fn lost(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Flow => self.0.flows.lost(),
            Kind::Started => self.0.starts.lost(),
            Kind::Life => self.0.lives.lost(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_wanted_while_somebody_follows_or_a_slice_listens() {
        let feeds = Feeds::default();
        assert!(!feeds.is_wanted::<Flow>() && !feeds.is_wanted::<Started>());
        feeds.set_listened([Kind::Started]);
        assert!(!feeds.is_wanted::<Flow>() && feeds.is_wanted::<Started>());
        feeds.set_listened([]);
        let flows = feeds.follow::<Flow>(1);
        assert!(feeds.is_wanted::<Flow>() && !feeds.is_wanted::<Started>());
        drop(flows);
        feeds.tell(Flow::default());
        assert!(!feeds.is_wanted::<Flow>(), "the follower has gone");
    }

    #[derive(Default)]
    struct Switched(Mutex<Vec<bool>>);

    impl Producer for Switched {
        fn switch(&self, wanted: bool) {
            self.0.lock().push(wanted);
        }
    }

    #[test]
    fn a_producer_is_told_when_somebody_comes() {
        let (feeds, producer) = (Feeds::default(), Arc::new(Switched::default()));
        feeds.produced_by::<Started>(&producer);
        // As a reload does that switches on a slice.
        feeds.set_listened([Kind::Started]);
        feeds.set_listened([]);
        let _flows = feeds.follow::<Flow>(1);
        let _starts = feeds.follow::<Started>(1);
        assert_eq!(*producer.0.lock(), [false, true, false, true]);
        assert_eq!(Arc::strong_count(&producer), 1);
    }

    #[test]
    fn what_a_follower_loses_is_counted_by_kind() {
        let feeds = Feeds::default();
        let starts = feeds.follow::<Started>(1);
        for _ in 0..3 {
            feeds.clone().tell(Started::default());
        }
        assert_eq!((starts.try_iter().count(), Kind::ALL.map(|kind| feeds.lost(kind))), (1, [0, 2, 0]));
    }
}
