//! A server as small as the protocol allows: the crash test's own test.
//!
//! One file a session, one line an entry, written before anybody is told. It has no limits, no
//! passwords and no speed. `GREENROOM_PLANT` makes it wrong in one way, which the checker must
//! find: see [`plant::Plant`].

mod parser;
mod plant;
mod run;
mod session;
mod socket;

use anyhow::{Context, Result};
use plant::Plant;
use session::Session;
use std::{cell::RefCell, collections::BTreeMap, env, path::PathBuf, rc::Rc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
};

use greenroom_protocol::id::SessionId;

/// All there is.
struct Server {
    folder: PathBuf,
    provider: String,
    plant: Option<Plant>,
    http: reqwest::Client,
    sessions: RefCell<BTreeMap<SessionId, Rc<Session>>>,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(serve()))
}

fn setting(key: &str) -> Result<String> {
    let name = format!("GREENROOM__{key}");
    env::var(&name).with_context(|| format!("set {name}"))
}

async fn serve() -> Result<()> {
    let folder = PathBuf::from(setting("SERVER__DATA_DIR")?);
    std::fs::create_dir_all(&folder)?;
    let server = Rc::new(Server {
        provider: setting("PROVIDERS__STANDIN__BASE_URL")?,
        plant: env::var("GREENROOM_PLANT").ok().map(|name| name.parse()).transpose()?,
        http: reqwest::Client::builder().no_proxy().build()?,
        sessions: RefCell::default(),
        folder,
    });
    session::load_all(&server)?;
    let public = TcpListener::bind(("127.0.0.1", setting("SERVER__PORT")?.parse()?)).await?;
    let internal =
        TcpListener::bind(("127.0.0.1", setting("SERVER__INTERNAL_PORT")?.parse()?)).await?;
    loop {
        let (socket, _) = tokio::select! {
            accepted = public.accept() => accepted?,
            accepted = internal.accept() => accepted?,
        };
        let server = Rc::clone(&server);
        spawn_local(async move {
            let _ = connection(&server, socket).await; // the client sees it
        });
    }
}

/// Tells a WebSocket from a request by its first bytes.
async fn connection(server: &Rc<Server>, mut socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut head = [0; 64];
    let n = socket.peek(&mut head).await?;
    let head = String::from_utf8_lossy(head.get(..n).unwrap_or_default()).into_owned();
    if head.starts_with("GET /ws") {
        return socket::serve(server, socket).await;
    }
    // Whoever registers is who they say: the token is new and means one user.
    let body = format!(r#"{{"access_token":"{}"}}"#, uuid::Uuid::now_v7());
    let mut request = vec![0; 8192];
    let _ = socket.read(&mut request).await?;
    let len = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n{body}"
    );
    socket.write_all(answer.as_bytes()).await?;
    Ok(())
}
