//! Every form in which a way to the API server is written, before a server with TLS: it connects, or one sentence names
//! what is wrong and where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is a test's, and ends with it")]

mod lab;

use std::path::Path;

use kubernetes::Access;

use self::lab::{Authority, Front, Proxy, Speaks, chain, open};

/// A kubeconfig of one cluster and user, given as the lines of each.
fn kubeconfig(folder: &Path, cluster: &str, user: &str) -> Access {
    let path = folder.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\ncontexts: [{{name: lab, context: {{cluster: lab, user: lab}}}}]\n\
         clusters:\n- name: lab\n  cluster: {{{cluster}}}\nusers:\n- name: lab\n  user: {{{user}}}\n"
    );
    std::fs::write(&path, text).unwrap();
    Access::Kubeconfig { path, address: None }
}

/// What becomes of a request: nothing, or what is said of it.
fn ask(access: &Access) -> Result<(), String> {
    lab::run(async {
        let api = open(access).map_err(|error| chain(&error))?;
        api.get_whole("/version").await.map(drop).map_err(|trouble| chain(&trouble))
    })
}

#[test]
fn every_form_connects() {
    let ours = Authority::new("ours");
    let front = Front::start(ours.issue("localhost"));
    let (folder, port) = (ours.folder.path(), front.port);
    let leaf = ours.write("leaf.crt", &front.certificate());
    let agent = ours.issue("agent");
    ours.write("agent.crt", &agent.0);
    ours.write("agent.key", &agent.1);
    ours.write("token", "abc\n");
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    let (http, socks) = (Proxy::start(Speaks::Http), Proxy::start(Speaks::Socks));
    let url = format!("server: 'https://localhost:{port}'");
    let ca = "certificate-authority: ca.crt";
    for (form, cluster, user, seen) in [
        ("an authority in a file", format!("{url}, {ca}"), String::new(), ""),
        (
            "an authority in the file itself",
            format!("{url}, certificate-authority-data: {}", lab::base64(&ours.pem)),
            String::new(),
            "",
        ),
        (
            "the server's own certificate",
            format!("{url}, certificate-authority: {}", leaf.display()),
            String::new(),
            "",
        ),
        ("no authority at all", format!("{url}, insecure-skip-tls-verify: true"), String::new(), ""),
        ("no scheme", format!("server: 'localhost:{port}', {ca}"), String::new(), ""),
        (
            "another name",
            format!("server: 'https://127.0.0.1:{port}', {ca}, tls-server-name: localhost"),
            String::new(),
            "",
        ),
        (
            "a client certificate",
            format!("{url}, {ca}"),
            "client-certificate: agent.crt, client-key: agent.key".into(),
            "CN=agent",
        ),
        (
            "a client certificate of version 1",
            format!("{url}, {ca}"),
            format!("client-certificate: {testdata}/v1.crt, client-key: {testdata}/v1.key"),
            "v1.crt",
        ),
        (
            "a file with a token and an end of line",
            format!("{url}, {ca}"),
            "tokenFile: token".into(),
            "authorization: Bearer abc\r",
        ),
        (
            "a token with an end of line",
            format!("{url}, {ca}"),
            "token: \"abc\\n\"".into(),
            "authorization: Bearer abc\r",
        ),
        (
            "a token beside a file with one",
            format!("{url}, {ca}"),
            "token: old, tokenFile: token".into(),
            "authorization: Bearer abc\r",
        ),
        ("a proxy", format!("{url}, {ca}, proxy-url: 'http://127.0.0.1:{}'", http.port), String::new(), ""),
        (
            "a proxy with a password",
            format!("{url}, {ca}, proxy-url: 'http://me:a%40b@127.0.0.1:{}'", http.port),
            String::new(),
            "",
        ),
        ("a proxy of SOCKS", format!("{url}, {ca}, proxy-url: 'socks5://127.0.0.1:{}'", socks.port), String::new(), ""),
    ] {
        front.forget();
        assert_eq!(ask(&kubeconfig(folder, &cluster, &user)), Ok(()), "{form}");
        let told = front.seen();
        assert!(told.contains("user-agent: lab/1"), "{form}: {told}");
        let expected = match seen {
            "CN=agent" => lab::fingerprint(&agent.0),
            "v1.crt" => lab::fingerprint(&std::fs::read_to_string(format!("{testdata}/v1.crt")).unwrap()),
            seen => seen.to_owned(),
        };
        assert!(told.contains(&expected), "{form}: {told}");
    }
    assert_eq!((http.asked().len(), socks.asked().len()), (2, 1));
    assert!(http.asked()[1].contains(&format!("Basic {}", lab::base64("me:a@b"))), "{:?}", http.asked());
}

#[test]
fn a_proxy_of_socks_is_told_the_name_and_password() {
    let ours = Authority::new("ours");
    let front = Front::start(ours.issue("localhost"));
    let socks = Proxy::start(Speaks::SocksLogin);
    let cluster = format!(
        "server: 'https://localhost:{}', certificate-authority: ca.crt, proxy-url: 'socks5://me:a%40b@127.0.0.1:{}'",
        front.port, socks.port
    );
    assert_eq!(ask(&kubeconfig(ours.folder.path(), &cluster, "")), Ok(()));
    assert_eq!(socks.asked(), ["me/a@b/localhost"]);
}

#[test]
fn a_server_without_tls_is_asked_for_by_its_whole_address() {
    let (server, proxy, folder) =
        (testkit::ApiServer::start().unwrap(), Proxy::start(Speaks::Http), tempfile::tempdir().unwrap());
    for login in ["", "me:a%40b@"] {
        let cluster = format!("server: '{}', proxy-url: 'http://{login}127.0.0.1:{}'", server.url(), proxy.port);
        assert_eq!(ask(&kubeconfig(folder.path(), &cluster, "token: abc")), Ok(()));
    }
    let asked = proxy.asked();
    assert_eq!((asked.len(), server.requests("/version")), (2, 2));
    for request in &asked {
        assert!(request.starts_with(&format!("GET {}/version HTTP/1.1\r\n", server.url())), "{request}");
        assert!(request.contains("authorization: Bearer abc\r\n"), "{request}");
    }
    let basic = format!("proxy-authorization: Basic {}\r\n", lab::base64("me:a@b"));
    assert!(!asked[0].contains("proxy-authorization") && asked[1].contains(&basic), "{asked:?}");
}

#[test]
fn a_server_that_vouches_for_itself_is_taken() {
    let own = Authority::new("localhost");
    let front = Front::start((own.pem.clone(), own.key()));
    let cluster = format!("server: 'https://localhost:{}', certificate-authority: ca.crt", front.port);
    assert_eq!(ask(&kubeconfig(own.folder.path(), &cluster, "")), Ok(()));
    let by_address = cluster.replace("localhost", "127.0.0.1");
    let refused = ask(&kubeconfig(own.folder.path(), &by_address, "")).unwrap_err();
    assert!(refused.contains("certificate"), "it is taken for its name alone: {refused}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let ours = Authority::new("ours");
    let front = Front::start(ours.issue("localhost"));
    let folder = ours.folder.path();
    let others = Authority::new("others");
    ours.write("other.crt", &others.issue("localhost").0);
    ours.write("agent.crt", &ours.issue("agent").0);
    ours.write("agent.key", &ours.issue("agent").1);
    ours.write("empty.crt", "\n");
    let url = format!("server: 'https://localhost:{}'", front.port);
    let at = |name: &str| folder.join(name).display().to_string();
    for (cluster, user, parts) in [
        ("server: 'ftp://x'".to_owned(), "", vec!["\"ftp://x\" in ".to_owned(), at("config")]),
        ("certificate-authority: ca.crt".to_owned(), "", vec![at("config")]),
        (format!("{url}, certificate-authority: none.crt"), "", vec![format!("cannot read {}", at("none.crt"))]),
        (
            format!("{url}, certificate-authority: empty.crt"),
            "",
            vec![format!("{} has no certificate", at("empty.crt"))],
        ),
        (
            format!("{url}, certificate-authority: other.crt"),
            "",
            vec!["cannot reach the API server".into(), "UnknownIssuer".into()],
        ),
        (
            format!("{url}, certificate-authority-data: '%'"),
            "",
            vec![format!("certificate-authority-data in {} is not in base64", at("config"))],
        ),
        (
            format!("{url}, proxy-url: 'proxy:3128'"),
            "",
            vec![format!("\"proxy:3128\", proxy-url in {}, is no proxy", at("config"))],
        ),
        (
            format!("{url}, certificate-authority: ca.crt, tls-server-name: 'a b'"),
            "",
            vec!["tls-server-name \"a b\"".into()],
        ),
        (url.clone(), "token: \"a\\x01b\"", vec![format!("token in {} has characters", at("config"))]),
        (url.clone(), "tokenFile: none", vec![format!("cannot read {}", at("none"))]),
        (
            url.clone(),
            "client-certificate: agent.crt",
            vec![format!("{} is given without a client-key", at("agent.crt"))],
        ),
        (
            url.clone(),
            "client-certificate: agent.crt, client-key: agent.key",
            vec![format!("cannot use the client key in {}", at("agent.key"))],
        ),
        (
            url.clone(),
            "client-certificate: agent.crt, client-key: agent.crt",
            vec![format!("cannot use the client key in {}", at("agent.crt"))],
        ),
    ] {
        let said = ask(&kubeconfig(folder, &cluster, user)).unwrap_err();
        for part in parts {
            assert!(said.contains(&part), "{cluster} {user}: {said}");
        }
    }
    assert!(
        ask(&Access::Kubeconfig { path: folder.join("nowhere"), address: None }).unwrap_err().contains(&at("nowhere"))
    );
}

#[test]
fn files_that_are_replaced_are_read_again() {
    let (ours, next) = (Authority::new("ours"), Authority::new("next"));
    let front = Front::start(ours.issue("localhost"));
    let (first, second) = (ours.issue("agent"), ours.issue("another agent"));
    let write_agent = |(certificate, key): &(String, String)| {
        ours.write("agent.crt", certificate);
        ours.write("agent.key", key);
    };
    write_agent(&first);
    ours.write("token", "one");
    let cluster = format!("server: 'https://localhost:{}', certificate-authority: ca.crt", front.port);
    let user = "tokenFile: token, client-certificate: agent.crt, client-key: agent.key";
    let access = kubeconfig(ours.folder.path(), &cluster, user);
    lab::run(async {
        let api = open(&access).unwrap();
        let told = async |part: &str| {
            front.forget();
            let answer = api.get_whole("/version").await.map(drop).map_err(|trouble| chain(&trouble));
            assert!(answer.is_err() || front.seen().contains(part), "{part}: {}", front.seen());
            answer
        };
        assert_eq!(told("Bearer one\r").await, Ok(()));
        ours.write("token", "another\n");
        assert_eq!(told("Bearer another\r").await, Ok(()));
        write_agent(&second);
        assert_eq!(told(&lab::fingerprint(&second.0)).await, Ok(()));
        ours.write("agent.key", "not a key any more");
        assert_eq!(told(&lab::fingerprint(&second.0)).await, Ok(()), "what does not work is left");
        write_agent(&second);
        front.becomes(next.issue("localhost"));
        assert!(told("").await.unwrap_err().contains("UnknownIssuer"));
        ours.write("ca.crt", &format!("{}{}", ours.pem, next.pem));
        assert_eq!(told("Bearer another\r").await, Ok(()));
    });
}
