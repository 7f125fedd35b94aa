//! Keeps a store equal to the API server: lists objects once, then watches them.
//!
//! Where the server knows streaming lists, the list is the beginning of the watch; else it comes in pages. Either way
//! objects are taken one by one as their bytes arrive, and nothing but their series is kept. A list builds a generation
//! of its own, which readers see when it is whole. When the connection breaks, the watch goes on where it was; when the
//! server no longer knows that place, there is a new list. Until then the series stay, and their age says so.
//!
//! A kind that may be listed and not watched is listed again and again. One that may not be listed is asked for again, so
//! that a right that is granted later takes effect without a restart.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use daemon::{
    Troubles,
    panics::guarded,
    task::{self, Panicked},
};
use kubernetes::{Answer, Api, Elements, Event, Identity, Lines, Query, Trouble, What};
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{rows::Rows, shard::Shard, store::Store};

mod status;
mod table;
mod target;

pub use status::{Counts, Ledger, Status, Verb, Why};
pub use table::TypeColumn;
pub use target::{Form, Known, Render, Target};

/// Times of a watch. The defaults are for programs; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The wait after a first failure; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait after a failure.
    pub longest_wait: Duration,
    /// The wait before a kind that the server does not have is asked for again.
    pub missing_wait: Duration,
    /// The wait before a right that the server refuses is tried again, and between lists of a kind that may not be watched.
    pub refused_wait: Duration,
    /// How long a list may say nothing.
    pub list_silence: Duration,
    /// How long a watch may say nothing. The server sends a bookmark about each minute, and ends a watch by itself
    /// after [`Pace::watch_length`].
    pub watch_silence: Duration,
    /// After how long the server is to end a watch.
    pub watch_length: Duration,
    /// Objects in a page of a list.
    pub page: u32,
}

impl Pace {
    /// How long is waited after so many failures; at least as long as the server asks for.
    pub fn after(self, failures: u32, asked: Option<Duration>) -> Duration {
        backoff(self, failures).max(asked.unwrap_or_default())
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(800),
            longest_wait: Duration::from_secs(30),
            missing_wait: Duration::from_mins(2),
            refused_wait: Duration::from_secs(50),
            list_silence: Duration::from_secs(30),
            watch_silence: Duration::from_secs(330),
            watch_length: Duration::from_secs(290),
            page: 500,
        }
    }
}

/// What all watches of the program share.
#[derive(Clone, Debug)]
pub struct Common {
    /// The way to the server.
    pub api: Api,
    /// Whose objects are kept.
    pub shard: watch::Receiver<Shard>,
    /// Lists that may run at the same time.
    pub turns: Arc<Semaphore>,
    /// Times.
    pub pace: Pace,
    /// Whether the server knows streaming lists.
    pub streams: bool,
    /// Problems that go on, by cause.
    pub troubles: Troubles,
}

/// One watch.
pub struct Watch {
    common: Common,
    target: Arc<Target>,
    store: Store,
    status: Arc<Status>,
    counts: Arc<Counts>,
    share: Shard,
    streams: bool,
    rows: Rows,
    /// How far the watch is; `None` when a list is needed.
    version: Option<String>,
    /// The object of the last event, from which the version is read when it is needed.
    last: Vec<u8>,
    why: Why,
    /// Whether the server refuses to let the kind be watched.
    is_unwatched: bool,
    /// Whether a watch followed objects since the last failure.
    was_of_use: bool,
    column: TypeColumn,
    scratch: Vec<u8>,
}

impl Drop for Watch {
    /// A watch that is given up has no problem any more.
    fn drop(&mut self) {
        drop(self.common.troubles.ended(&self.who()));
    }
}

/// What an event meant for the watch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Event,
    EndOfList,
}

/// Statuses that mean that a server does not know streaming lists.
const NO_STREAMS: [u16; 6] = [400, 405, 406, 415, 422, 501];
/// Status that means that a right is missing.
const FORBIDDEN: u16 = 403;

impl Watch {
    /// A watch that fills `store`.
    pub fn new(common: Common, target: Arc<Target>, store: Store, status: Arc<Status>, counts: Arc<Counts>) -> Self {
        let share = if target.unsharded { Shard::WHOLE } else { *common.shard.borrow() };
        counts.limit.store(target.limit.unwrap_or(0), Relaxed);
        Self {
            streams: common.streams && target.limit.is_none(),
            rows: Rows::new(Arc::clone(&target.options)),
            common,
            target,
            store,
            status,
            counts,
            share,
            version: None,
            last: Vec::new(),
            why: Why::Start,
            is_unwatched: false,
            was_of_use: false,
            column: TypeColumn::default(),
            scratch: Vec::new(),
        }
    }

    /// Watches until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut shard = self.common.shard.clone();
        shard.mark_unchanged();
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                share = changed(&mut shard), if !self.target.unsharded => {
                    self.take_share(share);
                    continue;
                }
                ended = task::caught(self.go_on()) => ended,
            };
            let wait = match ended {
                Ok(Ok(())) if began.elapsed() > self.common.pace.first_wait => {
                    failures = 0;
                    continue;
                }
                // A server that hangs up at once is not asked again at once.
                Ok(Ok(())) => self.common.pace.first_wait,
                Ok(Err(trouble)) => {
                    // A watch that was of use for a while is not a try that failed, however often it is cut.
                    let was_of_use =
                        std::mem::take(&mut self.was_of_use) && began.elapsed() > self.common.pace.first_wait;
                    failures = if was_of_use { 1 } else { failures + 1 };
                    self.wait_after(&trouble, failures)
                }
                Err(panicked) => {
                    failures += 1;
                    self.start_anew(&panicked);
                    backoff(self.common.pace, failures)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What a panic has left half done is not gone on with: the objects are listed again.
    fn start_anew(&mut self, panicked: &Panicked) {
        tracing::error!(kind = %self.target.kind, error = %panicked, "the watch panicked; starting it again");
        self.status.set_trouble(Some(format!("the watch {panicked}; it is started again")));
        self.rows = Rows::new(Arc::clone(&self.target.options));
        (self.version, self.why) = (None, Why::Panicked);
        self.last.clear();
        self.scratch.clear();
    }

    /// Another share of the objects is ours now. When there are more shares than before, objects have only gone to
    /// others; else some may have come, and they must be listed.
    fn take_share(&mut self, share: Shard) {
        let before = std::mem::replace(&mut self.share, share);
        self.remember_version();
        if self.version.is_some() && share.ordinal() == before.ordinal() && share.total() > before.total() {
            let gone = self.store.retain(|uid| share.has(uid));
            self.target.render.listed(&|uid| self.store.has(uid), true);
            tracing::info!(kind = %self.target.kind, gone, total = share.total(), "objects moved to other shards");
        } else if share != before {
            (self.version, self.why) = (None, Why::Shard);
        }
    }

    async fn go_on(&mut self) -> Result<(), Trouble> {
        self.remember_version();
        if let Some(version) = self.version.clone() {
            let query = self.target.query().with("resourceVersion", &version);
            return self.watch(query).await;
        }
        self.counts.begin(self.why);
        self.target.render.lists(self.why == Why::Shard);
        let listed = if self.streams && !self.is_unwatched { self.stream().await } else { self.pages().await };
        if listed.is_err() && self.version.is_none() {
            self.last.clear();
            self.counts.lists.note(false);
            self.why = if self.status.is_synced() { self.why } else { Why::Unfinished };
        }
        listed
    }

    /// What to do about trouble, and how long to wait until then.
    fn wait_after(&mut self, trouble: &Trouble, failures: u32) -> Duration {
        let pace = self.common.pace;
        if trouble.is_expired() {
            tracing::info!(kind = %self.target.kind, reason = %daemon::chain(trouble), "resource version expired, listing again");
            (self.version, self.why) = (None, Why::Expired);
            self.last.clear();
            return if failures > 1 { pace.after(failures, trouble.retry_after()) } else { Duration::ZERO };
        }
        if trouble.code() == Some(FORBIDDEN) {
            self.note_refusal(trouble);
            return jittered(pace.refused_wait);
        }
        if self.version.is_none() && trouble.code() == Some(404) && !self.target.render.is_certain() {
            if !self.status.is_missing() {
                tracing::warn!(kind = %self.target.kind, path = self.target.path, "the API server does not serve this kind; retrying");
            }
            self.status.not_served();
            return pace.missing_wait;
        }
        // A watch that broke off is ordinary. That it cannot be taken up again is not.
        let is_ordinary = matches!(trouble, Trouble::BrokenOff(_) | Trouble::Silent(_)) && self.version.is_some();
        if is_ordinary && failures < 2 {
            tracing::debug!(kind = %self.target.kind, reason = %daemon::chain(trouble), "watch ended");
        } else if self.status.set_trouble(Some(daemon::chain(trouble))) {
            self.say(trouble);
        }
        pace.after(failures, trouble.retry_after())
    }

    /// A right is missing: to watch, when there is a place to go on from, else to list.
    fn note_refusal(&mut self, trouble: &Trouble) {
        let (kind, error) = (&self.target.kind, daemon::chain(trouble));
        self.is_unwatched = self.version.take().is_some();
        self.last.clear();
        if self.is_unwatched {
            self.why = Why::Unwatched;
            self.status.set_trouble(Some(format!("listed each minute instead of watched: {error}")));
            if self.status.refuse(Some(Verb::Watch)) {
                tracing::warn!(%kind, verb = "watch", error, "the API server refuses to let the kind be watched; listing it each minute; --print-rbac prints the rights that are needed");
            }
            return;
        }
        self.status.set_trouble(Some(error.clone()));
        if self.status.refuse(Some(Verb::List)) {
            tracing::warn!(%kind, verb = "list", error, "the API server refuses to list the kind; asking again each minute; --print-rbac prints the rights that are needed");
        }
    }

    fn is_well(&self) {
        if self.is_unwatched {
            return;
        }
        self.status.refuse(None);
        if self.status.set_trouble(None)
            && let Some(all) = self.common.troubles.ended(&self.who())
        {
            tracing::info!(watches = all.join(","), "watching again");
        }
    }

    /// Says a problem, once for all watches that have it.
    fn say(&self, trouble: &Trouble) {
        let (kind, path) = (&self.target.kind, &self.target.path);
        let error = daemon::chain(trouble);
        let hint = match trouble.code() {
            Some(401) => "; check the credentials",
            Some(403) => "; --print-rbac prints the rights that are needed",
            _ => "",
        };
        // A refusal names the kind that it is about.
        let cause = trouble.code().map_or_else(|| error.clone(), |code| code.to_string());
        if self.common.troubles.begun(&self.who(), &cause) {
            tracing::warn!(%kind, path, error, "cannot list or watch; known objects are kept, retrying{hint}; watches with the same problem are on the landing page");
        } else {
            tracing::debug!(%kind, path, error, "cannot list or watch for the same cause as others");
        }
    }

    /// This watch, as problems know it: kinds are watched in several namespaces.
    fn who(&self) -> String {
        self.target.path.clone()
    }

    /// Lists in pages.
    async fn pages(&mut self) -> Result<(), Trouble> {
        let turns = Arc::clone(&self.common.turns);
        let _turn = turns.acquire().await;
        self.store.start_relist();
        let (mut more, mut objects) = (None::<String>, 0_u64);
        loop {
            let page = self.page(more.as_deref()).await?;
            objects += page.objects;
            match page.more {
                Some(token) if self.target.limit.is_none() => more = Some(token),
                _ => {
                    self.counts.listed.store(objects, Relaxed);
                    self.end_list(page.version);
                    return Ok(());
                }
            }
        }
    }

    async fn page(&mut self, more: Option<&str>) -> Result<PageEnd, Trouble> {
        let mut query = self.target.query();
        query = match self.target.limit {
            Some(limit) => query.with("limit", &limit.to_string()),
            // A list from the cache comes whole, whatever limit it is given.
            None if self.target.from_cache => query,
            None => query.with("limit", &self.common.pace.page.to_string()),
        };
        query = match more {
            Some(token) => query.with("continue", token),
            None if self.target.from_cache => query.with("resourceVersion", "0"),
            None => query,
        };
        let form = self.target.form;
        let mut answer = self.common.api.get(&query.of(&self.target.path), form.accept_list()).await?;
        self.is_well();
        let (mut elements, mut objects) = (Elements::of(form.key()), 0);
        while let Some(bytes) = answer.next(self.common.pace.list_silence).await? {
            self.counts.bytes.fetch_add(bytes.len() as u64, Relaxed);
            elements.push(&bytes, |around, element| {
                if objects == 0 && form == Form::Table {
                    self.column.look_up(around);
                }
                objects += 1;
                self.take_element(element);
            })?;
        }
        elements.finish()?;
        PageEnd::read(elements.around(), objects)
    }

    /// Lists with a watch that begins with all objects, and goes on with it.
    async fn stream(&mut self) -> Result<(), Trouble> {
        let from = self.target.from_cache.then_some("0");
        let query = self.target.query().with("sendInitialEvents", "true");
        let query = query.with("resourceVersionMatch", "NotOlderThan").with_some("resourceVersion", from);
        let ended = self.watch(query).await;
        match ended {
            // After the list the connection was a watch like others.
            ended if self.version.is_some() || !self.last.is_empty() => ended,
            Ok(()) => Err(Trouble::Unfinished),
            // Another right than that to list. The pages fail too if that is missing as well.
            Err(trouble) if trouble.code() == Some(FORBIDDEN) => self.pages().await,
            Err(trouble) => {
                let is_unknown = trouble.code().is_some_and(|code| NO_STREAMS.contains(&code));
                if is_unknown || matches!(trouble, Trouble::Silent(_) | Trouble::Unfinished) {
                    tracing::info!(kind = %self.target.kind, reason = %daemon::chain(&trouble), "no streaming list, listing in pages");
                    self.streams = false;
                    return self.pages().await;
                }
                Err(trouble)
            }
        }
    }

    async fn watch(&mut self, query: Query) -> Result<(), Trouble> {
        let is_list = self.version.is_none();
        let turns = Arc::clone(&self.common.turns);
        let mut turn = if is_list { turns.acquire().await.ok() } else { None };
        let length = jittered(self.common.pace.watch_length).as_secs().max(1).to_string();
        let query = query.with("watch", "1").with("allowWatchBookmarks", "true").with("timeoutSeconds", &length);
        let answer = self.common.api.get(&query.of(&self.target.path), self.target.form.accept_watch()).await;
        self.counts.watches.note(answer.is_ok());
        let answer = answer?;
        if is_list {
            self.store.start_relist();
        } else {
            self.is_unwatched = false;
            self.is_well();
            self.status.hear();
            self.was_of_use = true;
        }
        self.follow(answer, is_list, || drop(turn.take())).await
    }

    /// Takes what a watch says until it ends. `listed` is called when the objects are all there.
    async fn follow(&mut self, mut answer: Answer, mut is_list: bool, mut listed: impl FnMut()) -> Result<(), Trouble> {
        let mut lines = Lines::default();
        loop {
            let pace = self.common.pace;
            let patience = if is_list { pace.list_silence } else { pace.watch_silence };
            let Some(bytes) = answer.next(patience).await? else { return Ok(()) };
            self.counts.bytes.fetch_add(bytes.len() as u64, Relaxed);
            let mut refused = None;
            lines.push(&bytes, |line| {
                if refused.is_some() {
                    return;
                }
                match self.take_line(line) {
                    Ok(Taken::EndOfList) if is_list => {
                        is_list = false;
                        self.end_list(String::new());
                        listed();
                    }
                    Ok(_) => {}
                    Err(trouble) => refused = Some(trouble),
                }
            })?;
            if is_list {
                // Until the list is whole there is no place to go on from.
                self.last.clear();
            } else {
                self.status.hear();
                self.was_of_use = true;
            }
            if let Some(trouble) = refused {
                return Err(trouble);
            }
        }
    }

    /// The list is whole: readers see it. An empty `version` is that of the last event.
    fn end_list(&mut self, version: String) {
        let gone = self.store.finish_relist();
        self.target.render.listed(&|uid| self.store.has(uid), self.why == Why::Shard);
        if version.is_empty() {
            self.remember_version();
        } else {
            self.version = Some(version);
            self.last.clear();
        }
        self.counts.lists.note(true);
        self.status.listed();
        self.is_well();
        let (kind, why) = (&self.target.kind, self.why.name());
        tracing::info!(%kind, why, objects = self.store.len(), gone, "listed");
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Taken, Trouble> {
        let Some(event) = Event::read(line) else {
            self.counts.unreadable.fetch_add(1, Relaxed);
            return Ok(Taken::Event);
        };
        self.counts.event(event.what);
        if event.what == What::Error {
            return Err(self.common.api.refused(event.object));
        }
        if self.target.form == Form::Table {
            return Ok(self.take_table(event));
        }
        Ok(self.take(event))
    }

    fn take_table(&mut self, event: Event<'_>) -> Taken {
        let mut object = std::mem::take(&mut self.scratch);
        object.clear();
        let taken = if self.column.object_of_event(event.object, &mut object) {
            self.take(Event { what: event.what, object: &object })
        } else if event.what == What::Bookmark {
            // Bookmarks may come as they are.
            self.take(event)
        } else {
            self.counts.unreadable.fetch_add(1, Relaxed);
            Taken::Event
        };
        self.scratch = object;
        taken
    }

    fn take(&mut self, event: Event<'_>) -> Taken {
        self.last.clear();
        self.last.extend_from_slice(event.object);
        match event.what {
            What::Added | What::Modified => self.put(event.object),
            What::Deleted => {
                let uid = Identity::of(event.object).metadata.uid;
                if self.store.remove(&uid) {
                    self.target.render.gone(event.object, &uid);
                }
            }
            What::Bookmark if Identity::of(event.object).ends_list() => return Taken::EndOfList,
            What::Bookmark | What::Error => {}
        }
        Taken::Event
    }

    fn take_element(&mut self, element: &[u8]) {
        if self.target.form != Form::Table {
            return self.put(element);
        }
        let mut object = std::mem::take(&mut self.scratch);
        object.clear();
        if self.column.object_of_row(element, &mut object) {
            self.put(&object);
        } else {
            self.counts.unreadable.fetch_add(1, Relaxed);
        }
        self.scratch = object;
    }

    fn put(&mut self, object: &[u8]) {
        if self.share.total() > 1 && !self.share.has(&Identity::of(object).metadata.uid) {
            return;
        }
        let (render, rows) = (&self.target.render, &mut self.rows);
        let rendered = guarded(|| render.render(object, rows));
        match rendered {
            Ok(Ok(())) => {
                for family in self.rows.spoiled() {
                    self.counts.spoil(self.target.render.family(*family));
                }
                for family in self.rows.repeated() {
                    self.counts.repeat(self.target.render.family(*family));
                }
                self.store.put(&self.rows);
            }
            Ok(Err(error)) => {
                self.counts.unreadable.fetch_add(1, Relaxed);
                tracing::debug!(kind = %self.target.kind, error = %daemon::chain(&error), "cannot parse an object; it is left out");
            }
            Err(panic) => {
                self.counts.unreadable.fetch_add(1, Relaxed);
                tracing::error!(kind = %self.target.kind, error = %panic, "parsing an object panicked; it is left out");
                self.rows = Rows::new(Arc::clone(&self.target.options));
            }
        }
    }

    fn remember_version(&mut self) {
        if self.last.is_empty() {
            return;
        }
        let version = Identity::of(&self.last).metadata.resource_version.into_owned();
        if !version.is_empty() {
            self.version = Some(version);
        }
        self.last.clear();
    }
}

/// What stands around the objects of a page.
struct PageEnd {
    version: String,
    more: Option<String>,
    objects: u64,
}

impl PageEnd {
    fn read(around: &[u8], objects: u64) -> Result<Self, Trouble> {
        #[derive(Deserialize)]
        struct List {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            resource_version: String,
            #[serde(default, rename = "continue")]
            more: Option<String>,
        }
        let list: List = serde_json::from_slice(around).map_err(|error| Trouble::unreadable("list", &error))?;
        let more = list.metadata.more.filter(|token| !token.is_empty());
        Ok(Self { version: list.metadata.resource_version, more, objects })
    }
}

/// Waits for another share; forever when nobody gives any.
async fn changed(shard: &mut watch::Receiver<Shard>) -> Shard {
    if shard.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    *shard.borrow_and_update()
}

fn backoff(pace: Pace, failures: u32) -> Duration {
    let doubled = pace.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16));
    jittered(doubled.min(pace.longest_wait))
}

/// Between three quarters and all of a time, so that not all watches do the same at the same time.
fn jittered(time: Duration) -> Duration {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8);
    time.mul_f64(0.75 + 0.25 * (random >> 11) as f64 / (1_u64 << 53) as f64)
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("target", &self.target).field("version", &self.version).finish_non_exhaustive()
    }
}
