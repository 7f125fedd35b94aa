//! Answers requests.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde_json::{Value, json as value};
use tokio::sync::mpsc;

use super::state::{Behaviour, Collection, Happened, State};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The form in which a client wants objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Metadata,
    Table,
}

/// One request, read.
struct Asked {
    path: String,
    query: HashMap<String, String>,
    form: Form,
}

impl Asked {
    fn has(&self, name: &str, value: &str) -> bool {
        self.query.get(name).is_some_and(|given| given == value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.query.get(name)?.parse().ok()
    }
}

pub(super) fn answer(state: &Arc<State>, request: &Request<Incoming>) -> Response<Body> {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    state.requests.lock().push(target);
    let behaviour = state.behaviour.lock().clone();
    let accept = request.headers().get("accept").and_then(|value| value.to_str().ok()).unwrap_or("");
    let form = match accept {
        accept if accept.contains("as=Table") => Form::Table,
        accept if accept.contains("as=PartialObjectMetadata") => Form::Metadata,
        _ => Form::Whole,
    };
    let query = request.uri().query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_owned(), value.replace("%3D", "=").replace("%2C", ","))).collect();
    let asked = Asked { path: request.uri().path().to_owned(), query, form };
    if let Some(code) = behaviour.refuse {
        let mut refusal = refusal(code, "InternalError", "refused as asked for");
        if let Some(seconds) = behaviour.retry_after {
            refusal.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        return refusal;
    }
    if asked.path == "/version" {
        let version = value!({"major": "1", "minor": behaviour.minor.to_string(), "gitVersion": format!("v1.{}.0", behaviour.minor)});
        return whole(200, version.to_string());
    }
    let is_watch = asked.has("watch", "1") || asked.has("watch", "true");
    let verb = match (is_watch, state.fixed.lock().contains_key(&asked.path)) {
        (true, _) => "watch",
        (false, true) => "get",
        (false, false) => "list",
    };
    if behaviour.forbidden.iter().any(|(refused, path)| *refused == verb && *path == asked.path) {
        let what = format!("{} is forbidden: User \"nobody\" cannot {verb} it", asked.path);
        return refusal(403, "Forbidden", &what);
    }
    if let Some(text) = state.fixed.lock().get(&asked.path) {
        return whole(200, text.clone());
    }
    if behaviour.missing.contains(&asked.path) || !asked.path.starts_with("/api") {
        return refusal(404, "NotFound", "the server could not find the requested resource");
    }
    let state = Arc::clone(state);
    if is_watch { watch(state, &behaviour, asked) } else { list(state, &behaviour, &asked) }
}

fn whole(code: u16, text: String) -> Response<Body> {
    let mut answer = json(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    answer
}

/// Clients that would rather have protobuf must be told that they get something else.
fn json(body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    value!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

fn refusal(code: u16, reason: &str, message: &str) -> Response<Body> {
    whole(code, status(code, reason, message).to_string())
}

fn list(state: Arc<State>, behaviour: &Behaviour, asked: &Asked) -> Response<Body> {
    let mut inner = state.inner.lock();
    let kind = inner.kind_of(&asked.path);
    let (version, mut objects) = match asked.query.get("continue") {
        Some(_) if behaviour.expired_pages > 0 => {
            state.behaviour.lock().expired_pages -= 1;
            return refusal(410, "Expired", "the provided continue parameter is too old");
        }
        Some(token) => match inner.pages.remove(token) {
            Some(rest) => rest,
            None => return refusal(410, "Expired", "no such page"),
        },
        None => {
            let objects = inner.collections.get(&asked.path).map(|found| found.objects.values().cloned().collect());
            (inner.version, objects.unwrap_or_default())
        }
    };
    let limit = asked.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let rest = if objects.len() > limit { objects.split_off(limit) } else { Vec::new() };
    let mut more = String::new();
    if !rest.is_empty() {
        inner.tokens += 1;
        more = format!("page-{}", inner.tokens);
        inner.pages.insert(more.clone(), (version, rest));
    }
    drop(inner);
    let (pieces, body) = mpsc::channel(8);
    let (behaviour, form) = (behaviour.clone(), asked.form);
    tokio::spawn(async move {
        let mut sender = Sender::new(state, &behaviour, pieces);
        let columns = r#","columnDefinitions":[{"name":"Name"},{"name":"Type"},{"name":"Data"},{"name":"Age"}]"#;
        let (kind, api_version, between, key) = match form {
            Form::Table => ("Table".to_owned(), "meta.k8s.io/v1".to_owned(), columns, "rows"),
            Form::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned(), "", "items"),
            Form::Whole => (format!("{}List", kind.name), kind.api_version, "", "items"),
        };
        let head = format!(
            r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{version}","continue":"{more}"}}{between},"{key}":["#
        );
        let mut text = head.into_bytes();
        for (at, object) in objects.iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&formed(form, object, false));
            if text.len() > 64 << 10 && !sender.send(std::mem::take(&mut text)).await {
                return;
            }
        }
        text.extend_from_slice(b"]}\n");
        sender.send(text).await;
    });
    streamed(body)
}

/// An object as the client wants it.
fn formed(form: Form, object: &Bytes, in_event: bool) -> Bytes {
    if form == Form::Whole {
        return object.clone();
    }
    let Ok(value) = serde_json::from_slice::<Value>(object) else { return object.clone() };
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    let partial = value!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
    let formed = match form {
        Form::Whole | Form::Metadata => partial,
        Form::Table => {
            let cells = value!([metadata.get("name"), value.get("type"), 1, "5d"]);
            let row = value!({"cells": cells, "object": partial});
            if in_event {
                value!({"kind": "Table", "metadata": {}, "columnDefinitions": null, "rows": [row]})
            } else {
                row
            }
        }
    };
    Bytes::from(formed.to_string())
}

fn watch(state: Arc<State>, behaviour: &Behaviour, asked: Asked) -> Response<Body> {
    let is_list = asked.has("sendInitialEvents", "true");
    if is_list && !behaviour.streams {
        return refusal(
            422,
            "Invalid",
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
        );
    }
    let (pieces, body) = mpsc::channel(8);
    let behaviour = behaviour.clone();
    tokio::spawn(async move {
        let sender = Sender::new(Arc::clone(&state), &behaviour, pieces);
        Watch { state, sender, asked, behaviour, at: 0 }.run(is_list).await;
    });
    streamed(body)
}

struct Watch {
    state: Arc<State>,
    sender: Sender,
    asked: Asked,
    behaviour: Behaviour,
    /// How much of the log is told.
    at: usize,
}

impl Watch {
    async fn run(mut self, is_list: bool) {
        let mut changed = self.state.changed.subscribe();
        let begun =
            if is_list { Ok(self.all()) } else { self.since(self.asked.number("resourceVersion").unwrap_or(0)) };
        let lines = match begun {
            Ok(lines) => lines,
            Err(refusal) => {
                self.sender.send(event("ERROR", &Bytes::from(refusal.to_string()))).await;
                return;
            }
        };
        for lines in lines.chunks(32) {
            if !self.sender.send(lines.concat()).await {
                return;
            }
        }
        let length = Duration::from_secs(self.asked.number("timeoutSeconds").unwrap_or(300));
        let mut end = std::pin::pin!(tokio::time::sleep(length));
        let mut bookmarks = tokio::time::interval(self.behaviour.bookmarks);
        bookmarks.reset();
        loop {
            let text = tokio::select! {
                () = &mut end => return,
                changed = changed.changed() => match changed {
                    Ok(()) => self.news().concat(),
                    Err(_) => return,
                },
                _ = bookmarks.tick() => self.bookmark(false),
            };
            if !text.is_empty() && !self.sender.send(text).await {
                return;
            }
        }
    }

    /// All objects, and the bookmark behind them.
    fn all(&mut self) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        {
            let inner = self.state.inner.lock();
            if let Some(collection) = inner.collections.get(&self.asked.path) {
                let form = self.asked.form;
                lines.extend(collection.objects.values().map(|object| event("ADDED", &formed(form, object, true))));
                self.at = collection.forgotten + collection.log.len();
            }
        }
        if !self.behaviour.endless_lists {
            lines.push(self.bookmark(true));
        }
        lines
    }

    /// What happened after a version.
    fn since(&mut self, version: u64) -> Result<Vec<Vec<u8>>, Value> {
        let inner = self.state.inner.lock();
        let Some(collection) = inner.collections.get(&self.asked.path) else { return Ok(Vec::new()) };
        if version < collection.compacted {
            return Err(status(410, "Expired", "too old resource version"));
        }
        self.at = collection.forgotten + collection.log.partition_point(|happened| happened.version <= version);
        let lines = tell(collection, self.asked.form, &mut self.at);
        Ok(lines)
    }

    fn news(&mut self) -> Vec<Vec<u8>> {
        let inner = self.state.inner.lock();
        let collection = inner.collections.get(&self.asked.path);
        collection.map(|collection| tell(collection, self.asked.form, &mut self.at)).unwrap_or_default()
    }

    fn bookmark(&self, ends_list: bool) -> Vec<u8> {
        let (version, kind) = {
            let inner = self.state.inner.lock();
            (inner.version.to_string(), inner.kind_of(&self.asked.path))
        };
        let mut metadata = value!({"resourceVersion": version, "creationTimestamp": null});
        if let (Some(metadata), true) = (metadata.as_object_mut(), ends_list) {
            metadata.insert("annotations".to_owned(), value!({"k8s.io/initial-events-end": "true"}));
        }
        let object =
            Bytes::from(value!({"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}).to_string());
        event("BOOKMARK", &formed(self.asked.form, &object, true))
    }
}

fn tell(collection: &Collection, form: Form, at: &mut usize) -> Vec<Vec<u8>> {
    let news = collection.log.get(at.saturating_sub(collection.forgotten)..).unwrap_or(&[]);
    *at = collection.forgotten + collection.log.len();
    let line = |Happened { what, object, .. }: &Happened| match *what {
        "" => [object.as_ref(), b"\n"].concat(),
        what => event(what, &formed(form, object, true)),
    };
    news.iter().map(line).collect()
}

fn event(what: &str, object: &Bytes) -> Vec<u8> {
    [br#"{"type":""#, what.as_bytes(), br#"","object":"#, object, b"}\n"].concat()
}

fn streamed(pieces: mpsc::Receiver<std::io::Result<Bytes>>) -> Response<Body> {
    json(Pieces(pieces).boxed_unsync())
}

/// A body that is written while it is sent.
struct Pieces(mpsc::Receiver<std::io::Result<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Sends pieces of an answer, in the way the server behaves.
struct Sender {
    state: Arc<State>,
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
    hang_ups: tokio::sync::watch::Receiver<u64>,
    slow: Option<Duration>,
}

impl Sender {
    fn new(state: Arc<State>, behaviour: &Behaviour, pieces: mpsc::Sender<std::io::Result<Bytes>>) -> Self {
        let hang_ups = state.hang_ups.subscribe();
        let sender = Self { state, pieces, hang_ups, slow: behaviour.slow };
        sender.hang_up_when_asked();
        sender
    }

    /// A hang-up ends the answer also while there is nothing to say.
    fn hang_up_when_asked(&self) {
        let (mut hang_ups, pieces) = (self.hang_ups.clone(), self.pieces.downgrade());
        tokio::spawn(async move {
            if hang_ups.changed().await.is_ok()
                && let Some(pieces) = pieces.upgrade()
            {
                drop(pieces.send(Err(std::io::Error::other("hung up"))).await);
            }
        });
    }

    /// False when the answer is over.
    async fn send(&mut self, text: Vec<u8>) -> bool {
        if self.hang_ups.has_changed().unwrap_or(true) {
            return false;
        }
        let is_half = {
            let mut behaviour = self.state.behaviour.lock();
            let is_half = behaviour.half_lines > 0;
            behaviour.half_lines = behaviour.half_lines.saturating_sub(1);
            is_half
        };
        if is_half {
            let half = text.get(..text.len() / 2 + 1).unwrap_or(&text).to_vec();
            drop(self.pieces.send(Ok(Bytes::from(half))).await);
            drop(self.pieces.send(Err(std::io::Error::other("half a line"))).await);
            return false;
        }
        let Some(wait) = self.slow else { return self.pieces.send(Ok(Bytes::from(text))).await.is_ok() };
        for piece in text.chunks(97) {
            tokio::time::sleep(wait).await;
            if self.pieces.send(Ok(Bytes::copy_from_slice(piece))).await.is_err() {
                return false;
            }
        }
        true
    }
}
