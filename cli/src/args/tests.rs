use super::*;

fn read(line: &str, lang: Lang) -> Result<Cli, Stop> {
    let args: Vec<OsString> = std::iter::once("anjuan")
        .chain(line.split_whitespace())
        .map(Into::into)
        .collect();
    Cli::read(&args, lang)
}

fn wrong(line: &str) -> ServiceError {
    match read(line, Lang::En) {
        Err(Stop::Wrong(error)) => error,
        other => panic!("{line:?} should be refused, got {other:?}"),
    }
}

/// Runs `check` on every command of the grammar.
fn each_command(command: &clap::Command, check: &mut dyn FnMut(&clap::Command)) {
    check(command);
    for sub in command.get_subcommands() {
        each_command(sub, check);
    }
}

#[test]
fn the_grammar_holds_together_in_both_languages() {
    for lang in [Lang::Zh, Lang::En] {
        Cli::grammar(lang).debug_assert();
    }
}

#[test]
fn every_help_text_is_there_in_both_languages() {
    each_command(&Cli::command(), &mut |command| {
        let name = command.get_name();
        let about = command
            .get_about()
            .unwrap_or_else(|| panic!("{name} lacks its help"))
            .to_string();
        assert!(about.contains('‖'), "{name}: {about}");
        for arg in command.get_arguments() {
            let id = arg.get_id();
            let help = arg
                .get_help()
                .unwrap_or_else(|| panic!("{name} {id} lacks its help"))
                .to_string();
            assert!(help.contains('‖'), "{name} {id}: {help}");
        }
    });
}

#[test]
fn help_is_in_one_language_only() {
    let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for command in [
        "",
        "invite",
        "operator",
        "operator revoke",
        "case",
        "case list",
        "unit find",
        "sync status",
        "bundle import",
    ] {
        for (lang, heading) in [(Lang::Zh, "选项"), (Lang::En, "Options")] {
            let Err(Stop::Print(help)) = read(&format!("{command} --help"), lang) else {
                panic!("{command} --help prints help");
            };
            assert!(help.contains(heading), "{help}");
            assert!(!help.contains('‖'), "{help}");
            assert_eq!(chinese(&help), lang == Lang::Zh, "{help}");
        }
    }
}

#[test]
fn well_formed_lines_are_taken() {
    for line in [
        "init --unit 4509",
        "init --unit 450900000000 --name 玉林市",
        "invite --unit 450902001001",
        "invite --unit 450902 --standby --valid-hours 720",
        "invite --unit 450902 --auditor",
        "invite --sign request.cbor --out grant.cbor --yes",
        "join anjuan1-abc",
        "join --request request.cbor --unit 450902 --standby",
        "join --request request.cbor --unit 450902 --auditor",
        "audit export --all --payloads --disclose --reason why --as clerk --out x.audit",
        "audit verify x.audit --root root.cert --particulars",
        "join --grant grant.cbor",
        "serve",
        "serve --listen /ip4/0.0.0.0/tcp/0 --listen /ip4/0.0.0.0/udp/0/quic-v1 --parent /ip4/1.2.3.4/tcp/1 --mdns --unlock lin",
        "status --json",
        "--json status",
        "--home /somewhere status",
        "operator add lin --label 林某 --role mediator --role chair",
        "operator add lin --label 林某 --role mediator,chair --valid-days 30",
        "operator list --unit 450902001",
        "operator revoke lin --reason 调离 --since 2019-06-01 --yes",
        "operator unlock lin --hours 24",
        "operator lock authority",
        "operator passphrase lin",
        "unit find",
        "unit find 玉州",
        "unit show 450902-01",
        "peer list",
        "peer add /ip4/1.2.3.4/tcp/1/p2p/x",
        "peer remove x",
        "sync status --watch",
        "sync now --peer 450902 --wait 0",
        "sync metrics",
        "bundle export --all --out f",
        "bundle export --since 450902001 --scope 450902001001 --out f",
        "bundle import f --salvage",
        "bundle show f",
        "case list --stage mediation --category land --unit 450902 --due-by 2019-06-01 --text 宅基地 --needs-decision --all --limit 5 --offset 10",
        "case show 3f2a",
        "case history 3f2a",
        "case particulars read 3f2a 77aa --reason 督办 --as lin",
        "case particulars erase 3f2a 77aa --basis ordered --reference 决定书 --yes",
        "register list",
        "todo --as lin --within-days 7",
        "verify",
    ] {
        if let Err(stop) = read(line, Lang::Zh) {
            panic!("{line}: {stop:?}");
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (line, said) in [
        ("init", "--unit"),
        ("init --unit 45", "4, 6, 9 or 12 digits"),
        ("invite", "--unit"),
        ("invite --unit 450902 --valid-hours 721", "from 1 to 720"),
        ("invite --unit 450902 --sign f", "--sign"),
        ("invite --unit 450902 --out f", "cannot be used with"),
        ("join", "missing"),
        ("join TICKET --grant f", "cannot be used with"),
        ("join --request f", "--unit"),
        ("operator add lin --label x", "--role"),
        ("operator add lin --label x --role judge", "petition-clerk"),
        (
            "operator add lin --label x --role chair --valid-days 0",
            "from 1 to 3660",
        ),
        ("operator revoke lin --reason x --since yesterday", "2019-06-01"),
        ("case list --due-by 2019-02-30", "day of the calendar"),
        ("case list --limit 0", "from 1 to 10000"),
        (
            "case particulars erase a b --basis because --reference x",
            "purpose-done",
        ),
        ("bundle export --out f", "--since"),
        (
            "bundle export --all --since 450902 --out f",
            "cannot be used with",
        ),
        ("bundle export --all", "--out"),
        ("sync now --wait 3601", "from 0 to 3600"),
        ("frobnicate", "no command frobnicate"),
        ("status --frob", "no argument --frob"),
        ("status --lang fr", "zh"),
    ] {
        let error = wrong(line);
        assert_eq!(error.kind, anjuan_node::service::ErrorKind::Usage);
        let message = &error.message.en;
        assert!(message.contains(said), "{line}: {message}");
        assert!(!error.message.zh.is_empty() && error.hint.is_some());
    }
}

#[test]
fn a_near_miss_is_guessed() {
    let error = wrong("verfy");
    assert_eq!(
        error.hint.map(|hint| hint.en),
        Some("did you mean verify?".to_owned())
    );
}

#[test]
fn a_missing_subcommand_is_answered_with_help() {
    for line in ["", "operator", "case"] {
        assert!(
            matches!(read(line, Lang::Zh), Err(Stop::Explain(help)) if help.contains("用法")),
            "{line:?}"
        );
    }
}
