//! Whether a port can be listened on.

use super::Finding;
use std::{
    io::ErrorKind,
    net::{TcpListener, ToSocketAddrs as _},
};

/// Tries to listen, for a moment.
pub(super) fn examine(name: &str, host: &str, port: u16) -> Finding {
    let subject = format!("{name} port {port}");
    if port == 0 {
        return Finding::ok(subject, "the system chooses one at the start");
    }
    // The configuration holds addresses and `localhost` only: no name server is asked.
    let listened = (host, port)
        .to_socket_addrs()
        .and_then(|addresses| TcpListener::bind(addresses.collect::<Vec<_>>().as_slice()));
    match listened {
        Ok(_) => Finding::ok(subject, format!("free on {host}")),
        Err(error) => judge(subject, host, error.kind()),
    }
}

fn judge(subject: String, host: &str, error: ErrorKind) -> Finding {
    if error == ErrorKind::AddrInUse {
        let fix = "fine if it is this server, which runs already; else stop the other, or choose \
                   another port";
        return Finding::warning(subject, format!("in use on {host}"), fix);
    }
    let (found, fix) = if error == ErrorKind::PermissionDenied {
        let fix = "choose a port above 1023, or grant CAP_NET_BIND_SERVICE";
        ("this user may not listen on it".to_owned(), fix)
    } else if error == ErrorKind::AddrNotAvailable {
        let fix = "set server.host and server.internal_host to one that is, such as 127.0.0.1";
        (format!("{host} is no address of this machine"), fix)
    } else {
        (error.to_string(), "choose another address or port")
    };
    Finding::failed(subject, found, fix)
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn a_port_is_free_or_says_why_not() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let finding = examine("public", "127.0.0.1", port);
        assert_eq!(finding.state, State::Warning);
        assert!(finding.found.contains("in use"), "{finding:?}");
        drop(taken);
        assert_eq!(examine("public", "127.0.0.1", port).state, State::Ok);
        assert_eq!(examine("public", "192.0.2.1", port).state, State::Failed);
        assert_eq!(examine("public", "127.0.0.1", 0).state, State::Ok);
    }
}
