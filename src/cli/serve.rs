//! Runs a server until a signal ends it.

use crate::{
    config::{Config, Mode},
    failure::Failure,
    server::{self, Account, Ready, Start},
    telemetry::{self, Telemetry},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

/// `greenroom serve`.
pub(super) fn run(config: Config, rust_log: Option<&str>) -> Result<(), Failure> {
    let telemetry = telemetry::init(&config, Mode::Serve, rust_log)?;
    on_runtime(
        telemetry,
        until_stopped(config, Mode::Serve, None, |ready| {
            let Ready { public, internal, provider, model, .. } = ready;
            tracing::info!(%public, %internal, provider, model, "serving");
            Ok(())
        }),
    )
}

/// Runs on a runtime of all cores; what is left after the drain does not hold up the exit.
pub(super) fn on_runtime(
    telemetry: Telemetry,
    future: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    // A second signal means now.
    if !matches!(result, Err(Failure::Interrupted | Failure::Terminated)) {
        telemetry.close();
    }
    result
}

/// Serves until SIGINT or SIGTERM, then drains; a second signal ends it at once.
pub(super) async fn until_stopped(
    config: Config,
    mode: Mode,
    demo: Option<Account>,
    on_ready: impl FnOnce(Ready) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let stop = CancellationToken::new();
    let (ready, is_ready) = oneshot::channel();
    let server = server::serve(config, Start { mode, demo, ready, stop: stop.clone() });
    tokio::pin!(server);
    tokio::select! {
        result = &mut server => return result,
        ready = is_ready => match ready {
            Ok(ready) => on_ready(ready)?,
            Err(_) => return server.await, // it failed before it was ready, and says why
        },
        _ = signals.next() => stop.cancel(),
    }
    if !stop.is_cancelled() {
        tokio::select! {
            result = &mut server => return result,
            _ = signals.next() => stop.cancel(),
        }
    }
    tracing::info!("draining; a second signal ends it at once");
    tokio::select! {
        result = &mut server => result,
        failure = signals.next() => Err(failure),
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::Failed(format!("no signals here: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for either; what the process should exit with if nothing else is to be done.
    async fn next(&mut self) -> Failure {
        tokio::select! {
            _ = self.interrupt.recv() => Failure::Interrupted,
            _ = self.terminate.recv() => Failure::Terminated,
        }
    }
}
