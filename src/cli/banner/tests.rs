use super::*;
use greenroom_protocol::frame::decode;
use std::process::Command;

const ACCESS: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln-_";

fn printed(data_dir: &str) -> String {
    printed_with("it's", data_dir)
}

fn printed_with(password: &str, data_dir: &str) -> String {
    let ready = Ready {
        public: "127.0.0.1:8000".parse().unwrap(),
        internal: "0.0.0.0:8001".parse().unwrap(),
        provider: "demo".into(),
        model: "demo-1".into(),
        stand_in: true,
        tokens: None,
    };
    let saved = Saved {
        url: "http://127.0.0.1:8000".into(),
        email: "demo@localhost".into(),
        password: password.into(),
        access_token: ACCESS.into(),
        refresh_token: "rt_1".into(),
        ..Saved::default()
    };
    text(&Facts {
        program: "./greenroom",
        data_dir: Path::new(data_dir),
        ready: &ready,
        saved: &saved,
        session: Uuid::from_u128(1),
        create: Uuid::from_u128(2),
        start: Uuid::from_u128(3),
    })
}

/// Runs printed shell lines with stand-ins for curl and websocat, and gives what those were told.
fn shell(lines: &str) -> String {
    let script = format!(
        "sleep() {{ :; }}\ncurl() {{ printf 'arg:%s\\n' \"$@\"; }}\n\
         websocat() {{ printf 'arg:%s\\n' \"$@\"; cat; }}\n{lines}"
    );
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The indented lines of the printed text from the one that starts so.
fn pasted(text: &str, from: &str) -> String {
    let at = text.find(from).unwrap_or_else(|| panic!("{from} is not printed"));
    text[at..].to_owned()
}

#[test]
fn the_address_of_the_console_is_printed() {
    assert!(printed(".greenroom").contains("Console    http://127.0.0.1:8000/console "));
}

#[test]
fn the_websocat_line_sends_frames_that_the_server_takes() {
    let text = printed(".greenroom");
    let token = pasted(&text, "TOKEN=").lines().next().unwrap().to_owned();
    let told = shell(&format!("{token}\n{}", pasted(&text, "(printf")));

    let (args, lines): (Vec<_>, Vec<_>) = told.lines().partition(|line| line.starts_with("arg:"));
    assert_eq!(args, ["arg:--protocol", "arg:greenroom.v1.json", "arg:ws://127.0.0.1:8000/ws"]);
    let frames: Vec<_> =
        lines.iter().map(|line| decode(line.as_bytes()).unwrap().remove(0)).collect();
    let [
        ClientFrame::Hello(hello),
        ClientFrame::Call(create),
        ClientFrame::Attach(attach),
        ClientFrame::Call(start),
    ] = frames.as_slice()
    else {
        panic!("other frames: {frames:?}");
    };
    assert_eq!(hello.token.as_deref(), Some(ACCESS));
    assert_eq!(create.session, Some(attach.session));
    for call in [create, start] {
        greenroom_protocol::method::Method::from_call(call).unwrap();
    }
}

#[test]
fn the_curl_lines_survive_the_shell() {
    let text = printed(".greenroom");
    let lines = pasted(&text, "TOKEN=");
    let lines = lines.split("\n\n").next().unwrap();
    let told = shell(lines);
    assert!(told.contains(r#"arg:{"email":"demo@localhost","password":"it's"}"#), "{told}");
    assert!(told.contains(r#"arg:{"refresh_token":"rt_1"}"#), "{told}");
    assert!(told.contains(&format!("arg:authorization: Bearer {ACCESS}\n")), "{told}");
}

#[test]
fn the_line_for_the_client_names_the_data_folder_unless_it_is_the_usual_one() {
    let generate = |data_dir| {
        let text = printed(data_dir);
        text.lines().find(|line| line.contains("client generate")).unwrap().trim().to_owned()
    };
    let usual = format!("./greenroom client generate \"{PROMPT}\" --out todo");
    assert_eq!(generate(".greenroom"), usual);
    assert_eq!(generate("/tmp/my data"), format!("{usual} --data-dir '/tmp/my data'"));
}

#[test]
fn internal_addresses_are_printed_as_they_can_be_reached() {
    assert!(printed("x").contains("http://127.0.0.1:8001/readyz"));
}

#[test]
fn without_the_password_no_line_pretends_to_know_it() {
    let text = printed_with("", "x");
    assert!(!text.contains("auth/login") && !text.contains("auth/refresh"), "{text}");
    assert!(shell(pasted(&text, "TOKEN=").split("\n\n").next().unwrap()).contains(ACCESS));
}
