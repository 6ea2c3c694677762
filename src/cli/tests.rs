use super::*;
use clap::CommandFactory as _;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' ').filter(|word| !word.is_empty()))
}

fn run_line(line: &str, environment: &[(&str, &str)]) -> Result<(), Failure> {
    let environment =
        environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    run(parse(line).unwrap(), environment)
}

#[test]
fn the_command_line_is_well_formed_and_every_command_has_help() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{} {} has no help", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    let command = Cli::command();
    command.clone().debug_assert();
    check(&command);
}

#[test]
fn every_example_of_the_help_parses() {
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut lines: Vec<_> = help.lines().map(str::trim).map(str::to_owned).collect();
        lines.extend(command.get_subcommands().flat_map(examples));
        lines
    }
    let mut checked = 0;
    for line in examples(&Cli::command()) {
        let line = line.strip_prefix("GROQ_API_KEYS=… ").unwrap_or(&line);
        if !line.starts_with("greenroom ") {
            continue;
        }
        // Behind the command stands what it does, after three spaces; or the shell's own words.
        let ends = [line.find("   "), line.find(" > "), line.find(" && "), line.find(" | ")];
        let end = ends.into_iter().flatten().min().unwrap_or(line.len());
        let line = line[..end].trim();
        let line = line
            .replace("ses_0192…", "ses_01920000000070008000000000000000")
            .replace("$(date +%F)", "x")
            .split('"')
            .enumerate()
            .map(|(i, part)| if i % 2 == 1 { part.replace(' ', "_") } else { part.to_owned() })
            .collect::<String>();
        parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        checked += 1;
    }
    assert!(checked >= 15, "{checked} examples");
}

#[test]
fn bad_command_lines_are_usage_errors() {
    for line in [
        "greenroom",
        "greenroom nonsense",
        "greenroom dev --port 70000",
        "greenroom dev --set port",
        "greenroom client generate prompt",
        "greenroom client attach not-a-session",
        "greenroom client attach ses_01920000000070008000000000000000 --after 1",
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    assert_eq!(parse("greenroom --help").unwrap_err().exit_code(), 0);
}

#[test]
fn flags_reach_the_configuration_also_after_the_command() {
    let cli =
        parse("greenroom dev --port 9000 --data-dir /tmp/x --set session.window_ms=0").unwrap();
    let Command::Dev(args) = &cli.command else { panic!("another command") };
    let flags = [args.flags(), cli.common.flags()].concat();
    let loaded = load(&cli.common, Vec::new(), flags, Mode::Dev).unwrap();
    assert_eq!(loaded.config.server.port, 9000);
    assert_eq!(loaded.config.session.window_ms, 0);
    assert_eq!(loaded.config.server.data_dir, std::path::Path::new("/tmp/x"));
    let port = loaded.values.iter().find(|value| value.key == "server.port").unwrap();
    assert_eq!(port.origin, "flag --port");
}

#[test]
fn a_bad_configuration_exits_with_78_before_anything_starts() {
    let bad = [("GREENROOM__SERVER__PROT", "1")];
    for line in ["greenroom dev", "greenroom serve", "greenroom config check", "greenroom token"] {
        assert_eq!(run_line(line, &bad).unwrap_err().exit_code(), 78, "{line}");
    }
    assert_eq!(run_line("greenroom serve", &[]).unwrap_err().exit_code(), 78, "no provider");
}

#[test]
fn a_client_without_a_token_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("greenroom client ls --data-dir {}", folder.path().display());
    assert_eq!(run_line(&line, &[]).unwrap_err().exit_code(), 2);
}

#[test]
fn a_backup_over_an_existing_file_is_a_usage_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = format!("greenroom backup {}", file.path().display());
    assert_eq!(run_line(&line, &[]).unwrap_err().exit_code(), 2);
}

#[test]
fn commands_that_only_print_succeed() {
    for line in [
        "greenroom config default",
        "greenroom config doc",
        "greenroom config check --dev --output json",
        "greenroom version",
        "greenroom version --output json",
        "greenroom provider ls",
        "greenroom provider ls --output json",
        "greenroom provider test demo --set providers.demo.tokens_per_second=0",
    ] {
        run_line(line, &[]).unwrap();
    }
}

#[test]
fn a_test_of_a_provider_fails_with_69_and_of_an_unknown_one_with_2() {
    let nobody = [
        ("GREENROOM__PROVIDERS__CUSTOM__BASE_URL", "http://127.0.0.1:1/v1"),
        ("GREENROOM__PROVIDERS__CUSTOM__MODEL", "m"),
    ];
    let code = |line: &str| run_line(line, &nobody).unwrap_err().exit_code();
    assert_eq!(code("greenroom provider test"), 69);
    assert_eq!(code("greenroom provider test custom --output json"), 69);
    assert_eq!(code("greenroom provider test nobody"), 2);
    run_line("greenroom provider ls", &nobody).unwrap();
}

#[test]
fn the_data_folder_of_the_client_follows_flag_then_set_then_variable() {
    let variables = [("GREENROOM__SERVER__DATA_DIR".to_owned(), "/v".to_owned())];
    let data_dir = |line: &str, environment: &[(String, String)]| {
        parse(line).unwrap().common.data_dir(environment).display().to_string()
    };
    assert_eq!(data_dir("greenroom client ls", &[]), ".greenroom");
    assert_eq!(data_dir("greenroom client ls", &variables), "/v");
    assert_eq!(data_dir("greenroom --set server.data_dir=/s client ls", &variables), "/s");
    assert_eq!(data_dir("greenroom client ls --data-dir /f", &variables), "/f");
}
