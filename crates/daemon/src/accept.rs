//! Accepts connections from a listening socket and serves them.

use std::{io, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connection::{Activity, Graceful, Watched, supervise},
    limits::Limits,
    route::{self, Client, Service},
    shared::Shared,
    telemetry::Closing,
    web::Web,
};

/// Bytes of a plain request that are taken after it was refused.
const MOST_SCRAP: usize = 64 << 10;

/// Accepts connections until `stop`. When the process has no file descriptors left it closes an idle connection, waits
/// and goes on.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("accepting connections again");
                }
                let Some((id, activity)) = shared.connections.admit() else {
                    shared.telemetry.closed(Closing::Crowded);
                    continue;
                };
                let (shared, stop) = (Arc::clone(&shared), stop.clone());
                tasks.spawn(async move {
                    let _open = Open::new(&shared, id);
                    serve(socket, peer.ip(), &shared, activity, &stop).await;
                });
            }
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                shared.telemetry.accept_failed();
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(error = %error, "cannot accept connections, trying again; the limit of open files may be too low");
                }
                // Most likely there are no file descriptors left: an idle connection has one to give.
                shared.connections.shed();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Counts an open connection and gives its place back.
struct Open<'a>(&'a Shared, u64);

impl<'a> Open<'a> {
    fn new(shared: &'a Shared, id: u64) -> Self {
        shared.telemetry.connections().inc();
        Self(shared, id)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.telemetry.connections().dec();
        self.0.connections.gone(self.1);
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(
    socket: TcpStream,
    peer: IpAddr,
    shared: &Arc<Shared>,
    activity: Arc<Activity>,
    stop: &CancellationToken,
) {
    drop(socket.set_nodelay(true));
    let web = shared.web.get();
    let Some(tls) = web.tls.clone() else {
        let client = Client { peer, is_certified: false };
        return serve_http(socket, client, shared, &web, activity, stop).await;
    };
    let handshake = async {
        let mut socket = socket;
        if speaks_http(&socket).await? {
            answer_http(&mut socket).await?;
            return Ok(None);
        }
        tokio_rustls::TlsAcceptor::from(tls).accept(socket).await.map(Some)
    };
    let handshake = tokio::time::timeout(shared.limits.handshake, handshake);
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = activity.crowded_out.cancelled() => return shared.telemetry.closed(Closing::Crowded),
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(None)) => {
            shared.telemetry.tls_failed("not_tls");
            tracing::debug!(%peer, "plain HTTP at the TLS port, answered with 400");
        }
        Ok(Ok(Some(socket))) => {
            let has_certificate = socket.get_ref().1.peer_certificates().is_some_and(|chain| !chain.is_empty());
            let client = Client { peer, is_certified: web.verifies_clients && has_certificate };
            serve_http(socket, client, shared, &web, activity, stop).await;
        }
        Ok(Err(error)) => {
            shared.telemetry.tls_failed(tls_failure(&error));
            tracing::debug!(error = %error, "TLS handshake failed");
        }
        Err(_) => shared.telemetry.tls_failed("timeout"),
    }
}

/// Whether the client begins with a method of HTTP, as one does that was given `http://` for `https://`. A TLS record
/// begins with no letter.
async fn speaks_http(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let read = socket.peek(&mut first).await?;
    Ok(read == 1 && first.iter().all(u8::is_ascii_uppercase))
}

/// Says in plain HTTP that this port takes TLS, and takes what the client still sends, so that it sees the answer.
async fn answer_http(socket: &mut TcpStream) -> io::Result<()> {
    const TEXT: &str = "Client sent an HTTP request to an HTTPS server; write https:// instead of http://\n";
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{TEXT}", TEXT.len());
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await?;
    let mut scrap = [0; 4096];
    let rest = async {
        let mut left = MOST_SCRAP;
        while left > 0 {
            match socket.read(&mut scrap).await {
                Ok(read) if read > 0 => left = left.saturating_sub(read),
                _ => break,
            }
        }
    };
    drop(tokio::time::timeout(Duration::from_secs(1), rest).await);
    Ok(())
}

/// A closed set of words for why a handshake failed.
fn tls_failure(error: &io::Error) -> &'static str {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, NoCertificatesPresented, PeerIncompatible};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(InvalidCertificate(_)) => "bad_certificate",
        Some(NoCertificatesPresented) => "no_certificate",
        Some(PeerIncompatible(_)) => "incompatible",
        Some(AlertReceived(_)) => "refused_by_client",
        Some(InvalidMessage(_)) => "not_tls",
        Some(_) => "protocol",
        None => "connection_lost",
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    socket: S,
    client: Client,
    shared: &Arc<Shared>,
    web: &Web,
    activity: Arc<Activity>,
    stop: &CancellationToken,
) {
    let limits = shared.limits;
    let builder = builder(&limits, web.http2);
    let io = TokioIo::new(Watched::new(socket, Arc::clone(&activity)));
    let service = Service { shared: Arc::clone(shared), activity: Arc::clone(&activity), client };
    let service = hyper::service::service_fn(move |request| route::answer(service.clone(), request));
    let connection = builder.serve_connection(io, service);
    if let Some(why) = supervise(connection, &activity, &limits, stop).await {
        let why = if stop.is_cancelled() && why == Closing::Crowded { Closing::Drained } else { why };
        shared.telemetry.closed(why);
    }
}

fn builder(limits: &Limits, http2: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !http2 {
        builder = builder.http1_only();
    }
    let header_bytes = limits.header_bytes;
    // Slow heads are cut by `supervise`, which knows them from idle connections.
    builder.http1().header_read_timeout(None).max_buf_size(header_bytes as usize).timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(header_bytes)
        .max_pending_accept_reset_streams(16)
        .max_local_error_reset_streams(32)
        .max_send_buf_size(64 << 10)
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(128 << 10)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

impl<I, S, B> Graceful for auto::Connection<'_, I, S, TokioExecutor>
where
    S: hyper::service::Service<hyper::Request<hyper::body::Incoming>, Response = hyper::Response<B>>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    TokioExecutor: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn finish_soon(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
