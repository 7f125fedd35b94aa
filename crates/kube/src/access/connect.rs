//! Connections to a server: at once or through a proxy, with what every request of them has.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    Uri,
    header::HeaderValue,
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

/// A client that asks a server, through a proxy if there is one.
pub(super) fn client(config: &Config, tls: ClientConfig, proxy: Option<&Uri>) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    match proxy.map(|proxy| (proxy.scheme_str(), proxy.clone())) {
        None => over(config, tls, tcp),
        Some((Some("socks5" | "socks5h"), proxy)) => over(config, tls, SocksV5::new(proxy, tcp)),
        Some((Some("https"), proxy)) => {
            let to_proxy = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
            let to_proxy = to_proxy.enable_http1().wrap_connector(tcp);
            over(config, tls, tunnel(proxy, to_proxy))
        }
        Some((_, proxy)) => over(config, tls, tunnel(proxy, tcp)),
    }
}

/// Through a proxy of HTTP, with the name and password of its address.
fn tunnel<C>(proxy: Uri, connector: C) -> Tunnel<C> {
    let user = proxy.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| user);
    let basic = user.map(|user| STANDARD.encode(percent_decode_str(user).collect::<Vec<u8>>()));
    let auth = basic.and_then(|basic| HeaderValue::from_str(&format!("Basic {basic}")).ok());
    let tunnel = Tunnel::new(proxy, connector);
    match auth {
        Some(auth) => tunnel.with_auth(auth),
        None => tunnel,
    }
}

fn over<C>(config: &Config, tls: ClientConfig, connector: C) -> Result<Client, kube::Error>
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
        .map_err(BoxError::from)
        .service(client);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}
