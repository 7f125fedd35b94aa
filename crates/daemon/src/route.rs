//! Routes a request to its page.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use expo::Encoding;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    connection::{Activity, Answering},
    frame,
    handler::{self, Handler},
    landing,
    page::{self, Page, Reply, ScrapeRequest},
    panics::guarded,
    program::Program,
    shared::{Plain, ReloadAsked, Route, Shared},
    stream::{self, Ended, PageBody, Part, Sink},
    telemetry::Rejection,
    web::{self, Verdict},
};

type Answer = Response<PageBody>;

/// Answers below this are not worth compressing.
const WORTH_COMPRESSING: usize = 1024;

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) shared: Arc<Shared>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) client: Client,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// Its address.
    pub(crate) peer: IpAddr,
    /// Whether it has a certificate that was verified.
    pub(crate) is_certified: bool,
}

/// One request, as far as anybody asks.
struct Asked {
    path: String,
    query: Vec<(String, String)>,
    encoding: Encoding,
    deadline: Instant,
    accept: Option<String>,
    scraper: String,
    started: Instant,
    peer: IpAddr,
    is_authenticated: bool,
    answering: Arc<Answering>,
}

/// The answer to `request`. Called and not yet polled, it counts already as being in flight.
pub(crate) fn answer(service: Service, request: Request<Incoming>) -> impl Future<Output = Result<Answer, Infallible>> {
    let started = Instant::now();
    let allowed = page::time_for_scrape(text(request.headers(), "x-prometheus-scrape-timeout-seconds"));
    let deadline = started + allowed;
    // The page has until its deadline, the client as long again to read.
    let due = deadline + allowed.max(service.shared.limits.write) + Duration::from_secs(1);
    let answering = Arc::new(service.activity.request(due));
    async move {
        let shared = &service.shared;
        let _in_flight = InFlight::new(shared);
        let headers = request.headers();
        let asked = Asked {
            path: request.uri().path().to_owned(),
            query: page::query(request.uri().query().unwrap_or("")),
            encoding: expo::negotiate_encoding(text(headers, "accept-encoding")),
            accept: text(headers, "accept").map(str::to_owned),
            scraper: scraper(
                service.client.peer,
                text(headers, "user-agent"),
                text(headers, "x-prometheus-scrape-timeout-seconds"),
            ),
            deadline,
            started,
            peer: service.client.peer,
            is_authenticated: service.client.is_certified,
            answering: Arc::clone(&answering),
        };
        let (handler, mut answer) = dispatch(shared, request.method(), headers, asked).await;
        let web = shared.web.get();
        for (name, value) in &web.headers {
            answer.headers_mut().insert(name, value.clone());
        }
        answer.headers_mut().entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        if is_for_people(text(headers, "accept")) {
            answer = in_frame(shared.program, answer);
        }
        if request.method() == Method::HEAD {
            *answer.body_mut() = PageBody::whole("");
        }
        answer.body_mut().hold(answering);
        shared.telemetry.answered(handler.as_ref(), answer.status().as_u16(), started.elapsed());
        Ok(answer)
    }
}

struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.telemetry.in_flight().inc();
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.telemetry.in_flight().dec();
    }
}

/// The handler's name for metrics, and the answer.
async fn dispatch(shared: &Arc<Shared>, method: &Method, headers: &HeaderMap, mut asked: Asked) -> (String, Answer) {
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    match shared.web.get().auth.judge(authorization).await {
        Verdict::Open => {}
        Verdict::Known => asked.is_authenticated = true,
        Verdict::TooMany => {
            shared.telemetry.rejected(Rejection::RateLimit);
            return ("rate_limit".to_owned(), status(StatusCode::TOO_MANY_REQUESTS, "too many requests\n"));
        }
        Verdict::Unknown => {
            shared.telemetry.rejected(Rejection::Unauthorized);
            let mut answer = status(StatusCode::UNAUTHORIZED, "unauthorized\n");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
            return ("auth".to_owned(), answer);
        }
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let path = asked.path.clone();
    if let (Some(guard), true) = (&shared.guard, shared.routes.contains_key(&path)) {
        let token = authorization.and_then(web::token).map(str::to_owned);
        if let Err(code) = guard(path.clone(), token).await {
            shared.telemetry.rejected(Rejection::Unauthorized);
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::FORBIDDEN);
            return ("auth".to_owned(), status(code, "not allowed\n"));
        }
        asked.is_authenticated = true;
    }
    let answer = match path.as_str() {
        "/-/reload" => reload(shared, method).await,
        "/" | "/-/healthy" | "/-/ready" | "/healthz" | "/livez" | "/readyz" if !reads => not_allowed("GET, HEAD"),
        "/" => landing_answer(shared, asked.encoding),
        "/-/healthy" | "/healthz" | "/livez" => status(StatusCode::OK, "ok\n"),
        "/-/ready" | "/readyz" => match (shared.ready)() {
            Ok(()) => status(StatusCode::OK, "ready\n"),
            Err(missing) => status(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
        },
        path => match shared.routes.get(path) {
            None => return ("other".to_owned(), status(StatusCode::NOT_FOUND, "not found\n")),
            Some(_) if !reads => not_allowed("GET, HEAD"),
            Some(route) => routed(shared, route, method == Method::HEAD, asked).await,
        },
    };
    (path, answer)
}

async fn routed(shared: &Arc<Shared>, route: &Arc<Route>, head_only: bool, asked: Asked) -> Answer {
    if let Route::Page(_, page) = &**route
        && let Err(wrong) = page.check(&asked.query)
    {
        return status(StatusCode::BAD_REQUEST, format!("{wrong}\n"));
    }
    if let (Route::Page(_, page), true) = (&**route, head_only) {
        let (format, encoding) = (page.format(asked.accept.as_deref()), page.encoding(asked.encoding));
        return with_headers(Response::new(PageBody::whole("")), format.content_type(), encoding);
    }
    let (turns, busy_with) = match &**route {
        Route::Page(..) | Route::Plain(_) => (&shared.scrapes, "too many scrapes at the same time\n"),
        Route::Handler(_) => (&shared.handlers, "too many requests of this kind at the same time\n"),
    };
    let Ok(turn) = Arc::clone(turns).try_acquire_owned() else {
        shared.telemetry.rejected(Rejection::Busy);
        return busy(busy_with);
    };
    match &**route {
        Route::Page(path, page) => scraped(shared, path, page, turn, asked).await,
        Route::Plain(answer) => plain(shared, Arc::clone(answer), turn, asked).await,
        Route::Handler(handler) => handled(shared, Arc::clone(handler), head_only, turn, asked).await,
    }
}

/// The decision of a handler, sent before its stream begins.
enum Decided {
    Whole(Reply),
    Streamed(&'static str),
}

async fn handled(
    shared: &Arc<Shared>,
    handler: Arc<Handler>,
    head_only: bool,
    turn: OwnedSemaphorePermit,
    asked: Asked,
) -> Answer {
    let Asked { path, query, encoding, deadline, accept, peer, is_authenticated, answering, .. } = asked;
    let method = if head_only { handler::Method::Head } else { handler::Method::Get };
    let request = handler::Request { method, path: path.clone(), query, accept, peer, is_authenticated };
    let turn: Arc<dyn Send + Sync> = Arc::new(turn);
    let (parts, incoming) = stream::channel();
    let (decide, decided) = oneshot::channel();
    let job = Streaming { shared: Arc::clone(shared), path, encoding, head_only };
    let held = Arc::clone(&turn);
    let started = shared.handler_pool.run(move || {
        let _held = held;
        match guarded(|| handler(&request)) {
            Ok(handler::Answer::Whole(reply)) => drop(decide.send(Decided::Whole(reply))),
            Ok(handler::Answer::Streamed(stream)) => {
                if decide.send(Decided::Streamed(stream.content_type)).is_ok() {
                    job.write(stream, parts);
                }
            }
            Err(panic) => {
                tracing::error!(path = job.path, error = %panic, "handler panicked");
                drop(decide.send(Decided::Whole(Reply::status(500, "internal error; the log says which\n"))));
            }
        }
    });
    if started.is_err() {
        return busy("no thread left\n");
    }
    match tokio::time::timeout_at(deadline.into(), decided).await {
        Ok(Ok(Decided::Whole(reply))) => replied(&reply, encoding),
        Ok(Ok(Decided::Streamed(content_type))) => {
            answering.takes_its_time();
            let mut body = if head_only { PageBody::whole("") } else { PageBody::streamed(None, incoming) };
            body.hold(turn);
            with_headers(Response::new(body), content_type, packing(encoding, content_type))
        }
        Ok(Err(_)) => status(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
        Err(_) => late(shared),
    }
}

/// A stream to be written on a thread.
struct Streaming {
    shared: Arc<Shared>,
    path: String,
    encoding: Encoding,
    head_only: bool,
}

impl Streaming {
    fn write(self, stream: handler::Stream, parts: mpsc::Sender<Part>) {
        if self.head_only {
            return;
        }
        let (telemetry, path) = (&self.shared.telemetry, self.path.as_str());
        let open = telemetry.streams(path);
        open.inc();
        let sink = Sink { parts, runtime: self.shared.runtime.clone(), stall: self.shared.limits.write };
        let encoding = packing(self.encoding, stream.content_type);
        let ended = stream::write_stream(stream.write, encoding, sink, self.shared.draining.clone());
        open.dec();
        match ended {
            Ended::Whole(_, bytes) => {
                telemetry.stream_sent(path, bytes);
                tracing::debug!(path, bytes, "stream ended");
            }
            Ended::Failed(error) => {
                telemetry.stream_failed(path, "error");
                tracing::error!(path, error = %error, "stream failed and was cut");
            }
            Ended::Panicked(panic) => {
                telemetry.stream_failed(path, "panic");
                tracing::error!(path, error = %panic, "stream panicked and was cut");
            }
            Ended::Abandoned => tracing::debug!(path, "client left the stream, or took nothing of it for too long"),
        }
    }
}

/// The compression of a body: that which was asked for, if the content shrinks.
fn packing(asked: Encoding, content_type: &str) -> Encoding {
    let kind = content_type.split(';').next().unwrap_or_default();
    let is_text = kind.starts_with("text/") || ["json", "xml", "yaml"].iter().any(|word| kind.ends_with(word));
    if is_text { asked } else { Encoding::Identity }
}

async fn plain(shared: &Arc<Shared>, answer: Arc<Plain>, turn: OwnedSemaphorePermit, asked: Asked) -> Answer {
    let (done, reply) = oneshot::channel();
    let Asked { path, query, encoding, deadline, .. } = asked;
    let started = shared.pool.run(move || {
        let reply = guarded(|| answer(&query)).unwrap_or_else(|panic| {
            tracing::error!(path, error = %panic, "page panicked");
            Reply::status(500, "internal error; the log says which\n")
        });
        drop(done.send(reply));
        drop(turn);
    });
    if started.is_err() {
        return busy("no thread left\n");
    }
    match tokio::time::timeout_at(deadline.into(), reply).await {
        Ok(Ok(reply)) => replied(&reply, encoding),
        Ok(Err(_)) => status(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
        Err(_) => late(shared),
    }
}

async fn scraped(
    shared: &Arc<Shared>,
    path: &str,
    page: &Arc<dyn Page>,
    turn: OwnedSemaphorePermit,
    asked: Asked,
) -> Answer {
    let turn: Arc<dyn Send + Sync> = Arc::new(turn);
    let (parts, mut incoming) = stream::channel();
    let Asked { query, encoding, deadline, accept, scraper, started, .. } = asked;
    let (format, encoding) = (page.format(accept.as_deref()), page.encoding(encoding));
    let job = Scrape {
        shared: Arc::clone(shared),
        page: Arc::clone(page),
        path: path.to_owned(),
        request: ScrapeRequest { format, encoding, deadline, scraper, query },
        started,
    };
    let held = Arc::clone(&turn);
    if shared.pool.run(move || job.write(parts, held)).is_err() {
        return busy("no thread left\n");
    }
    let latest = deadline + Duration::from_secs(1);
    let mut body = match tokio::time::timeout_at(latest.into(), incoming.recv()).await {
        Ok(Some(Part::Last(whole))) => PageBody::whole(whole),
        Ok(Some(Part::Chunk(first))) => PageBody::streamed(Some(first), incoming),
        Ok(Some(Part::Failed(_)) | None) => {
            return status(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made; the log says why\n");
        }
        Err(_) => return late(shared),
    };
    body.hold(turn);
    with_headers(Response::new(body), format.content_type(), encoding)
}

/// The name of whoever asks, of bounded length.
fn scraper(peer: IpAddr, agent: Option<&str>, timeout: Option<&str>) -> String {
    let shortened = |text: Option<&str>| text.unwrap_or_default().chars().take(100).collect::<String>();
    format!("{peer} {} {}", shortened(agent), shortened(timeout))
}

/// A page to be written on a thread.
struct Scrape {
    shared: Arc<Shared>,
    page: Arc<dyn Page>,
    path: String,
    request: ScrapeRequest,
    started: Instant,
}

impl Scrape {
    /// `_turn` is given back when both the thread and the body are done.
    fn write(self, parts: mpsc::Sender<Part>, _turn: Arc<dyn Send + Sync>) {
        let (telemetry, path) = (&self.shared.telemetry, self.path.as_str());
        let sink = Sink { parts, runtime: self.shared.runtime.clone(), stall: self.shared.limits.write };
        let ended = stream::write_page(&*self.page, &self.request, sink);
        match ended {
            Ended::Whole(written, bytes) => {
                telemetry.page_written(path, format_name(self.request.format), written.series, bytes);
                tracing::debug!(path, series = written.series, bytes, took = ?self.started.elapsed(), "page written");
            }
            Ended::Failed(error) => {
                telemetry.page_failed(path, "error");
                tracing::error!(path, error = %error, "cannot write page");
            }
            Ended::Panicked(panic) => {
                telemetry.page_failed(path, "panic");
                tracing::error!(path, error = %panic, "page panicked");
            }
            Ended::Abandoned => {
                telemetry.page_failed(path, "abandoned");
                tracing::debug!(path, "client closed the connection before the end of the page");
            }
        }
    }
}

const fn format_name(format: expo::Format) -> &'static str {
    match format {
        expo::Format::Text004 => "text",
        expo::Format::OpenMetrics1 => "openmetrics",
        expo::Format::Protobuf => "protobuf",
    }
}

async fn reload(shared: &Arc<Shared>, method: &Method) -> Answer {
    if !matches!(*method, Method::POST | Method::PUT) {
        return not_allowed("POST, PUT");
    }
    if !shared.lifecycle_enabled {
        return status(StatusCode::FORBIDDEN, "reload over HTTP is off; start with --web.enable-lifecycle\n");
    }
    let (done, result) = oneshot::channel();
    if shared.reloads.send(ReloadAsked(Some(done))).await.is_err() {
        return status(StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match result.await {
        Ok(Ok(changes)) => status(StatusCode::OK, changes.in_words()),
        Ok(Err(error)) => status(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(_) => status(StatusCode::SERVICE_UNAVAILABLE, "shutting down\n"),
    }
}

fn landing_answer(shared: &Shared, encoding: Encoding) -> Answer {
    let mut landing = match &shared.landing {
        Some(landing) => landing(),
        None => landing::Landing::of(shared.program),
    };
    if landing.endpoints.is_empty() {
        landing.endpoints.clone_from(&shared.endpoints);
    }
    replied(&Reply::html(landing::landing_page(&landing)), encoding)
}

fn replied(reply: &Reply, encoding: Encoding) -> Answer {
    let code = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let encoding = packing(encoding, reply.content_type);
    let small = reply.body.len() < WORTH_COMPRESSING;
    let packed = if small { None } else { stream::compressed(encoding, &reply.body).ok() };
    let (body, encoding) = match packed {
        Some(packed) => (packed, encoding),
        None => (reply.body.clone(), Encoding::Identity),
    };
    let mut answer = Response::new(PageBody::whole(body));
    *answer.status_mut() = code;
    if reply.content_type.starts_with("text/html") {
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(frame::POLICY));
        answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    with_headers(answer, reply.content_type, encoding)
}

fn with_headers(mut answer: Answer, content_type: &'static str, encoding: Encoding) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if let Some(encoding) = encoding.header() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    answer
}

fn status(code: StatusCode, text: impl Into<String>) -> Answer {
    replied(&Reply::status(code.as_u16(), text), Encoding::Identity)
}

/// Whether a browser asks. Scrapers and probes take any type, or name theirs.
fn is_for_people(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.split(',').any(|range| range.trim_start().starts_with("text/html")))
}

/// An error in plain text as a page; other answers as they are.
fn in_frame(program: &Program, answer: Answer) -> Answer {
    let code = answer.status();
    let is_error = code.is_client_error() || code.is_server_error();
    let is_plain = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == page::PLAIN_TEXT);
    let Some(text) = answer.body().known().filter(|_| is_error && is_plain) else { return answer };
    let said = String::from_utf8_lossy(text);
    let mut reply = Reply::html(frame::error_page(program, &code.to_string(), said.trim_end()));
    reply.status = code.as_u16();
    let mut page = replied(&reply, Encoding::Identity);
    for (name, value) in answer.headers() {
        page.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    page
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = status(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    answer
}

fn busy(text: &'static str) -> Answer {
    let mut answer = status(StatusCode::SERVICE_UNAVAILABLE, text);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

fn late(shared: &Shared) -> Answer {
    shared.telemetry.rejected(Rejection::Late);
    busy("the page was not ready in time\n")
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    headers.get(HeaderName::from_static(name))?.to_str().ok()
}
