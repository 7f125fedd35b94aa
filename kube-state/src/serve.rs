//! The servers of an app: which page is where, who may see it, and what runs beside them.

use std::{
    io::{self, Write},
    sync::{Arc, OnceLock},
};

use anyhow::Result;
use daemon::{Page, ScrapeRequest, Server, Telemetry, Written};
use metric::Batch;

use crate::{
    app::{App, Setup},
    flags::Flags,
    guard::Guard,
    page::ObjectsPage,
    program::PROGRAM,
    watch::Pace,
};

/// The page about the program.
struct OwnPage(Arc<App>);

impl Page for OwnPage {
    fn write(&self, request: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        let mut batch = Batch::default();
        self.0.emit(&mut batch);
        let mut encoder = expo::Encoder::default();
        let mut written = encoder.append(&[&batch], request.format, out)?;
        let daemons = self.0.telemetry().exposition().map_err(io::Error::other)?;
        written += encoder.append_exposition(&daemons, request.format, out)?;
        written += encoder.finish(request.format, out)?;
        Ok(Written { series: written.series })
    }
}

/// Both servers of an app: that of the objects, and that of the page about the program.
pub fn servers(app: &Arc<App>) -> (Server, Server) {
    let setup = app.setup();
    let (for_ready, for_landing, for_reload) = (Arc::clone(app), Arc::clone(app), Arc::clone(app));
    let (for_own_ready, for_own_landing) = (Arc::clone(app), Arc::clone(app));
    let objects = Server::new(&PROGRAM, setup.flags.web(), app.telemetry().clone())
        .limits(setup.flags.limits())
        .page("/metrics", "Objects", "The state of the cluster's objects.", ObjectsPage::new(Arc::clone(app)))
        .ready(move || for_ready.ready())
        .landing(move || for_landing.landing())
        .reload(move || for_reload.reload())
        .prepare({
            let app = Arc::clone(app);
            move || Ok(app.connect().map(drop)?)
        })
        .background("watch", {
            let app = Arc::clone(app);
            move |stop| app.watch(stop)
        })
        .background("files", {
            let app = Arc::clone(app);
            move |stop| app.follow_files(stop)
        });
    let own = Server::new(&PROGRAM, setup.flags.telemetry_web(), app.telemetry().clone())
        .page("/metrics", "Telemetry", "What the program says about itself.", OwnPage(Arc::clone(app)))
        .ready(move || for_own_ready.ready())
        .landing(move || for_own_landing.landing());
    let objects = match app.peers().cloned() {
        Some(peers) => {
            let app = Arc::clone(app);
            objects.plain("/peers", "Peers", "Addresses of the cluster with the names behind them.", move |query| {
                peers.answer(query, app.ready(), app.shard().ordinal() == 0)
            })
        }
        None => objects,
    };
    if setup.flags.auth_filter { (guarded(objects, app), guarded(own, app)) } else { (objects, own) }
}

fn guarded(server: Server, app: &Arc<App>) -> Server {
    let guard: OnceLock<Guard> = OnceLock::new();
    let app = Arc::clone(app);
    server.guard(move |path, token| {
        // Until there is a way to the API server nobody can be known.
        let guard = app.api().map(|api| guard.get_or_init(|| Guard::new(api.clone())).clone());
        async move {
            match guard {
                Some(guard) => guard.judge(path, token).await,
                None => Err(503),
            }
        }
    })
}

/// Serves until the process is told to end.
pub fn serve(given: Flags) -> Result<()> {
    let setup = Setup::load(&given)?;
    let app = App::new(given, setup, Telemetry::new(&PROGRAM), Pace::default());
    let (objects, own) = servers(&app);
    objects.beside("telemetry port", own).run()
}
