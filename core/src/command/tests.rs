use serde_json::json;

use super::*;

#[test]
fn words_without_meaning_to_a_shell_stay_bare() {
    for word in [
        "gateway",
        "a.b-c",
        "app=x,b=y",
        "/etc/x_y",
        "user@host:80",
        "-n",
        "a+b",
    ] {
        assert_eq!(shell_word(word), word);
    }
}

#[test]
fn every_other_word_is_quoted() {
    for (word, quoted) in [
        ("", "''"),
        ("a b", "'a b'"),
        ("$(touch PWN)", "'$(touch PWN)'"),
        ("it's", "'it'\\''s'"),
        ("~", "'~'"),
        ("a*", "'a*'"),
        ("!!", "'!!'"),
        ("=ls", "'=ls'"),
        ("é", "'é'"),
        ("{a,b}", "'{a,b}'"),
        ("#a", "'#a'"),
        ("a%b", "'a%b'"),
    ] {
        assert_eq!(shell_word(word), quoted);
    }
}

#[test]
fn a_command_reads_as_people_write_it() {
    let secret = ObjectRef::new(Kind::Secret, "shop", "backend-ca");
    let copy = Command::kubectl("shop")
        .words(["get"])
        .object(&secret)
        .data_key("ca.crt")
        .pipe(Command::new("base64").words(["-d"]))
        .write_to("ca.crt")
        .then(Command::new("kubectl").words(["get", "nodes"]));
    assert_eq!(
        copy.text().expect("a command"),
        "kubectl -n shop get secret backend-ca -o jsonpath='{.data.ca\\.crt}' | base64 -d > ca.crt\nkubectl get nodes"
    );
    let patch = Command::kubectl("")
        .words(["patch"])
        .object(&ObjectRef::new(Kind::GatewayClass, "", "nginx"))
        .patch(&json!({"a": "it's"}));
    assert_eq!(
        patch.text().expect("a command"),
        "kubectl patch gatewayclass nginx -p '{\"a\":\"it'\\''s\"}'"
    );
}

#[test]
fn there_is_no_command_for_a_name_that_cannot_exist() {
    for name in [
        "",
        "x;curl evil",
        "-x",
        "x-",
        "A",
        "a..b",
        "a/b",
        "a\nb",
        "é",
        "a_b",
    ] {
        let why = Command::kubectl("shop")
            .name(Kind::Secret, name)
            .text()
            .expect_err(name);
        assert!(why.contains("is not a valid Kubernetes name"), "{why}");
        assert!(!why.contains('\n'), "{why}");
    }
    let why = Command::kubectl("x;curl evil")
        .words(["get", "pods"])
        .pipe(Command::new("sh"))
        .text();
    assert_eq!(
        why,
        Err("`x;curl evil` is not a valid Kubernetes name, so no command is shown".to_owned())
    );
    assert!(
        Command::new("kubectl")
            .name(Kind::Secret, "a.b")
            .text()
            .is_ok()
    );
    assert!(
        Command::new("kubectl")
            .name(Kind::Service, "a.b")
            .text()
            .is_err()
    );
    let long = "a".repeat(254);
    assert!(
        Command::new("kubectl")
            .name(Kind::Secret, &long)
            .text()
            .is_err()
    );
}

#[test]
fn the_refusal_of_an_inner_command_is_that_of_the_whole() {
    let bad = || Command::kubectl("A");
    let good = || Command::new("true");
    for command in [
        good().pipe(bad()),
        good().and(bad()),
        good().then(bad()),
        good().patch_with("{", bad(), "}"),
        bad().then(good()),
    ] {
        assert!(command.text().is_err());
    }
}

#[test]
fn no_hidden_character_reaches_a_command() {
    for text in [
        "a\nb",
        "a\tb",
        "a\u{1b}[31m",
        "a\u{202e}b",
        "a\u{200b}",
        "a\u{fffd}",
    ] {
        assert!(Command::new("ls").file(Path::new(text)).text().is_err());
    }
    let patch = json!({"a": "b\u{fffd}"});
    assert!(Command::new("kubectl").patch(&patch).text().is_err());
}

#[test]
fn a_file_is_never_taken_for_an_option() {
    let file = |name: &str| Command::new("ls").file(Path::new(name)).text().expect(name);
    assert_eq!(file("-rf"), "ls -f ./-rf");
    assert_eq!(file("-"), "ls -f -");
    assert_eq!(file("my folder"), "ls -f 'my folder'");
    assert_eq!(file("~/x"), "ls -f '~/x'");
}

#[test]
fn keys_and_labels_have_shapes_of_their_own() {
    for key in ["ca.crt", "TLS_CA", "a"] {
        assert!(names::key(key).is_ok(), "{key}");
    }
    for key in ["", ".", "..", "..a", "a b", "a/b", "{}"] {
        assert!(names::key(key).is_err(), "{key}");
    }
    for (name, value) in [("app", ""), ("app.kubernetes.io/name", "A_b.c-d")] {
        assert!(names::label_name(name).is_ok() && names::label_value(value).is_ok());
    }
    for value in ["a,b", "a b", "-a", "a-", "$(x)"] {
        assert!(names::label_value(value).is_err(), "{value}");
        assert!(names::label_name(value).is_err(), "{value}");
    }
    assert!(names::label_name("a/b/c").is_err());
    assert!(names::label_name("A/b").is_err());
}

#[test]
fn the_names_in_a_manifest_are_those_of_its_references() {
    let grant = |name: &str| {
        json!({
            "metadata": {"name": "a", "namespace": "b"},
            "spec": {"to": [{"group": "", "kind": "Secret", "name": name}]},
        })
    };
    assert!(names::in_manifest(&grant("fine")).is_ok());
    assert!(names::in_manifest(&grant("$(x)")).is_err());
    // A label that is called "name" is no reference.
    let policy = json!({"spec": {"podSelector": {"matchLabels": {"name": "A_b"}}}});
    assert!(names::in_manifest(&policy).is_ok());
}
