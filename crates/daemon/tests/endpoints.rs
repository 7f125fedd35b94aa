//! What the endpoints answer.

mod lab;

use std::{
    io::{Read as _, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    time::{Duration, Instant},
};

use daemon::{Reply, WebArgs};
use lab::{Running, fetch, lines, lines_text, made, wait_for, web};

const LARGE: u64 = 50_000;

fn standard() -> Running {
    Running::start(web(), |server| {
        server
            .page("/metrics", "Small", "A small page.", made(|_, out| lines(3, out)))
            .page("/large", "Large", "A large page.", made(|_, out| lines(LARGE, out)))
            .page("/fails", "Fails", "Fails.", made(|_, _| Err(std::io::Error::other("no luck"))))
            .page(
                "/fails/late",
                "Fails late",
                "Fails late.",
                made(|_, out| {
                    lines(LARGE, out)?;
                    Err(std::io::Error::other("no luck"))
                }),
            )
            .page("/panics", "Panics", "Panics.", made(|_, _| panic!("on purpose")))
            .plain("/json", "Json", "Json.", |query| Reply::json(&query.len()))
    })
}

#[test]
fn health_endpoints_answer() {
    let server = standard();
    for path in ["/-/healthy", "/healthz", "/livez", "/-/ready", "/readyz"] {
        let response = server.get(path);
        assert_eq!((response.status, response.header("content-length").is_empty()), (200, false), "{path}");
    }
}

#[test]
fn readiness_is_what_the_program_says() {
    let ready = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ready);
    let server = Running::start(web(), |server| {
        server.ready(move || if asked.load(SeqCst) { Ok(()) } else { Err("the first list of pods".to_owned()) })
    });
    let response = server.get("/readyz");
    assert_eq!((response.status, response.text().as_str()), (503, "not ready: the first list of pods\n"));
    assert_eq!(server.get("/livez").status, 200);
    ready.store(true, SeqCst);
    assert_eq!(server.get("/-/ready").status, 200);
}

#[test]
fn a_small_page_has_its_length_and_a_large_one_comes_in_chunks() {
    let server = standard();
    let small = server.get("/metrics");
    assert_eq!(small.header("content-length"), small.body.len().to_string());
    assert_eq!(small.body, lines_text(3));
    assert_eq!(small.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let large = server.get("/large");
    assert_eq!((large.status, large.header("transfer-encoding")), (200, "chunked"));
    assert!(large.whole && large.body == lines_text(LARGE), "{} bytes", large.body.len());
    wait_for("the page's size to be counted", || {
        server.metric("lab_page_written_bytes_total", &[("page", "/large"), ("format", "text")])
            == large.body.len() as f64
    });
    let series = server.metric("lab_page_series", &[("page", "/large"), ("format", "text")]);
    assert_eq!(series, LARGE as f64);
}

#[test]
fn pages_are_compressed_as_the_client_likes() {
    let server = standard();
    let large = fetch(server.address, "GET", "/large", &[("Accept-Encoding", "gzip")]);
    assert_eq!(large.header("content-encoding"), "gzip");
    let mut gunzip = std::process::Command::new("gzip")
        .args(["-dc"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gunzip.stdin.take().unwrap();
    let body = large.body.clone();
    let writer = std::thread::spawn(move || input.write_all(&body).unwrap());
    let mut plain = Vec::new();
    gunzip.stdout.take().unwrap().read_to_end(&mut plain).unwrap();
    writer.join().unwrap();
    assert!(gunzip.wait().unwrap().success());
    assert!(plain == lines_text(LARGE) && large.body.len() < plain.len() / 2);
    let zstd = fetch(server.address, "GET", "/large", &[("Accept-Encoding", "zstd, gzip")]);
    assert_eq!(zstd.header("content-encoding"), "zstd");
    assert!(zstd.whole && zstd.body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
}

#[test]
fn the_format_follows_the_accept_header() {
    let server = Running::start(web(), |server| {
        server.page("/metrics", "M", "M.", made(|request, out| write!(out, "{:?}", request.format).map(|()| 1)))
    });
    let format = |accept: &str| fetch(server.address, "GET", "/metrics", &[("Accept", accept)]);
    let open = format("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5");
    assert_eq!(
        (open.text().as_str(), open.header("content-type")),
        ("OpenMetrics1", expo::Format::OpenMetrics1.content_type())
    );
    assert_eq!(format("text/html").text(), "Text004");
    assert_eq!(format(expo::Format::Protobuf.content_type()).text(), "Protobuf");
}

#[test]
fn head_has_the_headers_and_no_body() {
    let server = standard();
    for (path, status) in
        [("/metrics", 200), ("/large", 200), ("/", 200), ("/-/healthy", 200), ("/json", 200), ("/none", 404)]
    {
        let response = fetch(server.address, "HEAD", path, &[]);
        assert_eq!((response.status, response.whole), (status, true), "{path}");
    }
}

#[test]
fn wrong_methods_and_paths_are_told_so() {
    let server = standard();
    for path in ["/metrics", "/json", "/", "/-/healthy", "/readyz"] {
        let response = fetch(server.address, "POST", path, &[("Content-Length", "0")]);
        assert_eq!((response.status, response.header("allow")), (405, "GET, HEAD"), "{path}");
    }
    let response = fetch(server.address, "GET", "/-/reload", &[]);
    assert_eq!((response.status, response.header("allow")), (405, "POST, PUT"));
    for path in ["/metric", "/metrics/", "/favicon.ico", "//", "/../etc/passwd"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    let others = server.metric("lab_http_requests_total", &[("handler", "other"), ("code", "404")]);
    assert_eq!(others, 5.0, "unknown paths are one series");
}

#[test]
fn a_page_that_fails_is_an_error_or_a_broken_body_and_harms_no_other() {
    let server = standard();
    assert_eq!(server.get("/fails").status, 500);
    let late = server.get("/fails/late");
    assert!(late.status == 200 && !late.whole, "a body that is not whole must not look whole");
    assert_eq!(server.get("/panics").status, 500);
    assert_eq!(server.get("/metrics").status, 200);
    wait_for("failures to be counted", || {
        server.metric("lab_page_failures_total", &[("page", "/panics"), ("reason", "panic")]) == 1.0
            && server.metric("lab_page_failures_total", &[("page", "/fails"), ("reason", "error")]) == 1.0
            && server.metric("lab_page_failures_total", &[("page", "/fails/late"), ("reason", "error")]) == 1.0
    });
}

#[test]
fn the_scrape_timeout_header_becomes_the_deadline() {
    let seen = Arc::new(Mutex::new(Duration::ZERO));
    let page_seen = Arc::clone(&seen);
    let server = Running::start(web(), |server| {
        let page = made(move |request: &daemon::ScrapeRequest, out: &mut dyn std::io::Write| {
            *page_seen.lock().unwrap() = request.deadline.saturating_duration_since(Instant::now());
            lines(1, out)
        });
        server.page("/metrics", "M", "M.", page)
    });
    for (header, seconds) in [("30", 29.5), ("2", 1.8), ("nonsense", 9.5), ("-4", 9.5)] {
        let response = fetch(server.address, "GET", "/metrics", &[("X-Prometheus-Scrape-Timeout-Seconds", header)]);
        assert_eq!(response.status, 200);
        let left = seen.lock().unwrap().as_secs_f64();
        assert!(left <= seconds && left > seconds - 1.0, "{header}: {left}");
    }
}

#[test]
fn a_page_that_misses_its_deadline_costs_its_own_scrape_only() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let server = Running::start(web(), |server| {
        let hung = made(move |_: &daemon::ScrapeRequest, out: &mut dyn std::io::Write| {
            let _ = released.lock().unwrap().recv();
            lines(1, out)
        });
        server.page("/hung", "H", "H.", hung).page("/metrics", "M", "M.", made(|_, out| lines(1, out)))
    });
    let response = fetch(server.address, "GET", "/hung", &[("X-Prometheus-Scrape-Timeout-Seconds", "0.2")]);
    assert_eq!((response.status, response.header("retry-after")), (503, "5"));
    assert_eq!(server.metric("lab_http_requests_rejected_total", &[("reason", "late")]), 1.0);
    assert_eq!(server.get("/metrics").status, 200);
    drop(release);
}

#[test]
fn more_scrapes_than_allowed_are_turned_away() {
    let args = WebArgs { max_requests: 2, ..web() };
    let (entered, entries) = mpsc::channel();
    let gate = Arc::new(Mutex::new(false));
    let inside = Arc::clone(&gate);
    let server = Running::start(args, |server| {
        let page = made(move |_: &daemon::ScrapeRequest, out: &mut dyn std::io::Write| {
            entered.send(()).unwrap();
            wait_for("the gate to open", || *inside.lock().unwrap());
            lines(1, out)
        });
        server.page("/metrics", "M", "M.", page)
    });
    let address = server.address;
    let scrapes: Vec<_> = (0..2).map(|_| std::thread::spawn(move || fetch(address, "GET", "/metrics", &[]))).collect();
    for _ in 0..2 {
        entries.recv_timeout(lab::TEST_TIMEOUT).unwrap();
    }
    let third = server.get("/metrics");
    assert_eq!((third.status, third.header("retry-after")), (503, "5"));
    assert_eq!(server.get("/-/healthy").status, 200, "health does not wait for scrapes");
    *gate.lock().unwrap() = true;
    for scrape in scrapes {
        assert_eq!(scrape.join().unwrap().status, 200);
    }
    wait_for("a place", || server.get("/metrics").status == 200);
    assert!(server.metric("lab_http_requests_rejected_total", &[("reason", "busy")]) >= 1.0);
}

#[test]
fn the_query_reaches_the_page() {
    let server = Running::start(web(), |server| {
        let page = made(|request: &daemon::ScrapeRequest, out: &mut dyn std::io::Write| {
            write!(out, "{:?}", request.values("collect[]").collect::<Vec<_>>()).map(|()| 0)
        });
        server.page("/metrics", "M", "M.", page)
    });
    assert_eq!(server.get("/metrics?collect[]=cpu&x=1&collect%5B%5D=a%20b").text(), "[\"cpu\", \"a b\"]");
}

#[test]
fn a_connection_serves_many_requests() {
    let server = standard();
    let mut socket = lab::connect(server.address);
    for _ in 0..3 {
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
        let response = lab::receive(&mut socket, false).unwrap();
        assert_eq!((response.status, response.whole), (200, true));
    }
}

#[test]
fn the_landing_page_lists_what_is_served_under_a_strict_policy() {
    let server = standard();
    let page = server.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{:?}", page.headers);
    for part in ["lab", "1.2.3", "/large", "A small page.", "<svg"] {
        assert!(page.text().contains(part), "{part}");
    }
}

#[test]
fn every_format_can_carry_the_telemetry() {
    let server = standard();
    server.telemetry.register(
        "own_things",
        "Things of the program's own",
        &[],
        prometheus_client::metrics::counter::Counter::<u64>::default(),
    );
    server.get("/metrics");
    let exposition = server.telemetry.exposition().unwrap();
    for format in expo::Format::ALL {
        let mut page = Vec::new();
        expo::encode_exposition(&exposition, format, &mut page).unwrap();
        let read = expo::parse(&page, format).unwrap();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "lab_http_requests_total",
            "own_things_total",
        ] {
            assert!(read.family(name).is_some(), "{name} in {format:?}");
        }
        assert_eq!(
            read.value("lab_build_info", &[("program", "lab"), ("version", "1.2.3"), ("revision", "unknown")]),
            Some(1.0)
        );
    }
}

#[test]
fn the_registry_is_declared_as_it_is_shown() {
    let server = standard();
    server.telemetry.register(
        "own_things",
        "Things of the program's own",
        &[],
        prometheus_client::metrics::counter::Counter::<u64>::default(),
    );
    for path in ["/metrics", "/nothing", "/broken"] {
        server.get(path);
    }
    let declared = server.telemetry.families("/metrics");
    let shown = server.telemetry.exposition().unwrap();
    assert!(shown.families.len() > 15, "{}", shown.families.len());
    for family in &shown.families {
        let entry = declared.iter().find(|entry| entry.name == family.name);
        let entry = entry.unwrap_or_else(|| panic!("{} is not declared", family.name));
        assert_eq!((entry.kind.name(), &entry.help), (family.kind.name(), &family.help), "{}", family.name);
        for sample in &family.samples {
            let labels: Vec<&str> =
                sample.labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "le").collect();
            assert_eq!(entry.labels.iter().map(|label| &label.name).collect::<Vec<_>>(), labels, "{}", family.name);
        }
    }
    let own = declared.iter().find(|entry| entry.name == "own_things_total").unwrap();
    assert_eq!((own.endpoint.as_str(), own.help.as_str()), ("/metrics", "Things of the program's own."));
}

#[test]
fn a_browser_gets_errors_as_pages_and_others_as_text() {
    let server = standard();
    let browser = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for (method, path, code) in [("GET", "/nothing", 404), ("POST", "/metrics", 405), ("GET", "/-/reload", 405)] {
        let page = fetch(server.address, method, path, &browser);
        assert_eq!((page.status, page.header("content-type")), (code, "text/html; charset=utf-8"), "{path}");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{:?}", page.headers);
        assert!(page.text().contains(&format!("<h2>{code} ")) && page.text().contains("<a href=\"/\">"), "{path}");
        for accept in ["*/*", "application/openmetrics-text;version=1.0.0,*/*;q=0.1", ""] {
            let plain = fetch(server.address, method, path, &[("Accept", accept)]);
            assert_eq!((plain.status, plain.header("content-type")), (code, "text/plain; charset=utf-8"), "{path}");
            assert!(!plain.text().contains('<'), "{path}");
        }
    }
    assert_eq!(fetch(server.address, "POST", "/metrics", &browser).header("allow"), "GET, HEAD");
    assert_eq!(fetch(server.address, "GET", "/-/healthy", &browser).text(), "ok\n");
    assert_eq!(fetch(server.address, "HEAD", "/nothing", &browser).body.len(), 0);
}

#[test]
fn background_work_that_panics_ends_the_server_with_its_name() {
    let running = Running::start(web(), |server| {
        server.background("lab work", |_| async {
            tokio::task::yield_now().await;
            panic!("as asked for")
        })
    });
    let error = running.finish().unwrap_err();
    assert_eq!(format!("{error:#}"), "lab work: panicked: as asked for");
}
