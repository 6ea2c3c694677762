use super::*;
use crate::llm;
use crate::llm::demo::DemoConfig;
use greenroom_actors::{CreditTerms, HubTerms};
use std::io::Write;

const SECRET: &str = "0123456789abcdefghijklmnopqrstuv";

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    load(&Sources { environment: variables(pairs), ..Sources::default() }, Mode::Dev)
}

fn from_file(text: &str) -> Result<Loaded, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    load(&Sources { file: Some(file.path().into()), ..Sources::default() }, Mode::Dev)
}

fn flag(key: &str, value: &str) -> Flag {
    Flag { name: "--set".into(), key: key.into(), value: value.into() }
}

fn origin<'a>(loaded: &'a Loaded, key: &str) -> &'a str {
    &loaded.values.iter().find(|value| value.key == key).unwrap().origin
}

fn only_problem(result: Result<Loaded, ConfigError>) -> Problem {
    let mut problems = result.expect_err("it should be refused").0;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn the_default_file_says_what_the_types_default_to() {
    let mut parsed: toml::Table = toml::from_str(spec::DEFAULT_TOML).unwrap();
    assert!(parsed.remove("providers").is_some());
    let parsed: Config = parsed.try_into().unwrap();
    assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    // An engine of its own, as tests have it, knows no prices.
    let credits = CreditsConfig::default().engine();
    assert_eq!(credits.as_ref().unwrap().terms, CreditTerms::default());
    let engine = EngineConfig { credits, ..EngineConfig::default() };
    assert_eq!(format!("{:?}", Config::default().engine()), format!("{engine:?}"));
}

#[test]
fn the_default_file_says_what_a_providers_table_defaults_to() {
    let default = |key: &str| spec::find(&format!("providers.x.{key}")).unwrap().default.as_str();
    let model = llm::ProviderConfig::new(llm::ProviderKind::Openai).timeouts;
    let millis = |duration: Duration| duration.as_millis().to_string();
    assert_eq!(default("timeouts.connect_ms"), millis(model.connect));
    assert_eq!(default("timeouts.first_content_ms"), millis(model.first_content));
    assert_eq!(default("timeouts.stall_ms"), millis(model.stall));
    assert_eq!(default("timeouts.idle_ms"), millis(model.idle));
    assert_eq!(default("max_tokens"), llm::MAX_TOKENS_DEFAULT.to_string());
    let demo = DemoConfig::default();
    assert_eq!(default("tokens_per_second"), demo.tokens_per_second.to_string());
    assert_eq!(default("first_token_ms"), demo.first_token_ms.to_string());
}

#[test]
fn every_field_is_in_the_default_file() {
    let debug = format!("{:?}", (Config::default(), DemoConfig::default()));
    let keys: Vec<_> = spec::keys().iter().flat_map(|key| key.name.split('.')).collect();
    let mut fields = 0;
    for field in debug.split([' ', '(', '{']).filter_map(|word| word.strip_suffix(':')) {
        assert!(keys.contains(&field) || field == "providers", "{field} is not documented");
        fields += 1;
    }
    assert!(fields > 50, "{fields} fields were looked at");
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[server]\nport = 1\ninternal_port = 2\n[runs]\ntimeout_secs = 33\n").unwrap();
    let path = file.path().display().to_string();
    let loaded = load(
        &Sources {
            file: Some(file.path().into()),
            environment: variables(&[
                ("GREENROOM__SERVER__PORT", "11"),
                ("GREENROOM__SERVER__INTERNAL_PORT", "12"),
            ]),
            flags: vec![flag("server.port", "21")],
        },
        Mode::Dev,
    )
    .unwrap();

    let server = &loaded.config.server;
    assert_eq!((server.port, server.internal_port), (21, 12));
    assert_eq!(loaded.config.runs.timeout_secs, 33);
    assert_eq!(loaded.config.runs.drain_secs, 10);
    assert_eq!(origin(&loaded, "server.port"), "flag --set");
    assert_eq!(
        origin(&loaded, "server.internal_port"),
        "variable GREENROOM__SERVER__INTERNAL_PORT"
    );
    assert_eq!(origin(&loaded, "runs.timeout_secs"), format!("{path}:5"));
    assert_eq!(origin(&loaded, "runs.drain_secs"), "default");
}

#[test]
fn an_unknown_key_is_refused_with_its_source_and_the_fix() {
    let problem = only_problem(from_file("[server]\n\nprot = 1\n"));
    assert_eq!(problem.key, "server.prot");
    assert!(problem.origin.ends_with(":3"), "{}", problem.origin);
    assert_eq!(problem.fix, "did you mean server.port?");

    let problem = only_problem(from_environment(&[("GREENROOM__SERVER__PROT", "1")]));
    assert_eq!(problem.key, "server.prot");
    assert_eq!(problem.origin, "variable GREENROOM__SERVER__PROT");

    let problem = only_problem(from_file("nonsense = 1\n"));
    assert_eq!(problem.key, "nonsense");
    let problem = only_problem(from_file("[providers.groq]\nmodle = \"x\"\n"));
    assert_eq!(problem.key, "providers.groq.modle");
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = from_file("[server]\nprot = 1\nhost = 5\n[session]\nwindow = 3\n").unwrap_err();
    assert_eq!(error.0.len(), 3, "{error}");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_without_showing_it() {
    let problem = only_problem(from_environment(&[("GREENROOM__SERVER__PORT", "secret!")]));
    assert!(problem.to_string().contains("write a whole number, such as 8000"), "{problem}");
    assert!(!problem.to_string().contains("secret!"));
    let problem = only_problem(from_file("[gateway]\nallowed_origins = \"yes\"\n"));
    assert_eq!(problem.fix, "write a list of texts, such as []");
}

#[test]
fn a_number_outside_its_field_is_refused_with_its_source() {
    let problem = only_problem(from_environment(&[("GREENROOM__SERVER__PORT", "70000")]));
    assert_eq!(problem.key, "server.port");
    assert_eq!(problem.origin, "variable GREENROOM__SERVER__PORT");
    let problem = only_problem(from_environment(&[("GREENROOM__SESSION__WINDOW_MAX_MS", "9999")]));
    assert_eq!(problem.origin, "variable GREENROOM__SESSION__WINDOW_MAX_MS");
    assert!(problem.what.contains("9999"), "{problem}");
}

#[test]
fn an_unknown_choice_is_refused_with_its_source() {
    let problem = only_problem(from_environment(&[("GREENROOM__LOG__FORMAT", "xml")]));
    assert_eq!(problem.key, "log.format");
    assert_eq!(problem.origin, "variable GREENROOM__LOG__FORMAT");
    assert!(problem.what.contains("xml"), "{problem}");
    let problem = only_problem(from_environment(&[("GREENROOM__LOG__LEVEL", "loud")]));
    assert_eq!(problem.key, "log.level");
    let kind = [("GREENROOM__PROVIDERS__MINE__KIND", "mine")];
    let problem = only_problem(from_environment(&kind));
    assert_eq!(problem.key, "providers.mine.kind");
    assert_eq!(problem.origin, "variable GREENROOM__PROVIDERS__MINE__KIND", "{problem}");
}

#[test]
fn settings_of_the_gateway_are_checked_with_their_source() {
    for (name, value, key) in [
        ("ALLOWED_ORIGINS", "*", "gateway.allowed_origins"),
        ("TRUSTED_PROXIES", "proxy", "gateway.trusted_proxies"),
        ("HEADERS_MAX", "1", "gateway.headers_max"),
        ("WEBSOCKET__READ_BUFFER_BYTES", "1", "gateway.websocket.read_buffer_bytes"),
    ] {
        let name = format!("GREENROOM__GATEWAY__{name}");
        let problem = only_problem(from_environment(&[(&name, value)]));
        assert_eq!(problem.key, key);
        assert_eq!(problem.origin, format!("variable {name}"));
    }
}

#[test]
fn how_runs_are_planned_reaches_the_engine() {
    let text = "[hub]\nplan = true\nauto_approve = 2500000\nmodel = \"small\"\n";
    let terms = from_file(text).unwrap().config.engine().hub;
    let model = Some("small".to_owned());
    assert_eq!(terms, HubTerms { plan: true, auto_approve: 2_500_000, model });
    assert_eq!(Config::default().engine().hub.model, None);
    for (text, key) in [
        ("[hub]\nauto_approve = 9223372036854775807\n", "hub.auto_approve"),
        ("[hub]\nmodel = \" small\"\n", "hub.model"),
    ] {
        assert_eq!(only_problem(from_file(text)).key, key);
    }
}

#[test]
fn broken_toml_names_the_line() {
    let problem = only_problem(from_file("[server]\nport = = 1\n"));
    assert!(problem.origin.ends_with(":2"), "{problem}");
}

#[test]
fn a_missing_file_is_refused() {
    let sources = Sources { file: Some("/nowhere/greenroom.toml".into()), ..Sources::default() };
    let problem = only_problem(load(&sources, Mode::Dev));
    assert_eq!(problem.origin, "/nowhere/greenroom.toml");
}

fn names(config: &Config) -> Vec<&str> {
    config.providers.iter().map(ProviderConfig::name).collect()
}

fn model<'a>(config: &'a Config, name: &str) -> &'a llm::ProviderConfig {
    let found = config.providers.iter().find(|provider| provider.name() == name);
    let Some(ProviderConfig::Model(model)) = found else { panic!("no model {name}") };
    model
}

#[test]
fn the_names_of_other_programs_are_understood() {
    let loaded = from_environment(&[
        ("SECRET_KEY", "loses-against-the-jwt-secret-key-below"),
        ("JWT_SECRET_KEY", SECRET),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "30"),
        ("CORS_ORIGINS", r#"["https://a.example", "https://b.example"]"#),
        ("DEBUG", "true"),
        ("LOG_LEVEL", "WARNING"),
        ("GROQ_API_KEYS", "one, two,,"),
        ("CEREBRAS_MODEL", "not without its key"),
        ("OLLAMA_BASE_URL", "http://localhost:11434/"),
        ("OLLAMA_MODEL", "mine"),
    ])
    .unwrap();
    let config = &loaded.config;
    assert_eq!(config.auth.access_secs, 1800);
    assert_eq!(config.gateway.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.log.level, "warn");
    assert_eq!(names(config), ["groq", "ollama"]);
    let keys = model(config, "groq").resolve().unwrap().keys;
    let keys: Vec<_> = keys.iter().map(|key| key.secret.expose()).collect();
    assert_eq!(keys, ["one", "two"]);
    let ollama = model(config, "ollama").resolve().unwrap();
    assert_eq!(ollama.base_url, "http://localhost:11434/v1");
    assert_eq!(ollama.model, "mine");
    assert_eq!(origin(&loaded, "auth.jwt_secret"), "variable JWT_SECRET_KEY");
}

#[test]
fn a_key_for_another_server_never_goes_to_openai() {
    let variables = [
        ("OPENAI_API_KEY", "k"),
        ("OPENAI_BASE_URL", "http://localhost:9/v1"),
        ("OPENAI_MODEL", "m"),
    ];
    let config = from_environment(&variables).unwrap().config;
    assert_eq!(names(&config), ["custom"]);
    let custom = model(&config, "custom").resolve().unwrap();
    assert_eq!((custom.base_url.as_str(), custom.model.as_str()), ("http://localhost:9/v1", "m"));
    assert_eq!(custom.keys[0].secret.expose(), "k");
}

#[test]
fn our_own_names_win_over_other_programs_and_empty_ones_count_as_unset() {
    let loaded = from_environment(&[
        ("GREENROOM__LOG__LEVEL", "error"),
        ("LOG_LEVEL", "debug"),
        ("GREENROOM__SERVER__PORT", ""),
        ("DEBUG", "express:*"),
    ])
    .unwrap();
    assert_eq!(loaded.config.log.level, "error");
    assert_eq!(loaded.config.server.port, 8000);
}

#[test]
fn a_secret_is_read_from_a_file_and_never_shown() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{SECRET}").unwrap();
    let path = file.path().display().to_string();
    let key = "gsk_do-not-show";
    let loaded = from_environment(&[
        ("GREENROOM__AUTH__JWT_SECRET_FILE", &path),
        ("GREENROOM__PROVIDERS__GROQ__API_KEY", key),
    ])
    .unwrap();

    assert!(loaded.config.auth.jwt_secret.is_some());
    let printed = report::values(&loaded.values) + &report::values_json(&loaded.values).to_string();
    for text in [printed.as_str(), &format!("{:?}", loaded.config), &format!("{loaded:?}")] {
        assert!(!text.contains(SECRET) && !text.contains(key), "{text}");
    }
    assert!(printed.contains(r#"auth.jwt_secret"#) && printed.contains(&path), "{printed}");
}

#[test]
fn a_secret_given_twice_or_unreadable_is_refused() {
    let both = from_environment(&[
        ("GREENROOM__AUTH__JWT_SECRET_FILE", "/nowhere/secret"),
        ("GREENROOM__AUTH__JWT_SECRET", SECRET),
    ]);
    assert!(only_problem(both).what.contains("without _FILE"));
    let missing = from_environment(&[("JWT_SECRET_KEY_FILE", "/nowhere/secret")]);
    let problem = only_problem(missing);
    assert_eq!(problem.key, "auth.jwt_secret");
    assert!(problem.origin.contains("/nowhere/secret"), "{problem}");
}

#[test]
fn production_needs_a_provider_and_says_how_to_name_one() {
    let problem = only_problem(load(&Sources::default(), Mode::Serve));
    assert_eq!(problem.key, "providers");
    assert!(problem.fix.contains("GROQ_API_KEYS"), "{problem}");

    let environment = variables(&[("GREENROOM__RUNS__PROVIDER", "demo")]);
    let loaded = load(&Sources { environment, ..Sources::default() }, Mode::Serve).unwrap();
    assert_eq!(names(&loaded.config), ["demo"]);
}

#[test]
fn the_chosen_provider_comes_first_and_development_falls_back_to_the_demo() {
    let keys = [("GROQ_API_KEYS", "a"), ("OPENAI_API_KEY", "b")];
    let with = |choice| {
        let choice = ("GREENROOM__RUNS__PROVIDER", choice);
        from_environment(&[keys[0], keys[1], choice])
    };
    assert_eq!(names(&from_environment(&keys).unwrap().config), ["openai", "groq"]);
    assert_eq!(names(&with("groq").unwrap().config), ["groq", "openai"]);
    assert_eq!(names(&with("demo").unwrap().config), ["demo", "openai", "groq"]);
    assert!(only_problem(with("gorq")).fix.contains("openai, groq"));
    assert_eq!(names(&from_environment(&[]).unwrap().config), ["demo"]);
}

#[test]
fn a_table_of_a_provider_is_checked() {
    let problem = only_problem(from_file("[providers.mine]\nmodel = \"m\"\n"));
    assert_eq!(problem.key, "providers.mine.base_url");
    let text = "[providers.mine]\nbase_url = \"http://h/v1\"\nmodel = \"m\"\n\
                [providers.mine.headers]\napi-key = \"hidden-value\"\n\
                [providers.mine.timeouts]\nstall_ms = 5\n";
    let loaded = from_file(text).unwrap();
    let mine = model(&loaded.config, "mine");
    assert_eq!(mine.timeouts.stall.as_millis(), 5);
    assert_eq!(mine.headers["api-key"].expose(), "hidden-value");
    assert!(!report::values(&loaded.values).contains("hidden-value"));

    let loaded = from_file("[providers.demo]\ntokens_per_second = 0\n").unwrap();
    let fast = DemoConfig { tokens_per_second: 0, ..DemoConfig::default() };
    assert_eq!(loaded.config.providers, [ProviderConfig::Demo(fast)]);
}

#[test]
fn the_reference_lists_every_key_and_every_alias() {
    let text = report::markdown();
    for key in spec::keys() {
        assert!(text.contains(&format!("`{}`", key.variable())), "{} is missing", key.name);
    }
    for source::Alias { name, key, .. } in source::ALIASES {
        assert!(text.contains(&format!("| `{name}` |")), "{name} is missing");
        assert!(spec::find(key).is_some(), "{name} stands for {key}, which does not exist");
    }
}
