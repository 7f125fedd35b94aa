//! The streams of all types of event, as producers and followers get them.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::Relaxed},
    mpsc::Receiver,
};

use super::{flow::Flow, started::Started, stream::Stream};

/// The types of event, for declarations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// [`Flow`].
    Flow,
    /// [`Started`].
    Started,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Flow, Self::Started];

    /// Its name in docs: `flow`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Started => "started",
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

/// The streams of this agent. They outlive a reload of the configuration. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Feeds(Arc<Streams>);

/// One stream a type of event.
#[derive(Debug, Default)]
pub struct Streams {
    flows: Stream<Flow>,
    starts: Stream<Started>,
    /// Bits of the kinds that slices listen to.
    listened: AtomicU8,
}

impl Feeds {
    /// Follows until the result is dropped, with a queue of `room` events.
    pub fn follow<E: Event>(&self, room: usize) -> Receiver<Arc<E>> {
        E::stream(&self.0).follow(room)
    }

    /// Hands an event to all who follow.
    pub fn tell<E: Event>(&self, event: E) {
        E::stream(&self.0).tell(event);
    }

    /// Sets which kinds the slices that are switched on listen to. Called before any slice is built.
    pub fn set_listened(&self, kinds: impl IntoIterator<Item = Kind>) {
        self.0.listened.store(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()), Relaxed);
    }

    /// Whether there is a reason to produce events of this type.
    pub fn is_wanted<E: Event>(&self) -> bool {
        self.0.listened.load(Relaxed) & E::KIND.bit() != 0 || E::stream(&self.0).is_followed()
    }

    /// Events that were dropped because a follower's queue was full; an event is counted for each such follower.
    pub fn lost(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Flow => self.0.flows.lost(),
            Kind::Started => self.0.starts.lost(),
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

    #[test]
    fn what_a_follower_loses_is_counted_by_kind() {
        let feeds = Feeds::default();
        let starts = feeds.follow::<Started>(1);
        for _ in 0..3 {
            feeds.clone().tell(Started::default());
        }
        assert_eq!((starts.try_iter().count(), Kind::ALL.map(|kind| feeds.lost(kind))), (1, [0, 2]));
    }
}
