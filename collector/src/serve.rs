//! `serve`: opens everything, says where it listens, runs until told to stop.

use crate::alert::{AlertError, Routes, deliver::Courier, message::Links, queue::Queue};
use crate::config::Config;
use crate::door::{Door, Refused};
use crate::enrol::{Authority, EnrolError, Enrolment, Gate, Peer};
use crate::ingest::{Ingest, Listener, Uncommitted};
use crate::openid::{self, OpenId, ProviderError};
use crate::pages::{CertificateError, Certificates};
use crate::plan::Desk;
use crate::reconcile::Reconciler;
use crate::web::{self, Web};
use crate::{admin, declare, packs, pages};
use model::Instant;
use policy::Policies;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{
    Accounts, Acts, Admission, Alerts, Briefing, Field, Ledgers, Past, Plans, SqliteStore, Store, StoreError,
    Views,
};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Status};

/// Both ends ping an idle connection this often and give it this long to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// Streams of one connection: an agent needs one, and a health check beside it.
const STREAMS: u32 = 8;

type Inventory = proto::v1::inventory_service_server::InventoryServiceServer<Ingest>;

/// How often health is looked at.
const HEALTH: Duration = Duration::from_secs(2);

/// How long open requests may take after a stop before they are cut.
const GRACE: Duration = Duration::from_secs(5);

/// Why the collector cannot start or has to end; `Display` and sources make one line.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another collector has this store.
    #[error("{0} is held by another collector")]
    Locked(String),
    /// The lock file.
    #[error("{path}: cannot be locked")]
    Lock {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Routes of alerts.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// Keys and certificates.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// Our own certificate.
    #[error(transparent)]
    Tls(#[from] proto::tls::TlsError),
    /// Declared elements.
    #[error(transparent)]
    Declare(#[from] declare::DeclareError),
    /// Policies.
    #[error(transparent)]
    Policy(#[from] packs::PacksError),
    /// Knowledge.
    #[error(transparent)]
    Knowledge(#[from] crate::identify::OverlayError),
    /// A tag of the operator that no rule speaks of would bind nobody, in silence.
    #[error("no rule of the loaded policies speaks of {0:?}")]
    Tag(String),
    /// Who else says who people are.
    #[error(transparent)]
    OpenId(#[from] ProviderError),
    /// The first link.
    #[error(transparent)]
    Door(#[from] Refused),
    /// A socket.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Metrics recorder.
    #[error("metrics cannot be installed")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
    /// The gRPC server.
    #[error("the gRPC server ended")]
    Grpc(#[source] tonic::transport::Error),
    /// The certificate of the pages.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS of the pages.
    #[error("TLS of the pages cannot be set up")]
    PagesTls(#[from] rustls::Error),
    /// Reflection data.
    #[error("reflection cannot be served")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// A task that must live died.
    #[error("task {0} died")]
    Died(&'static str),
}

/// Agents whose certificate ran out later than this ago shake hands, so that they can be told; each call then
/// decides by itself, and none but a renewal within the grace is answered.
const LATEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The wall clock, read only at this program's borders.
#[must_use]
pub fn clock() -> Instant {
    Instant::from_datetime(OffsetDateTime::now_utc())
}

/// That every tag of the operator is one some rule speaks of.
///
/// # Errors
/// [`ServeError::Tag`] with the first that is not.
pub fn check_tags(policies: &Policies, tags: &BTreeSet<String>) -> Result<(), ServeError> {
    tags.iter()
        .find(|tag| !policies.knows_tag(tag))
        .map_or(Ok(()), |tag| Err(ServeError::Tag(tag.clone())))
}

/// Jurisdictions of the sites for which the operator declares nothing: their rules bind nobody, and nothing a rule
/// could meet there is ever clear.
#[must_use]
pub fn undeclared(policies: &Policies, config: &Config) -> Vec<String> {
    let jurisdictions = config
        .site
        .iter()
        .flat_map(|site| site.jurisdictions.iter().cloned())
        .collect();
    policies.undeclared(&config.operator.tags, &jurisdictions)
}

/// Holds `STORE.lock` as long as this collector runs: two on one store would each tell half.
fn lock(store: &Path) -> Result<std::fs::File, ServeError> {
    let path = store.with_added_extension("lock");
    let file = std::fs::File::options().create(true).append(true).open(&path);
    let file = file.map_err(|source| ServeError::Lock {
        path: path.display().to_string(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ServeError::Locked(path.display().to_string())),
        Err(std::fs::TryLockError::Error(source)) => Err(ServeError::Lock {
            path: path.display().to_string(),
            source,
        }),
    }
}

/// Opens the authority, or makes it.
///
/// # Errors
/// [`EnrolError`] naming the file.
pub fn authority(config: &Config) -> Result<Authority, EnrolError> {
    let identity = &config.identity;
    Authority::open(
        &identity.folder,
        identity.agent_certificate_lifetime,
        OffsetDateTime::now_utc(),
    )
}

/// For services that strangers have no use for, nor those whose certificate has run out.
fn certified(request: Request<()>) -> Result<Request<()>, Status> {
    match Peer::of(&request)?.not_after < clock() {
        true => Err(Status::permission_denied("the certificate has run out")),
        false => Ok(request),
    }
}

/// Runs by a wall clock until `stop`. `ready` is called once with the bound gRPC and HTTP addresses.
///
/// # Errors
/// [`ServeError`] when something cannot be opened or a task that must live dies.
pub async fn serve(
    config: Config,
    clock: fn() -> Instant,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr, SocketAddr),
) -> Result<(), ServeError> {
    let knowledge = crate::identify::knowledge(config.knowledge.folder.as_deref())?;
    let policies = Arc::new(packs::open(&config.policy)?);
    check_tags(&policies, &config.operator.tags)?;
    let undeclared = undeclared(&policies, &config);
    if !undeclared.is_empty() {
        tracing::warn!(
            policy.jurisdictions = undeclared.join(" "),
            "operator declares no tag for these jurisdictions"
        );
    }
    let declarations = config
        .operator
        .elements
        .as_deref()
        .map(declare::read)
        .transpose()?
        .unwrap_or_default();
    let on_file = Arc::new(declare::on_file::read(&config.operator, &policies)?);
    let authority = authority(&config)?;
    let bundle = proto::tls::Bundle::from_pem(authority.collector_bundle(OffsetDateTime::now_utc())?);
    let _only_us = lock(&config.store.path)?;
    let store = Arc::new(SqliteStore::open(&config.store.path).await?);
    store.declare(&config.site, &declarations, clock()).await?;
    store.declare_on_file(&on_file, clock()).await?;

    let refused = |address| move |source| ServeError::Listen { address, source };
    let listener = Listener::bind(config.grpc.listen, bundle.server_within(LATEST)?)
        .await
        .map_err(refused(config.grpc.listen))?;
    let grpc = listener.address().map_err(refused(config.grpc.listen))?;
    let certificates = config
        .http
        .certificate(&config.identity.folder)
        .map(|source| Certificates::open(source, OffsetDateTime::now_utc()).map(Arc::new))
        .transpose()?;
    let tls = certificates.clone().map(Certificates::server).transpose()?;
    let browsers = tokio::net::TcpListener::bind(config.http.listen)
        .await
        .map_err(refused(config.http.listen))?;
    let http = browsers.local_addr().map_err(refused(config.http.listen))?;
    let handle = admin::metrics().map_err(ServeError::Metrics)?;

    let routes = Arc::new(Routes::open(&config.route, Links(config.http.link(http, "")))?);
    let dropped = store.declare_routes(&routes.names(), clock()).await?;
    if dropped > 0 {
        tracing::warn!(
            alerts = dropped,
            "alerts of routes that are declared no more are dropped"
        );
    }
    let shared: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
    let uncommitted = Uncommitted::default();
    let reconciler = Reconciler {
        store: Arc::clone(&shared),
        units: Arc::clone(&store) as Arc<dyn store::Units>,
        knowledge,
        policies: Arc::clone(&policies),
        operator_tags: config.operator.tags.clone(),
        operator: config.operator.name.clone(),
        on_file: Arc::clone(&on_file),
        clock,
        uncommitted: uncommitted.clone(),
    };
    let door = Door::new(
        Arc::clone(&store) as Arc<dyn Accounts>,
        clock,
        config.access.times(),
    );
    let door = door.map_err(Refused::from)?;
    let door = Arc::new(door.with_second(
        config.identity.folder.clone(),
        config.access.second_factor.clone(),
    ));
    if let Some(secret) = door.first_link().await? {
        // Beside the log: the one place for a secret that opens the door once.
        eprintln!(
            "marque-collector: there is no account yet; open this link once, within a day, to make the first:\n  {}",
            config
                .http
                .link(http, &format!("/set-up?token={}", secret.reveal()))
        );
    }
    let openid = match &config.openid {
        Some(asked) => {
            let openid = OpenId::open(asked, config.http.link(http, openid::DONE))?;
            tracing::info!(
                openid.redirect = openid.redirect(),
                "people may come by OpenID Connect"
            );
            Some(Arc::new(openid))
        }
        None => None,
    };
    let web = Web {
        store: Arc::clone(&shared),
        past: Arc::clone(&store) as Arc<dyn Past>,
        ledgers: Arc::clone(&store) as Arc<dyn Ledgers>,
        knowledge,
        assured: packs::Assured::of(&config.policy),
        briefing: Arc::clone(&store) as Arc<dyn Briefing>,
        acts: Arc::clone(&store) as Arc<dyn Acts>,
        field: Arc::clone(&store) as Arc<dyn Field>,
        admission: Arc::clone(&store) as Arc<dyn Admission>,
        authority: authority.fingerprint(),
        views: Arc::clone(&store) as Arc<dyn Views>,
        alerts: Arc::clone(&store) as Arc<dyn Alerts>,
        routes: Arc::clone(&routes),
        operator: config.operator.name.clone(),
        operator_tags: config.operator.tags.clone(),
        policies,
        on_file,
        zones: Arc::new(config.http.zones.clone()),
        knowledge_version: knowledge.version().to_owned(),
        uncommitted: uncommitted.clone(),
        clock,
        loopback_only: http.ip().is_loopback(),
        secure: certificates.is_some(),
        strict: certificates
            .as_ref()
            .is_some_and(|certificates| certificates.is_own()),
        door: Arc::clone(&door),
        openid,
        shutdown: stop.clone(),
        metrics: Some(handle.clone()),
    };

    let admission = Arc::clone(&store) as Arc<dyn Admission>;
    let gate = Gate::new(Arc::clone(&admission), clock).with_grace(config.identity.renewal_grace);
    let desk = Desk::new(Arc::clone(&store) as Arc<dyn Plans>, clock);

    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(ServeError::Reflection)?;
    let unpublished = uncommitted.clone();
    let grpc_server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .max_concurrent_streams(STREAMS)
        .add_service(Ingest::server(
            Arc::clone(&shared),
            gate.clone(),
            desk.clone(),
            clock,
            uncommitted,
            stop.clone(),
        ))
        .add_service(Enrolment::server(authority, admission, gate.clone(), clock))
        .add_service(InterceptedService::new(health_service, certified))
        .add_service(InterceptedService::new(reflection, certified))
        .serve_with_incoming_shutdown(listener.accept(stop.clone()), stop.clone().cancelled_owned());

    let mut tasks = tokio::task::JoinSet::new();
    let until = stop.clone();
    tasks.spawn(async move { (("grpc"), grpc_server.await.map_err(ServeError::Grpc)) });
    // Answers that are on their way at a stop are still noted: the diary ends behind them.
    let closed = CancellationToken::new();
    let closing = closed.clone().drop_guard();
    tasks.spawn(async move {
        pages::serve(browsers, tls, web::router(web), until).await;
        drop(closing);
        ("http", Ok(()))
    });
    let until = stop.clone();
    tasks.spawn(async move {
        match certificates {
            Some(certificates) => certificates.watch(clock, until).await,
            None => until.cancelled().await,
        }
        ("the certificate of the pages", Ok(()))
    });
    tasks.spawn(async move {
        door.diary.keep(closed).await;
        ("the audit log", Ok(()))
    });
    let until = stop.clone();
    tasks.spawn(async move {
        reconciler.run(until).await;
        ("reconcile", Ok(()))
    });
    let queued = tokio::sync::watch::Sender::new(0);
    for route in routes.iter() {
        let courier = Courier {
            alerts: Arc::clone(&store) as Arc<dyn Alerts>,
            route: Arc::clone(route),
            clock,
            queued: queued.subscribe(),
        };
        let until = stop.clone();
        tasks.spawn(async move {
            courier.run(until).await;
            ("alerts of a route", Ok(()))
        });
    }
    let queue = Queue {
        store: Arc::clone(&shared),
        alerts: Arc::clone(&store) as Arc<dyn Alerts>,
        accounts: Arc::clone(&store) as Arc<dyn Accounts>,
        routes,
        clock,
        queued,
    };
    let until = stop.clone();
    tasks.spawn(async move {
        queue.run(until).await;
        ("alerts", Ok(()))
    });
    let (gauged, until) = (Arc::clone(&shared), stop.clone());
    tasks.spawn(async move {
        admin::publish(gauged, clock, handle, until).await;
        ("metrics", Ok(()))
    });

    health.set_serving::<Inventory>().await;
    let (watched, until) = (Arc::clone(&shared), stop.clone());
    tasks.spawn(async move {
        tell_health(watched, health, until).await;
        ("health", Ok(()))
    });

    let until = stop.clone();
    tasks.spawn(async move {
        gate.watch(until).await;
        ("revocation", Ok(()))
    });
    let until = stop.clone();
    tasks.spawn(async move {
        unpublished.publish(until).await;
        ("the age of what is uncommitted", Ok(()))
    });
    let until = stop.clone();
    tasks.spawn(async move {
        desk.watch(until).await;
        ("plans", Ok(()))
    });

    ready(grpc, http);
    tracing::info!(grpc.address = %grpc, http.address = %http, "collector serves");
    let outcome = supervise(&mut tasks, &stop).await;
    stop.cancel();
    let _ = tokio::time::timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
    store.close().await;
    outcome
}

/// Tells gRPC health checks whether reports can be stored.
async fn tell_health(
    store: Arc<dyn Store>,
    health: tonic_health::server::HealthReporter,
    stop: CancellationToken,
) {
    loop {
        if store.takes_writes() {
            health.set_serving::<Inventory>().await;
        } else {
            health.set_not_serving::<Inventory>().await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HEALTH) => {}
        }
    }
}

/// Waits for the stop; any task that ends before it ends the program, by name.
async fn supervise(
    tasks: &mut tokio::task::JoinSet<(&'static str, Result<(), ServeError>)>,
    stop: &CancellationToken,
) -> Result<(), ServeError> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = tasks.join_next() => match ended {
            Some(Ok((_, Err(error)))) => Err(error),
            Some(Ok((name, Ok(())))) if !stop.is_cancelled() => Err(ServeError::Died(name)),
            Some(Err(fault)) => {
                tracing::error!(error = %fault, "task panicked");
                Err(ServeError::Died("that panicked"))
            }
            _ => Ok(()),
        },
    }
}
