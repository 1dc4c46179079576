//! Sweeps that nobody starts: what `guard install` writes is what systemd, cron and the forges take, and the very
//! commands in it run with nothing around them.

use std::process::Command;

use serde_json::Value;

use crate::support::{Aws, Ran, clean, ended};

const PROGRAM: &str = "/usr/local/bin/fruitsinfra";

/// What `guard install` prints.
fn installed(args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    ended(clean(folder.path()).args(["guard", "install"]).args(args).output().expect("the binary starts"))
}

/// What a program says, if it is here.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn tool(name: &str, args: &[&str]) -> Option<Ran> {
    let output = Command::new(name).args(args).output().ok();
    if output.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    output.map(ended)
}

/// The value of `KEY=` in a unit, or `None`.
fn of<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

#[test]
fn a_service_and_its_timer() {
    let ran = installed(&["--systemd", "--kill", "--binary", PROGRAM]).expect(0);
    insta::assert_snapshot!(ran.out, @"
    # --- fruitsinfra-guard.service
    # One sweep over the EU regions. It belongs into /etc/systemd/system, beside fruitsinfra-guard.timer; then:
    #   systemctl daemon-reload && systemctl enable --now fruitsinfra-guard.timer
    # What it found: journalctl -u fruitsinfra-guard
    # Credentials and the webhook come from /etc/fruitsinfra/guard.env, mode 0600, a NAME='value' a line: AWS_ACCESS_KEY_ID and
    # AWS_SECRET_ACCESS_KEY (none where the machine has a role), FRUITSINFRA_WEBHOOK.
    # What it may do at least: caller-guard.json of `fruitsinfra render STACK policy --out policies`.
    [Unit]
    Description=fruitsinfra guard: finds EMR clusters in the EU that nobody uses, and ends them
    Wants=network-online.target
    After=network-online.target

    [Service]
    Type=oneshot
    ExecStart=/usr/local/bin/fruitsinfra guard --kill --deadline 4m
    # The sweep has its own deadline, 4m: this one is for a process that is stuck.
    TimeoutStartSec=300
    DynamicUser=yes
    EnvironmentFile=-/etc/fruitsinfra/guard.env
    NoNewPrivileges=yes
    CapabilityBoundingSet=
    ProtectSystem=strict
    ProtectHome=yes
    PrivateTmp=yes
    PrivateDevices=yes
    ProtectClock=yes
    ProtectControlGroups=yes
    ProtectHostname=yes
    ProtectKernelLogs=yes
    ProtectKernelModules=yes
    ProtectKernelTunables=yes
    RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
    RestrictNamespaces=yes
    RestrictRealtime=yes
    RestrictSUIDSGID=yes
    LockPersonality=yes
    MemoryDenyWriteExecute=yes
    SystemCallArchitectures=native
    SystemCallFilter=@system-service
    UMask=0077
    # --- fruitsinfra-guard.timer
    # Starts fruitsinfra-guard.service every 5m; a sweep that still runs is not started twice.
    [Unit]
    Description=fruitsinfra guard, every 5m

    [Timer]
    OnCalendar=*:0/5
    # What was missed while the machine was off is made up for, once.
    Persistent=true
    # Many machines do not ask AWS in the same second.
    RandomizedDelaySec=30
    AccuracySec=1s

    [Install]
    WantedBy=timers.target
    ");
    let sns = "arn:aws:sns:eu-west-3:000000000000:guard";
    let args = [
        "--systemd",
        "--every",
        "2h",
        "--profile",
        "fruits",
        "--user",
        "ada",
        "--notify-topic",
        sns,
        "--binary",
        PROGRAM,
    ];
    let unit = installed(&args).expect(0).out;
    let differs = |line: &&str| !ran.out.lines().any(|other| other == *line);
    let differing: Vec<&str> = unit.lines().filter(differs).collect();
    insta::assert_snapshot!(differing.join("\n"), @"
    # The webhook comes from /etc/fruitsinfra/guard.env, mode 0600, a NAME='value' a line: FRUITSINFRA_WEBHOOK.
    Description=fruitsinfra guard: finds EMR clusters in the EU that nobody uses
    ExecStart=/usr/local/bin/fruitsinfra guard --deadline 4m --notify-topic arn:aws:sns:eu-west-3:000000000000:guard
    User=ada
    Environment=AWS_PROFILE=fruits
    ProtectHome=read-only
    # Starts fruitsinfra-guard.service every 2h; a sweep that still runs is not started twice.
    Description=fruitsinfra guard, every 2h
    OnCalendar=0/2:00
    ");
}

#[test]
fn systemd_takes_the_units_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    for more in [&["--kill"][..], &["--user", "daemon", "--profile", "fruits", "--every", "1d"]] {
        let args = [&["--systemd", "--out", &out, "--binary", "/bin/true"], more].concat();
        let written = installed(&args).expect(0).out;
        assert_eq!(written.lines().count(), 2, "{written}");
        let paths: Vec<&str> = written.lines().collect();
        let Some(verified) = tool("systemd-analyze", &[&["verify"], &paths[..]].concat()) else { return };
        let verified = verified.expect(0);
        assert_eq!((verified.out.as_str(), verified.err.as_str()), ("", ""));
        let timer = std::fs::read_to_string(paths[1]).expect("is written");
        tool("systemd-analyze", &["calendar", of(&timer, "OnCalendar").expect("a time")]).expect("is there").expect(0);
    }
}

#[test]
fn a_line_of_a_crontab() {
    let ran = installed(&["--cron", "--kill", "--binary", PROGRAM]).expect(0);
    insta::assert_snapshot!(ran.out, @"
    # fruitsinfra guard, every 5m: add the last line to a crontab (`crontab -e`). cron mails what it says; it is quiet
    # where there is nothing to say. A sweep that still runs is not started twice: the lock is on the program's own file.
    # Credentials and the webhook come from /etc/fruitsinfra/guard.env, mode 0600, a NAME='value' a line: AWS_PROFILE, or
    # AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (none where the machine has a role), FRUITSINFRA_WEBHOOK.
    # What it may do at least: caller-guard.json of `fruitsinfra render STACK policy --out policies`.
    */5 * * * * export PATH=/usr/local/bin:/usr/bin:/bin; set -a; [ ! -r /etc/fruitsinfra/guard.env ] || . /etc/fruitsinfra/guard.env; exec flock -n /usr/local/bin/fruitsinfra timeout 300 /usr/local/bin/fruitsinfra guard --kill --quiet --deadline 4m
    ");
    let line = ran.out.lines().last().expect("a line");
    let fields: Vec<&str> = line.splitn(6, ' ').collect();
    let is_time = |field: &&str| field.chars().all(|c| c.is_ascii_digit() || "*/,-".contains(c));
    assert!(fields.len() == 6 && fields[..5].iter().all(is_time), "{line}");
    // cron makes a new line of it, and what follows is given to the command.
    assert!(!line.contains('%'), "{line}");
    assert!(Command::new("sh").args(["-n", "-c", fields[5]]).status().expect("a shell").success(), "{line}");
}

#[test]
fn a_workflow_and_a_pipeline_of_a_forge() {
    let yaml = |text: &str| serde_yaml::from_str::<Value>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let ran = installed(&["--github", "--kill", "--every", "15m"]).expect(0);
    insta::assert_snapshot!(ran.out, @r#"
    # fruitsinfra guard, about every 15m (GitHub starts schedules when it has room, and stops them in a repository that
    # sleeps for 60 days): .github/workflows/fruitsinfra-guard.yml of this repository.
    #
    # Variables of the repository: GUARD_ROLE_ARN, the role it takes by OIDC, without stored keys; GUARD_REGION, an EU region
    # for that (eu-west-3 unless said); GUARD_RUNNER, a runner of yours (GitHub's own may stand outside the EU; only
    # metadata of clusters passes there). Secret: FRUITSINFRA_WEBHOOK, if anybody is to be told.
    # The role's policy: caller-guard.json of `fruitsinfra render STACK policy --out policies`. It trusts
    # token.actions.githubusercontent.com for this repository's default branch alone.
    name: fruitsinfra guard
    on:
      schedule:
        - cron: "*/15 * * * *"
      workflow_dispatch:
        inputs:
          role:
            description: ARN of the role to take, instead of GUARD_ROLE_ARN
            required: false
    permissions:
      contents: read
      id-token: write
    concurrency:
      group: fruitsinfra-guard
      cancel-in-progress: false
    jobs:
      guard:
        runs-on: ${{ vars.GUARD_RUNNER || 'ubuntu-24.04' }}
        timeout-minutes: 30 # of which the first run builds most
        steps:
          - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
            with:
              persist-credentials: false
          - id: built
            uses: actions/cache@5a3ec84eff668545956fd18022155c47e93e2684 # v4.2.3
            with:
              path: target/debug/fruitsinfra
              key: fruitsinfra-${{ runner.os }}-${{ runner.arch }}-${{ hashFiles('Cargo.lock', 'src/**', 'templates/**', 'scripts/local_aws/**') }}
          - if: steps.built.outputs.cache-hit != 'true'
            run: cargo build --locked
          - uses: aws-actions/configure-aws-credentials@61815dcd50bd041e203e49132bacad1fd04d2708 # v5.1.1
            with:
              role-to-assume: ${{ inputs.role || vars.GUARD_ROLE_ARN }}
              role-session-name: fruitsinfra-guard
              aws-region: ${{ vars.GUARD_REGION || 'eu-west-3' }}
          - env:
              FRUITSINFRA_WEBHOOK: ${{ secrets.FRUITSINFRA_WEBHOOK }}
            run: "target/debug/fruitsinfra guard --kill --deadline 4m"
    "#);
    let flow = yaml(&ran.out);
    assert_eq!(flow["on"]["schedule"][0]["cron"], "*/15 * * * *");
    assert_eq!(flow["permissions"]["id-token"], "write");
    let steps = flow["jobs"]["guard"]["steps"].as_array().expect("steps");
    assert_eq!(steps.last().expect("a sweep")["run"], "target/debug/fruitsinfra guard --kill --deadline 4m");
    for uses in steps.iter().filter_map(|step| step["uses"].as_str()) {
        let (_, commit) = uses.split_once('@').expect("a commit");
        assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{uses} is pinned");
    }

    let ran = installed(&["--gitlab", "--kill"]).expect(0);
    insta::assert_snapshot!(ran.out, @r#"
    # fruitsinfra guard: include it in .gitlab-ci.yml of this repository (`include: fruitsinfra-guard.gitlab-ci.yml`), and make a
    # pipeline schedule (Build > Pipeline schedules) on the protected default branch, with interval pattern
    #   */5 * * * *
    # and the variable GUARD=sweep.
    #
    # CI/CD variables, protected: GUARD_ROLE_ARN, the role it takes by OIDC, without stored keys; GUARD_REGION, an EU region for
    # that (eu-west-3 unless said); FRUITSINFRA_WEBHOOK, masked, if anybody is to be told.
    # The role's policy: caller-guard.json of `fruitsinfra render STACK policy --out policies`. It trusts this
    # GitLab for this project's default branch alone, audience sts.amazonaws.com.
    fruitsinfra-guard:
      image: rust:1.94.1-bookworm
      rules:
        - if: $GUARD == "sweep" && ($CI_PIPELINE_SOURCE == "schedule" || $CI_PIPELINE_SOURCE == "web")
      resource_group: fruitsinfra-guard
      interruptible: false
      timeout: 30 minutes # of which the first run builds most
      cache:
        key:
          files: [Cargo.lock]
        paths: [target/]
      variables:
        CARGO_INCREMENTAL: "0"
      id_tokens:
        AWS_ID_TOKEN:
          aud: sts.amazonaws.com
      script:
        - cargo build --locked
        # The SDK takes the role itself; the token is in no argument and in no log.
        - umask 077 && printf %s "$AWS_ID_TOKEN" > "$CI_PROJECT_DIR/.fruitsinfra-guard-token"
        - export AWS_WEB_IDENTITY_TOKEN_FILE="$CI_PROJECT_DIR/.fruitsinfra-guard-token" AWS_ROLE_ARN="$GUARD_ROLE_ARN" AWS_ROLE_SESSION_NAME=fruitsinfra-guard AWS_REGION="${GUARD_REGION:-eu-west-3}"
        - "target/debug/fruitsinfra guard --kill --deadline 4m"
      after_script:
        - rm -f "$CI_PROJECT_DIR/.fruitsinfra-guard-token"
    "#);
    let job = &yaml(&ran.out)["fruitsinfra-guard"];
    assert_eq!(job["id_tokens"]["AWS_ID_TOKEN"]["aud"], "sts.amazonaws.com");
    for command in ["script", "after_script"].iter().flat_map(|key| job[key].as_array().expect("commands")) {
        let command = command.as_str().expect("a command");
        assert!(Command::new("sh").args(["-n", "-c", command]).status().expect("a shell").success(), "{command}");
    }
}

#[test]
fn what_would_not_start_is_not_written() {
    let told = |args: &[&str]| installed(args).expect(2).err;
    insta::assert_snapshot!(told(&["--systemd", "--every", "7m", "--binary", PROGRAM]), @"
    error: `7m` is no interval of a clock
    help: minutes that divide an hour, as in 5m, or hours that divide a day, as in 2h
    ");
    insta::assert_snapshot!(told(&["--cron", "--binary", "/opt/a b"]), @"
    error: the program `/opt/a b` holds ' ', which what starts the sweep would read as something else
    help: letters, digits and any of / . _ - + @ : are safe everywhere
    ");
    insta::assert_snapshot!(told(&["--github", "--every", "1m"]), @"
    error: GitHub starts nothing more often than every 5m, and `1m` is asked for
    help: `--every 5m`, or a machine of yours with `--systemd`
    ");
    assert!(told(&["--systemd", "--cron"]).contains("cannot be used with"));
    assert!(told(&[]).contains("--gitlab"));
    assert!(told(&["--gitlab", "--output", "json"]).contains("no json form"));
}

/// The environment that the service reads its credentials from, pointed at the embedded AWS.
fn environment(aws: &Aws) -> String {
    let path = aws.folder().join("guard.env");
    let lines =
        format!("AWS_ACCESS_KEY_ID='test'\nAWS_SECRET_ACCESS_KEY='test'\nAWS_ENDPOINT_URL='{}'\n", aws.endpoint);
    std::fs::write(&path, lines).expect("written");
    path.display().to_string()
}

#[test]
fn the_timers_and_the_crontabs_own_commands_run_with_nothing_around_them() {
    let aws = Aws::start();
    aws.up("minimal").expect(0);
    let file = environment(&aws);

    // As systemd starts it: what the unit names, and nothing else.
    let here = |text: &str| text.replace(PROGRAM, env!("CARGO_BIN_EXE_fruitsinfra"));
    let args = ["--systemd", "--kill", "--user", "nobody", "--env-file", &file, "--binary", PROGRAM];
    let unit = here(&installed(&args).expect(0).out);
    let named = std::fs::read_to_string(of(&unit, "EnvironmentFile").expect("a file").trim_start_matches('-'));
    let named = named.expect("is there");
    let variables = named.lines().map(|line| line.replace('\'', ""));
    let command = of(&unit, "ExecStart").expect("a command").split(' ');
    aws.forget_calls();
    let swept = Command::new("env").arg("-i").args(variables).args(command).current_dir("/").output();
    ended(swept.expect("env is there")).expect(0);
    assert!(aws.count("ListClusters") > 0, "it swept");
    assert_eq!(aws.mutations(), [""; 0], "a cluster that has just begun is let be");

    // As cron starts it.
    let line = here(&installed(&["--cron", "--kill", "--env-file", &file, "--binary", PROGRAM]).expect(0).out);
    let command = line.lines().last().and_then(|line| line.splitn(6, ' ').nth(5)).expect("a command").to_owned();
    let cron = || {
        let mut cron = Command::new("env");
        cron.args(["-i", "HOME=/", "SHELL=/bin/sh", "PATH=/usr/bin:/bin", "/bin/sh", "-c"]).arg(&command);
        ended(cron.current_dir("/").output().expect("env is there"))
    };
    aws.forget_calls();
    cron().expect(0);
    assert!(aws.count("ListClusters") > 0, "it swept");

    // While another sweep runs, it says nothing and does nothing.
    let program = std::fs::File::open(env!("CARGO_BIN_EXE_fruitsinfra")).expect("the binary");
    program.lock().expect("locked");
    aws.forget_calls();
    let ran = cron().expect(1);
    assert_eq!((ran.out.as_str(), ran.err.as_str(), aws.calls().len()), ("", "", 0));
}
