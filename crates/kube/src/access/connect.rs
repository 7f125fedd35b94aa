//! Connections to a server: at once or through a proxy, with what every request of them has.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    Request, Uri,
    header::{HeaderValue, PROXY_AUTHORIZATION},
    rt::{Read, Write},
};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Builder,
        connect::{
            Connection, HttpConnector,
            proxy::{SocksV5, Tunnel},
        },
    },
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt as _},
};
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

use super::forward::Forward;

/// A client that asks a server, through a proxy if there is one.
pub(super) fn client(config: &Config, tls: ClientConfig, proxy: Option<&Uri>) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    let Some(proxy) = proxy.cloned() else { return over(config, tls, tcp, None) };
    let login = login(&proxy);
    if matches!(proxy.scheme_str(), Some("socks5" | "socks5h")) {
        let socks = SocksV5::new(proxy, tcp);
        return match login {
            Some((user, password)) => over(config, tls, socks.with_auth(user, password), None),
            None => over(config, tls, socks, None),
        };
    }
    let basic = login.and_then(|(user, password)| {
        let basic = STANDARD.encode(format!("{user}:{password}"));
        let mut basic = HeaderValue::from_str(&format!("Basic {basic}")).ok()?;
        basic.set_sensitive(true);
        Some(basic)
    });
    if proxy.scheme_str() != Some("https") {
        return through(config, tls, proxy, tcp, basic);
    }
    let to_proxy = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
    through(config, tls, proxy, to_proxy.enable_http1().wrap_connector(tcp), basic)
}

/// The name and password in a proxy's address.
fn login(proxy: &Uri) -> Option<(String, String)> {
    let (login, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decoded(user), decoded(password)))
}

/// Through a proxy of HTTP: a tunnel to a server with TLS, and the requests themselves for one without.
fn through<C>(
    config: &Config,
    tls: ClientConfig,
    proxy: Uri,
    connector: C,
    login: Option<HeaderValue>,
) -> Result<Client, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError> + 'static,
{
    if config.cluster_url.scheme_str() == Some("http") {
        return over(config, tls, Forward::new(proxy, connector), login);
    }
    let tunnel = Tunnel::new(proxy, connector);
    match login {
        Some(login) => over(config, tls, tunnel.with_auth(login), None),
        None => over(config, tls, tunnel, None),
    }
}

/// What all connections have. `proxy_login` goes to the proxy with each request.
fn over<C>(
    config: &Config,
    tls: ClientConfig,
    connector: C,
    proxy_login: Option<HeaderValue>,
) -> Result<Client, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let mut https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let name = config.tls_server_name.clone().and_then(|name| name.try_into().ok());
    if let Some(name) = name {
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let connector = https.enable_http1().wrap_connector(connector);
    let client = Builder::new(TokioExecutor::new()).build::<_, Body>(connector);
    let gzip = DecompressionLayer::new().no_br().no_deflate().no_zstd().gzip(!config.disable_compression);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(gzip)
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_request(move |mut request: Request<Body>| {
            if let Some(login) = &proxy_login {
                request.headers_mut().insert(PROXY_AUTHORIZATION, login.clone());
            }
            request
        })
        .map_err(BoxError::from)
        .service(client);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}
