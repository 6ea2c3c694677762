use super::{
    super::{Meter, OpenAi},
    *,
};

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let cases = [
        (
            ProviderKind::Openai,
            None,
            "provider openai: api_key is not set; set it, or OPENAI_API_KEY in the environment",
        ),
        (
            ProviderKind::Custom,
            None,
            "provider custom: base_url is not set; set it to the server's API, such as http://host/v1",
        ),
        (
            ProviderKind::Custom,
            Some("http://x/v1"),
            "provider custom: model is not set; set it to the model that the server offers",
        ),
    ];

    for (kind, base_url, expected) in cases {
        let config =
            ProviderConfig { base_url: base_url.map(str::to_owned), ..ProviderConfig::new(kind) };
        assert_eq!(config.resolve().unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_configuration_is_read_and_unknown_keys_are_refused() {
    let config: ProviderConfig = toml::from_str(
        r#"
        kind = "custom"
        name = "vllm"
        base_url = "http://10.0.0.5:8000/v1"
        api_key = "secret-key"
        model = "qwen"
        max_tokens = 4096
        headers = { "x-team" = "blue" }
        [timeouts]
        stall_ms = 5000
        "#,
    )
    .unwrap();

    assert_eq!(config.timeouts, Timeouts { stall: Duration::from_secs(5), ..Timeouts::default() });
    assert_eq!(config.name(), "vllm");
    assert_eq!(config.resolve().unwrap().max_tokens, Some(4096));
    assert!(!format!("{config:?} {:?}", config.resolve()).contains("secret-key"));
    for wrong in [
        "kind = \"openai\"\ntoken = \"x\"",
        "kind = \"open\"",
        "kind = \"groq\"\ntimeouts = { stall = 5 }",
    ] {
        assert!(toml::from_str::<ProviderConfig>(wrong).is_err(), "of {wrong}");
    }
}

#[test]
fn hosted_services_get_a_limit_of_tokens_and_local_ones_do_not() {
    let max_tokens = |kind, max_tokens| {
        let config = ProviderConfig {
            api_key: Some("k".into()),
            base_url: Some("http://x/v1".into()),
            model: Some("m".into()),
            max_tokens,
            ..ProviderConfig::new(kind)
        };
        config.resolve().unwrap().max_tokens
    };

    assert_eq!(max_tokens(ProviderKind::Openai, None), Some(MAX_TOKENS_DEFAULT));
    assert_eq!(max_tokens(ProviderKind::Openai, Some(0)), None, "0 switches it off");
    assert_eq!(max_tokens(ProviderKind::Custom, None), None);
    assert_eq!(max_tokens(ProviderKind::Ollama, Some(7)), Some(7));
}

#[test]
fn every_key_counts_once_and_those_of_an_account_belong_together() {
    let config: ProviderConfig = toml::from_str(
        r#"
        kind = "groq"
        api_key = "a"
        keys = ["b", "a", "", "c"]
        accounts = { team = ["c", "d"] }
        "#,
    )
    .unwrap();

    let resolved = config.resolve().unwrap();
    let keys: Vec<_> =
        resolved.keys.iter().map(|key| (key.secret.expose(), key.account.as_deref())).collect();
    assert_eq!(keys, [("c", Some("team")), ("d", Some("team")), ("a", None), ("b", None)]);
    assert!(resolved.terms.drains, "Groq bills to the end");
    assert_eq!(resolved.terms.answer_tokens, MAX_TOKENS_DEFAULT);
}

#[test]
fn ollama_gets_its_api_path_where_the_address_has_none() {
    for (base_url, expected) in [
        ("http://gpu:11434", ("http://gpu:11434/v1", Api::OpenAi)),
        ("http://gpu:11434/", ("http://gpu:11434/v1", Api::OpenAi)),
        ("http://gpu:11434/v1/", ("http://gpu:11434/v1", Api::OpenAi)),
        ("https://host/ollama/v1", ("https://host/ollama/v1", Api::OpenAi)),
        ("http://gpu:11434/api/", ("http://gpu:11434/api", Api::Ollama)),
    ] {
        let base = Some(base_url.to_owned());
        let config = ProviderConfig { base_url: base, ..ProviderConfig::new(ProviderKind::Ollama) };
        let config = config.resolve().unwrap();
        assert_eq!((config.base_url.as_str(), config.api), expected);
    }
}

#[test]
fn a_value_that_makes_no_sense_is_refused_without_being_repeated() {
    let config = |field: &str, value: &str| {
        let mut config = ProviderConfig::new(ProviderKind::Ollama);
        match field {
            "base_url" => config.base_url = Some(value.to_owned()),
            "api_key" => config.api_key = Some(value.into()),
            "proxy" => config.proxy = Some(value.into()),
            _ => drop(config.headers.insert(field.to_owned(), value.into())),
        }
        let built = config.resolve().and_then(|config| OpenAi::new(config, Meter::default()));
        built.map(|_| ()).unwrap_err().to_string()
    };
    let cases = [
        ("base_url", "localhost:11434", "must begin with http"),
        ("base_url", "gpu", "is no URL"),
        ("base_url", "http://user:secret@host/v1", "holds a user name or password"),
        ("base_url", "http://host/v1?key=secret", "without ? or #"),
        ("api_key", "secret\nkey", "api_key holds a character"),
        ("proxy", "::secret::", "proxy is no URL"),
        ("bad name", "secret", "headers has a name"),
        ("x-name", "secret\n", "headers has a value"),
    ];

    for (field, value, expected) in cases {
        let error = config(field, value);
        assert!(error.contains(expected), "of {field} {value}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
