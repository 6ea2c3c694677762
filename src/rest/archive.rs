//! ZIP archives, written while they are sent: memory holds one file at a time.

use super::{
    Leaving, Response,
    streamed::{Gone, Outlet, streamed},
};
use crate::utc::Utc;
use bytes::Bytes;
use greenroom_actors::Tree;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::spawn_blocking;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// Rights of every file in the archive: there are no programs.
const MODE: u32 = 0o644;

/// Why an archive is not whole.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// The client left, or takes nothing.
    #[error("the client left")]
    Gone,
    /// A file was not read.
    #[error("a file was not read: {0}")]
    Read(String),
    /// The archive was not written.
    #[error("the archive was not written")]
    Zip(#[from] zip::result::ZipError),
    /// Compressing ended early.
    #[error("compressing ended early")]
    Task(#[from] tokio::task::JoinError),
}

impl From<Gone> for Broken {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// What the archive's writer wrote and nobody has sent yet.
#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

/// Answers with all files of a commit. The same commit gives the same bytes: files are in order of
/// their paths, and their time is the commit's.
pub(super) fn zip(tree: Tree, leaving: Leaving) -> Response {
    streamed("application/zip", leaving, |outlet| async move {
        if let Err(error) = write(&tree, &outlet).await
            && !matches!(error, Broken::Gone)
        {
            tracing::warn!(%error, commit = %tree.commit(), "an archive broke off");
            outlet.break_off().await;
        }
    })
}

async fn write(tree: &Tree, outlet: &Outlet) -> Result<(), Broken> {
    let written = Written::default();
    let mut archive = ZipWriter::new_stream(written.clone());
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(time(tree.time_secs()))
        .unix_permissions(MODE);
    for (path, oid) in tree.files() {
        let contents = tree.read(*oid).await.map_err(|error| Broken::Read(error.message.into()))?;
        let path = path.clone();
        let compressing = spawn_blocking(move || {
            archive.start_file(path, options)?;
            archive.write_all(&contents)?;
            Ok::<_, zip::result::ZipError>(archive)
        });
        archive = compressing.await??;
        outlet.send(written.take()).await?;
    }
    archive.finish()?;
    outlet.send(written.take()).await?;
    Ok(())
}

/// A time as archives have it, from 1980 on.
fn time(secs: u64) -> DateTime {
    let at = Utc::of_ms(secs.saturating_mul(1000));
    let small = |n: u64| u8::try_from(n).unwrap_or(1);
    let time = DateTime::from_date_and_time(
        u16::try_from(at.year).unwrap_or(u16::MAX),
        small(at.month),
        small(at.day),
        small(at.hour),
        small(at.minute),
        small(at.second),
    );
    time.unwrap_or_default()
}
